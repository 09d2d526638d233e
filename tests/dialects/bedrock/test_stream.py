"""Bedrock's language: streams, both ways, down to frames that Amazon's own parser reads."""

import json

import pytest
from botocore.eventstream import EventStreamBuffer
from msgspec.structs import replace

from fairlead import errors
from fairlead.chat import Chunk, Head, Media, Thinking, ToolDelta, Usage
from fairlead.dialects import bedrock
from fairlead.wire.eventstream import Frames

START = ("messageStart", {"role": "assistant"})
STOP = ("messageStop", {"stopReason": "end_turn"})
COUNTS = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8, "cacheReadInputTokens": 4}
TOLD = ("metadata", {"usage": COUNTS, "metrics": {"latencyMs": 7}})


def opened(index, **start):
    return ("contentBlockStart", {"contentBlockIndex": index, "start": start})


def tool(index, id, name, **rest):
    return opened(index, toolUse={"toolUseId": id, "name": name, **rest})


def delta(index, **said):
    return ("contentBlockDelta", {"contentBlockIndex": index, "delta": said, "p": "abc"})


def closed(index):
    return ("contentBlockStop", {"contentBlockIndex": index})


def encoded(*events):
    return [(name, json.dumps(said).encode()) for name, said in events]


def read(*events, reader=None, spoken=False):
    reader = reader or bedrock.StreamReader(full=True)
    items = [item for name, data in encoded(*events) for item in reader.read(name, data)]
    return items if spoken else [replace(item, spoken=None) for item in items]


def words(text):
    return Chunk(text=text, words=True)


def test_a_stream_of_thinking_and_text():
    items = read(
        START,
        delta(0, reasoningContent={"text": "Hm."}),
        delta(0, reasoningContent={"signature": "c2"}),
        delta(0, reasoningContent={"signature": "ln"}),
        closed(0),
        delta(1, text="hi"),
        closed(1),
        STOP,
        TOLD,
    )
    assert items == [
        Head(dialect="bedrock"),
        Chunk(reasoning="Hm.", words=True),
        Chunk(),
        Chunk(),
        Chunk(part=Thinking("", "c2ln", "bedrock")),
        words("hi"),
        Chunk(),
        Chunk(finish="stop"),
        Usage(input=7, output=5, cache_read=4),
    ]


def test_hidden_reasoning_comes_whole_also_in_pieces():
    pieces = [delta(0, reasoningContent={"redactedContent": piece}) for piece in ("YQ==", "YmM=")]
    items = read(START, *pieces, closed(0))
    assert items[1].words
    assert items[-1].part == Thinking("", "YWJj", "bedrock", redacted=True)
    with pytest.raises(errors.StreamBroken):
        read(START, pieces[0], delta(0, reasoningContent={"redactedContent": "?"}), closed(0))


def test_tool_calls_are_numbered_among_themselves_and_their_input_comes_in_pieces():
    items = read(
        START,
        delta(0, text="I look."),
        closed(0),
        tool(1, "a", "f"),
        delta(1, toolUse={"input": ""}),
        delta(1, toolUse={"input": '{"x":'}),
        delta(1, toolUse={"input": "1}"}),
        closed(1),
        tool(2, "b", "g"),
        closed(2),
    )
    assert [item.tool for item in items if isinstance(item, Chunk) and item.tool] == [
        ToolDelta(0, "a", "f"),
        ToolDelta(0),
        ToolDelta(0, arguments='{"x":'),
        ToolDelta(0, arguments="1}"),
        ToolDelta(1, "b", "g"),
        ToolDelta(1, arguments="{}"),
    ]


def test_what_runs_at_the_provider_is_no_call():
    ran = (tool(0, "s", "x", type="server_tool_use"), delta(0, toolUse={"input": "{}"}), closed(0))
    result = (opened(1, toolResult={"toolUseId": "s"}), delta(1, toolResult=[{"text": "x"}]), closed(1))
    assert read(START, *ran, *result, ("of tomorrow", {"a": 1}))[1:] == [Chunk()] * 7


def test_an_image_comes_whole():
    items = read(START, opened(0, image={"format": "png"}), delta(0, image={"source": {"bytes": "AAAA"}}), closed(0))
    assert items[-1] == Chunk(part=Media(kind="image", media_type="image/png", data="AAAA"), words=True)


def test_the_sequence_that_matched_is_told():
    stop = (
        "messageStop",
        {"stopReason": "stop_sequence", "additionalModelResponseFields": {"delta": {"stop_sequence": "E"}}},
    )
    assert read(START, stop)[-1] == Chunk(finish="stop", stop="E")


