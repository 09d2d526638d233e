"""Gemini's language: streams, both ways."""

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Chunk, Head, Item, Media, Opaque, Text, Thinking, ToolDelta, Usage
from fairlead.dialects import gemini
from fairlead.errors import StreamBroken, TargetError, TargetFailed, TargetOverloaded
from fairlead.wire.sse import Events

TOLD = {"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "totalTokenCount": 15}
USED = Usage(input=10, output=5, reasoning=2)


def event(*parts: Any, reason: str | None = None, index: int = 0, usage: Any = None, **rest: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": index, **rest}
    if reason:
        candidate["finishReason"] = reason
    body: dict[str, Any] = {"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r1"}
    return json.dumps(body | ({"usageMetadata": usage} if usage else {})).encode()


def call(**said: Any) -> dict:
    return {"functionCall": said}


def piece(path: str, *, more: bool = False, **value: Any) -> dict:
    return {"jsonPath": path, **value, **({"willContinue": True} if more else {})}


def read(events: list[bytes], *, full: bool = True, **more: Any) -> tuple[Any, list[Item]]:
    reader = gemini.StreamReader(full, **more)
    items = [item for data in events for item in reader.read("message", data)]
    return reader, [*items, *reader.close()]


def chunks(*events: bytes) -> list[Chunk]:
    return [replace(item, spoken=None) for item in read(list(events))[1] if isinstance(item, Chunk)]


def write(*items: Item) -> list[Any]:
    writer = gemini.StreamWriter(model="m")
    told = b"".join(map(writer.write, items)) + writer.end()
    return [json.loads(data) for _, data in Events().feed(told)]


SPOKEN = [
    event({"text": "Hm.", "thought": True}, usage={"promptTokenCount": 10, "totalTokenCount": 10}),
    event({"text": "Ye"}),
    event({"text": "s."}, call(name="f", args={"a": 1})),
    event({"text": "", "thoughtSignature": "YQ=="}, reason="STOP", usage=TOLD),
]


def test_items_of_a_stream():
    reader, items = read(SPOKEN)
    assert [replace(item, spoken=None) for item in items] == [
        Head("r1", "gemini-x", dialect="gemini"),
        Chunk(reasoning="Hm.", words=True),
        Chunk(text="Ye", words=True),
        Chunk(text="s.", words=True),
        Chunk(tool=ToolDelta(0, "call_r1_0", "f", '{"a": 1}'), words=True),
        Chunk(part=Thinking("", "YQ==", "gemini"), finish="tool_calls"),
        USED,
    ]
    assert reader.complete
    assert not reader.ended
    assert reader.usage == USED


@pytest.mark.parametrize("full", [False, True])
def test_every_event_is_spoken_by_exactly_one_item(full: bool):
    _, items = read(SPOKEN, full=full)
    assert [item.spoken for item in items if item.spoken is not None] == SPOKEN
    assert isinstance(items[0], Head)
    assert [isinstance(item, Usage) for item in items].count(True) == 1


def test_for_the_books_words_and_the_end_are_enough():
    _, items = read([*SPOKEN[:3], event({"text": ""}, reason="STOP", usage=TOLD)], full=False)
    assert [(item.words, item.finish) for item in items if isinstance(item, Chunk)] == [
        (True, None), (True, None), (True, None), (False, "tool_calls"),
    ]  # fmt: skip


@pytest.mark.parametrize("full", [False, True])
def test_a_stream_that_is_cut_is_not_complete(full: bool):
    for cut in range(len(SPOKEN)):
        assert not read(SPOKEN[:cut], full=full)[0].complete
    assert read(SPOKEN, full=full)[0].complete


def test_every_candidate_must_end():
    events = [event({"text": "a"}, reason="STOP"), event({"text": "b"}, reason="MAX_TOKENS", index=1)]
    assert not read(events[:1], samples=2)[0].complete
    reader, items = read(events, samples=2)
    assert reader.complete
    assert [(item.index, item.finish) for item in items if isinstance(item, Chunk)] == [(0, "stop"), (1, "length")]


def test_nothing_is_told_of_a_stream_that_never_began():
    reader, items = read([])
    assert (items, reader.complete, reader.usage) == ([], False, None)


def test_a_blocked_prompt_is_a_refusal():
    blocked = b'{"promptFeedback":{"blockReason":"OTHER","blockReasonMessage":"no"},"responseId":"r1"}'
    reader, items = read([blocked])
    assert items[1] == Chunk(refusal="no", finish="content_filter", words=True)
    assert reader.complete


def test_the_end_may_say_why():
    [chunk] = chunks(event(reason="SAFETY", finishMessage="no"))
    assert chunk == Chunk(refusal="no", finish="content_filter", words=True)


def test_generated_media_and_what_ran_at_the_provider_come_whole():
    code = {"executableCode": {"code": "1"}}
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    assert [chunk.part for chunk in chunks(event(picture, code))] == [
        Media(kind="image", media_type="image/png", data="AAAA"),
        Opaque("executableCode", Raw(json.dumps(code).encode()), "gemini"),
    ]


def test_log_probabilities_come_with_their_words():
    result = {"chosenCandidates": [{"token": "a", "logProbability": -1}]}
    [chunk] = chunks(event({"text": "a"}, logprobsResult=result))
    assert json.loads(bytes(chunk.logprobs))["content"][0]["logprob"] == -1  # type: ignore[arg-type]


def test_searches_are_counted_with_the_tokens():
    grounding = {"webSearchQueries": ["who"]}
    _, items = read([event({"text": "a"}, groundingMetadata=grounding), event(reason="STOP", usage=TOLD)])
    assert items[-1] == replace(USED, details={"web_searches": 1})


# --- arguments in pieces ---------------------------------------------------------------------------------------------


def test_arguments_in_pieces_are_put_together():
    made = chunks(
        event({**call(name="f", willContinue=True), "thoughtSignature": "YQ=="}),
        event(call(partialArgs=[piece("$.stops[0].city", stringValue="Par", more=True)], willContinue=True)),
        event(call(partialArgs=[piece("$.stops[0].city", stringValue="is")], willContinue=True)),
        event(call(partialArgs=[piece("$.stops[0].days", numberValue=2)], willContinue=True)),
        event(call(partialArgs=[piece("$.stops[1]['a.b']", boolValue=True), piece("$.x", nullValue="NULL_VALUE")])),
        event(call(name="g", args={}), reason="STOP"),
    )
    assert [chunk.tool for chunk in made if chunk.tool] == [
        ToolDelta(0, "call_r1_0", "f", "", "YQ==", "gemini"),
        ToolDelta(0, arguments='{"stops":[{"city":"Paris","days":2},{"a.b":true}],"x":null}'),
        ToolDelta(1, "call_r1_1", "g", "{}"),
    ]
    assert made[-1].finish == "tool_calls"


def test_a_call_whose_end_was_not_told_ends_with_the_next_or_with_the_answer():
    made = chunks(
        event(call(name="f", willContinue=True)),
        event(call(partialArgs=[piece("$.a", stringValue="1")], willContinue=True)),
        event(call(name="g", willContinue=True)),
        event({"text": ""}, reason="STOP"),
    )
    assert [(chunk.tool.slot, chunk.tool.arguments) for chunk in made if chunk.tool] == [
        (0, ""), (0, '{"a":"1"}'), (1, ""), (1, "{}"),
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["", "$", "$[0]", "$.a[99999999]", "$.a[x]"])
def test_a_place_that_can_not_be_breaks_the_stream(path: str):
    with pytest.raises(StreamBroken):
        chunks(event(call(name="f", partialArgs=[piece(path, stringValue="1")])))


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}', TargetOverloaded),
        (event(reason="MALFORMED_FUNCTION_CALL"), TargetFailed),
        (event({"text": "a"}, reason="OTHER"), TargetFailed),
        (b"[DONE]", StreamBroken),
        (b'{"candidates":5}', StreamBroken),
        (b"\xff", StreamBroken),
    ],
)
def test_failures_are_typed(full: bool, data: bytes, kind: type[TargetError]):
    with pytest.raises(kind) as caught:
        read([SPOKEN[0], data], full=full)
    assert caught.value.dialect == "gemini"