def test_usage_that_comes_before_the_stop_is_held_back():
    reader = bedrock.StreamReader()
    items = read(START, TOLD, STOP, reader=reader)
    assert items[-1] == Usage(input=7, output=5, cache_read=4)
    assert (reader.ended, reader.complete, reader.close()) == (True, True, ())


def test_a_stream_is_whole_after_its_stop_and_over_after_its_usage():
    reader = bedrock.StreamReader()
    read(START, delta(0, text="hi"), reader=reader)
    assert (reader.complete, reader.ended) == (False, False)
    read(closed(0), STOP, reader=reader)
    assert (reader.complete, reader.ended) == (True, False)
    read(TOLD, reader=reader)
    assert (reader.ended, reader.usage) == (True, Usage(input=7, output=5, cache_read=4))


def test_a_malformed_answer_ends_without_a_finish():
    reader = bedrock.StreamReader()
    assert read(START, ("messageStop", {"stopReason": "malformed_tool_use"}), reader=reader)[-1] == Chunk()
    assert reader.complete


def test_a_stream_that_begins_in_the_middle_has_a_head_all_the_same():
    items = read(delta(0, text="hi"), STOP, spoken=True)
    assert [type(item) for item in items] == [Head, Chunk, Chunk]
    assert items[0].spoken is not None
    assert (items[1].text, items[1].spoken) == ("hi", None)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("throttlingException", errors.TargetOverloaded),
        ("validationException", errors.TargetRejected),
        ("modelStreamErrorException", errors.TargetFailed),
        ("internalServerException", errors.TargetFailed),
        ("serviceUnavailableException", errors.TargetFailed),
        ("modelTimeoutException", errors.TargetFailed),
        ("exceptionOfTomorrowException", errors.TargetFailed),
        ("accessDeniedException", errors.TargetRefused),
    ],
)
def test_exceptions_are_typed(event, kind):
    with pytest.raises(kind, match="busy") as caught:
        bedrock.StreamReader().read(event, b'{"message":"busy"}')
    assert caught.value.dialect == "bedrock"


def test_an_error_of_the_transport_is_typed_by_its_code():
    with pytest.raises(errors.TargetOverloaded):
        bedrock.StreamReader().read("error", b'{"code":"ThrottlingException","message":"later"}')


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"delta":{"text":5}}', b'{"delta":{"text":"\xff"}}'])
def test_rubbish_breaks_the_stream(data):
    with pytest.raises(errors.StreamBroken):
        bedrock.StreamReader().read("contentBlockDelta", data)


# --- to a caller -----------------------------------------------------------------------------------------------------


def write(*items) -> bytes:
    writer = bedrock.StreamWriter(model="m", created=1)
    return b"".join(writer.write(item) for item in items) + writer.end()


def told(*items) -> list:
    return [(name, json.loads(data)) for name, data in Frames().feed(write(Head("i", "m"), *items))][1:]


def test_a_stream_in_this_language_goes_on_frame_by_frame():
    events = (START, delta(0, text="hi"), closed(0), STOP, TOLD)
    raw = write(*read(*events, spoken=True))
    assert Frames().feed(raw) == encoded(*events)


def test_the_frames_are_what_amazons_own_parser_reads():
    theirs = EventStreamBuffer()
    theirs.add_data(write(Head(), words("hi"), Chunk(finish="stop"), Usage(1, 2)))
    kinds = [event.headers for event in theirs]
    assert [kind[":event-type"] for kind in kinds] == [
        "messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata",
    ]  # fmt: skip
    assert {kind[":message-type"] for kind in kinds} == {"event"}
    assert {kind[":content-type"] for kind in kinds} == {"application/json"}


def test_blocks_are_ended_one_before_the_next():
    events = told(
        Chunk(reasoning="Hm.", words=True),
        words("a"),
        words("b"),
        Chunk(tool=ToolDelta(0, "t", "f"), words=True),
        Chunk(tool=ToolDelta(0, arguments="{}"), words=True),
        Chunk(tool=ToolDelta(1, "u", "g", "{}"), words=True),
        Chunk(finish="tool_calls"),
    )
    assert [(name, said.get("contentBlockIndex")) for name, said in events] == [
        ("contentBlockDelta", 0),
        ("contentBlockStop", 0),
        ("contentBlockDelta", 1),
        ("contentBlockDelta", 1),
        ("contentBlockStop", 1),
        ("contentBlockStart", 2),
        ("contentBlockDelta", 2),
        ("contentBlockStop", 2),
        ("contentBlockStart", 3),
        ("contentBlockDelta", 3),
        ("contentBlockStop", 3),
        ("messageStop", None),
    ]
    assert events[-1][1] == {"stopReason": "tool_use"}


def test_a_refusal_is_a_text_that_ends_as_filtered():
    assert told(Chunk(refusal="No.", words=True), Chunk(finish="stop")) == [
        ("contentBlockDelta", {"delta": {"text": "No."}, "contentBlockIndex": 0}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "content_filtered"}),
    ]