# --- written ---------------------------------------------------------------------------------------------------------

HEAD = Head("r1", "some-model", dialect="anthropic")


def parts_of(events: list[Any]) -> list[Any]:
    return [part for said in events for one in said.get("candidates", ()) for part in one["content"].get("parts", ())]


def test_what_came_in_this_language_goes_on_as_it_came():
    writer = gemini.StreamWriter()
    told = b"".join(map(writer.write, read(SPOKEN, full=False)[1])) + writer.end()
    assert told == b"".join(b"data: " + data + b"\r\n\r\n" for data in SPOKEN)


def test_a_stream_of_another_language():
    events = write(HEAD, Chunk(text="Ye", words=True), Chunk(text="s.", words=True), Chunk(finish="stop"), USED)
    said = {"modelVersion": "some-model", "responseId": "r1"}
    assert events == [
        {"candidates": [{"content": {"parts": [{"text": "Ye"}], "role": "model"}, "index": 0}], **said},
        {"candidates": [{"content": {"parts": [{"text": "s."}], "role": "model"}, "index": 0}], **said},
        {
            "candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0, "finishReason": "STOP"}],
            "usageMetadata": TOLD,
            **said,
        },
    ]


def test_only_what_was_filtered_ends_without_parts():
    """Google's client takes a chunk without parts for a turn that failed, and forgets all of the turn."""
    for finish in ("stop", "length", "tool_calls"):
        assert parts_of(write(HEAD, Chunk(text="x", words=True), Chunk(finish=finish)))[-1] == {"text": ""}
    [*_, last] = write(HEAD, Chunk(text="x", words=True), Chunk(finish="content_filter"))
    assert last["candidates"][0]["content"] == {"role": "model"}