def test_no_finish_is_made_up_and_other_choices_are_not_told():
    assert told(Chunk(index=1, text="x", words=True), words("a")) == [
        ("contentBlockDelta", {"delta": {"text": "a"}, "contentBlockIndex": 0}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
    ]


def test_what_comes_in_one_chunk_is_all_told():
    events = told(words("a"), Chunk(text="b", reasoning="Hm.", refusal="No.", words=True))
    assert [said["delta"] for name, said in events if name == "contentBlockDelta"] == [
        {"text": "a"},
        {"reasoningContent": {"text": "Hm."}},
        {"text": "bNo."},
    ]


def test_the_usage_is_always_told():
    usage = Usage(21, 5, 7, 11, details={"cache_write_5m_tokens": 11})
    assert told(usage) == [
        (
            "metadata",
            {
                "usage": {
                    "inputTokens": 3,
                    "outputTokens": 5,
                    "totalTokens": 26,
                    "cacheReadInputTokens": 7,
                    "cacheWriteInputTokens": 11,
                    "cacheDetails": [{"ttl": "5m", "inputTokens": 11}],
                },
                "metrics": {"latencyMs": 0},
            },
        )
    ]


def heard(*items):
    """What a reader makes of what the writer told."""
    reader = bedrock.StreamReader(full=True)
    found = [item for name, data in Frames().feed(write(Head(), *items)) for item in reader.read(name, data)]
    return [replace(item, spoken=None) for item in found if isinstance(item, Chunk)]


@pytest.mark.parametrize(
    "part",
    [
        Thinking("", "c2ln", "bedrock"),
        Thinking("", "Z2Vt", "gemini"),
        Thinking("", "c2Vj", "bedrock", redacted=True),
        Thinking("", "aGlk", "anthropic", redacted=True),
        Thinking("", "ZW5j", "responses", id="rs_1"),
        Media(kind="image", media_type="image/png", data="AAAA"),
    ],
)
def test_what_comes_whole_is_understood_when_it_comes_back(part):
    chunks = heard(Chunk(reasoning="Hm.", words=True), Chunk(part=part), words("hi"), Chunk(finish="stop"))
    assert [chunk.part for chunk in chunks if chunk.part] == [part]
    assert "".join(chunk.reasoning for chunk in chunks) == "Hm."


def test_a_tool_calls_signature_comes_back_to_it():
    signed = ToolDelta(0, "t", "f", "{}", "Z2Vt", "gemini")
    chunks = heard(Chunk(tool=signed, words=True), Chunk(tool=ToolDelta(1, "u", "g", "{}"), words=True))
    [signature] = [chunk.tool for chunk in chunks if chunk.tool and chunk.tool.signature]
    assert signature == ToolDelta(0, signature="Z2Vt", origin="gemini")


def test_signatures_of_calls_that_have_ended_find_them_too():
    chunks = heard(
        Chunk(tool=ToolDelta(0, "t", "f", "{}"), words=True),
        Chunk(tool=ToolDelta(1, "u", "g", "{}"), words=True),
        Chunk(tool=ToolDelta(0, signature="QQ==", origin="gemini")),
        Chunk(tool=ToolDelta(1, signature="Qg==", origin="gemini")),
        words("hi"),
        Chunk(tool=ToolDelta(1, signature="Qw==", origin="gemini")),
        Chunk(finish="tool_calls"),
    )
    signed = [(chunk.tool.slot, chunk.tool.signature) for chunk in chunks if chunk.tool and chunk.tool.signature]
    assert signed == [(0, "QQ=="), (1, "Qg=="), (1, "Qw==")]


@pytest.mark.parametrize(
    ("status", "exception"),
    [
        (400, "validationException"),
        (404, "validationException"),
        (429, "throttlingException"),
        (500, "internalServerException"),
        (502, "modelStreamErrorException"),
        (503, "serviceUnavailableException"),
        (504, "modelStreamErrorException"),
    ],
)
def test_an_error_in_the_middle_is_an_exception_of_the_stream(status, exception):
    body = bedrock.error_body(status=status, message="no", type="t", code="c")
    [(name, said)] = Frames().feed(bedrock.StreamWriter().fail(body))
    assert (name, json.loads(said)["message"]) == (exception, "no")
    theirs = EventStreamBuffer()
    theirs.add_data(bedrock.StreamWriter().fail(body))
    assert next(theirs).to_response_dict()["status_code"] == 400


def test_an_error_of_a_provider_without_a_name_goes_on_as_an_exception():
    assert Frames().feed(bedrock.StreamWriter().fail(b'{"message":"x"}')) == [
        ("internalServerException", b'{"message":"x"}')
    ]