def test_a_call_is_told_when_it_is_whole():
    deltas = [
        ToolDelta(0, "a", "f"),
        ToolDelta(0, arguments='{"x"'),
        ToolDelta(0, arguments=":1}", signature="YQ==", origin="gemini"),
        ToolDelta(1, "b", "g"),
    ]
    events = write(HEAD, *[Chunk(tool=delta, words=True) for delta in deltas], Chunk(finish="tool_calls"))
    assert len(events) == 1
    assert parts_of(events) == [
        {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}, "thoughtSignature": "YQ=="},
        {"functionCall": {"id": "b", "name": "g", "args": {}}},
    ]
    assert events[0]["candidates"][0]["finishReason"] == "STOP"


def test_calls_keep_their_place_among_words():
    events = write(
        HEAD, Chunk(tool=ToolDelta(0, "a", "f", "{}"), words=True), Chunk(text="x", words=True), Chunk(finish="stop")
    )
    assert [next(iter(part)) for part in parts_of(events)] == ["functionCall", "text", "text"]


def test_reasoning_is_signed_where_it_ends():
    signed = Thinking("", "c2ln", "anthropic")
    events = write(
        HEAD, Chunk(reasoning="Hm.", words=True), Chunk(part=signed), Chunk(part=Thinking("", "YQ==", "gemini"))
    )
    assert parts_of(events) == [
        {"text": "Hm.", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "fmZhaXJsZWFkOmFudGhyb3BpYzpjMmxu"},
        {"text": "", "thoughtSignature": "YQ=="},
    ]


def test_a_refusal_is_told_with_the_end():
    [event] = write(HEAD, Chunk(refusal="I "), Chunk(refusal="can't."), Chunk(finish="content_filter"))
    assert event["candidates"][0]["finishMessage"] == "I can't."


def test_no_finish_is_made_up():
    events = write(HEAD, Chunk(text="a", words=True), Chunk(tool=ToolDelta(0, "a", "f", "{}"), words=True))
    assert "finishReason" not in json.dumps(events)
    assert "functionCall" in json.dumps(events)


def test_candidates_end_each_for_itself():
    events = write(HEAD, Chunk(text="a", finish="stop"), Chunk(1, text="b", finish="length"), USED)
    assert [(one["index"], one["finishReason"]) for one in events[0]["candidates"]] == [(0, "STOP"), (1, "MAX_TOKENS")]


def test_an_error_in_the_middle_is_an_event():
    writer = gemini.StreamWriter()
    body = gemini.error_body(status=502, message="broken", type="t", code="stream_broken")
    assert writer.fail(body) == b"data: " + body + b"\r\n\r\n"


def test_what_is_written_reads_as_it_was():
    items = [
        HEAD,
        Chunk(reasoning="Hm.", words=True),
        Chunk(part=Thinking("", "c2ln", "anthropic")),
        Chunk(text="Yes.", words=True),
        Chunk(part=Media(kind="image", media_type="image/png", data="AAAA"), words=True),
        Chunk(tool=ToolDelta(0, "a", "f", '{"x":1}'), words=True),
        Chunk(finish="tool_calls"),
        USED,
    ]
    back = read([json.dumps(said).encode() for said in write(*items)])[1]
    pieces = [replace(item, spoken=None) for item in back if isinstance(item, Chunk)]
    assert [(one.reasoning, one.text, one.part, one.tool, one.finish) for one in pieces] == [
        ("Hm.", "", None, None, None),
        ("", "", Thinking("", "c2ln", "anthropic"), None, None),
        ("", "Yes.", None, None, None),
        ("", "", Media(kind="image", media_type="image/png", data="AAAA"), None, None),
        ("", "", None, ToolDelta(0, "a", "f", '{"x": 1}'), "tool_calls"),
    ]
    assert back[-1] == USED
    assert Text("unused") not in [one.part for one in pieces]
