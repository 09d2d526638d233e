"""Anthropic's language: streams of the Messages API, one event at a time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead import errors
from fairlead.chat import Chunk, Head, Thinking, ToolDelta, Usage
from fairlead.dialects import anthropic

COUNTS = {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 11}
TEXT = {"type": "text", "text": "hi"}
START = ("message_start", {"message": {"type": "message", "id": "m1", "model": "claude", "usage": COUNTS}})
STOP = ("message_stop", {})


def opened(index, **block):
    return ("content_block_start", {"index": index, "content_block": block})


def delta(index, kind, **said):
    return ("content_block_delta", {"index": index, "delta": {"type": kind, **said}})


def closed(index):
    return ("content_block_stop", {"index": index})


def ended(reason, **usage):
    return ("message_delta", {"delta": {"stop_reason": reason}, "usage": usage})


def read_all(*events, reader=None):
    reader = reader or anthropic.StreamReader(full=True)
    return [item for kind, body in events for item in reader.read(kind, json.dumps({"type": kind, **body}).encode())]


def test_a_stream_of_thinking_and_text():
    items = read_all(
        START,
        ("ping", {}),
        opened(0, type="thinking", thinking=""),
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature="s"),
        closed(0),
        opened(1, type="text", text=""),
        delta(1, "text_delta", text="hi"),
        ("an event of tomorrow", {}),
        closed(1),
        ended("end_turn", output_tokens=9),
        STOP,
    )
    assert items == [
        Head("m1", "claude", "", "anthropic"),
        Chunk(reasoning="hm", words=True),
        Chunk(part=Thinking("", "s", "anthropic")),
        Chunk(text="hi", words=True),
        Chunk(finish="stop"),
        Usage(input=21, output=9, cache_read=7, cache_write=11),
    ]


def test_tool_calls_are_numbered_among_themselves_and_their_input_comes_in_pieces():
    items = read_all(
        START,
        opened(0, type="text"),
        opened(1, type="tool_use", id="a", name="f", input={}),
        delta(1, "input_json_delta", partial_json=""),
        delta(1, "input_json_delta", partial_json='{"x":'),
        delta(1, "input_json_delta", partial_json="1}"),
        closed(1),
        opened(2, type="tool_use", id="b", name="g", input={}),
        closed(2),
    )[1:]
    assert [item.tool for item in items] == [
        ToolDelta(0, "a", "f"),
        ToolDelta(0, arguments='{"x":'),
        ToolDelta(0, arguments="1}"),
        ToolDelta(1, "b", "g"),
        ToolDelta(1, arguments="{}"),
    ]
    assert all(item.words for item in items)


def test_a_stream_is_complete_only_after_its_end():
    reader = anthropic.StreamReader(full=True)
    read_all(START, ended("end_turn", output_tokens=1), reader=reader)
    assert not reader.complete
    assert reader.usage == Usage(21, 1, 7, 11)
    read_all(STOP, reader=reader)
    assert reader.complete
    assert reader.close() == ()


def test_an_unknown_reason_to_stop_makes_up_no_finish():
    assert not any(isinstance(item, Chunk) for item in read_all(START, ended("a reason of tomorrow"), STOP))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', errors.TargetOverloaded),
        (b'{"type":"error","error":{"type":"api_error"}}', errors.TargetFailed),
        (b'{"type":"error"}', errors.TargetFailed),
        (b"{", errors.StreamBroken),
        (b'{"type":"content_block_delta","delta":{"type":"text_delta","text":5}}', errors.StreamBroken),
    ],
)
def test_errors_and_rubbish_in_a_stream_are_typed(data, kind):
    reader = anthropic.StreamReader()
    read_all(START, reader=reader)
    with pytest.raises(errors.TargetError) as caught:
        reader.read("", data)
    assert type(caught.value) is kind


@pytest.mark.parametrize("event", [STOP, delta(0, "text_delta", text="x")])
def test_a_stream_that_never_began_is_broken(event):
    with pytest.raises(errors.StreamBroken):
        read_all(event)


@given(some.binary(max_size=100), some.sampled_from(["", "message_start", "content_block_delta", "message_stop"]))
def test_random_bytes_raise_nothing_but_target_errors(data, event):
    try:
        assert anthropic.StreamReader(full=True).read(event, data) in ((), (Head(dialect="anthropic"),))
    except errors.TargetError as error:
        assert error.message


BLOCKS = some.one_of(
    some.builds(lambda text: {"type": "text", "text": text}, some.text(min_size=1)),
    some.builds(lambda text: {"type": "thinking", "thinking": text}, some.text(min_size=1)),
    some.builds(
        lambda text: {"type": "tool_use", "id": "t", "name": "f", "input": {"x": text} if text else {}}, some.text()
    ),
)


def message(*content, stop="end_turn") -> bytes:
    body = {"type": "message", "id": "m1", "model": "claude", "content": content, "stop_reason": stop, "usage": COUNTS}
    return json.dumps(body).encode()


def stream_of(blocks, reason):
    """The events that a provider would send for an answer of these blocks."""
    yield START
    for index, block in enumerate(blocks):
        match block["type"]:
            case "tool_use":
                yield opened(index, **{**block, "input": {}})
                if block["input"]:
                    yield delta(index, "input_json_delta", partial_json=json.dumps(block["input"]))
            case kind:
                yield opened(index, type=kind)
                field = "text" if kind == "text" else "thinking"
                yield delta(index, f"{field}_delta", **{field: block[field]})
        yield closed(index)
    yield ended(reason, output_tokens=5)
    yield STOP


@given(some.lists(BLOCKS, min_size=1, max_size=5), some.sampled_from(["end_turn", "max_tokens", "tool_use"]))
def test_a_streamed_answer_says_the_same_as_a_whole_one(blocks, reason):
    whole = anthropic.read_answer(message(*blocks, stop=reason), full=True)
    items = read_all(*stream_of(blocks, reason))
    chunks = [item for item in items if isinstance(item, Chunk)]
    calls: dict[int, str] = {}
    for tool in (chunk.tool for chunk in chunks if chunk.tool):
        calls[tool.slot] = calls.get(tool.slot, "") + tool.arguments
    assert "".join(chunk.text for chunk in chunks) == (whole.said[0].text or "")
    assert "".join(chunk.reasoning for chunk in chunks) == (whole.said[0].reasoning or "")
    assert [json.loads(calls[slot]) for slot in sorted(calls)] == [
        json.loads(call.arguments) for call in whole.said[0].tool_calls
    ]
    assert chunks[-1].finish == whole.finish
    assert items[-1] == whole.usage


def test_a_streamed_refusal_says_why_too():
    details = {"type": "refusal", "explanation": "not this"}
    reader = anthropic.StreamReader(full=True)
    start = json.dumps({"type": "message_start", "message": {"id": "m1", "usage": COUNTS}}).encode()
    reader.read("", start)
    end = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}}
    assert reader.read("", json.dumps(end).encode()) == (
        Chunk(refusal="not this", finish="content_filter", words=True),
    )


def test_hidden_reasoning_and_the_sequence_that_ended_it_are_told():
    items = read_all(
        START,
        opened(0, type="redacted_thinking", data="d"),
        closed(0),
        ("message_delta", {"delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}}),
        STOP,
        reader=anthropic.StreamReader(full=True, origin="acme"),
    )
    assert items[1:3] == [
        Chunk(part=Thinking("", "d", "acme", redacted=True), words=True),
        Chunk(finish="stop", stop="END"),
    ]


def test_what_ran_at_the_provider_is_left_out():
    items = read_all(
        START,
        opened(0, type="server_tool_use", id="s", name="web_search", input={}),
        delta(0, "input_json_delta", partial_json="{}"),
        closed(0),
        opened(1, type="web_search_tool_result", content=[]),
        closed(1),
        opened(2, type="text", text=""),
        delta(2, "citations_delta", citation={"title": "t"}),
    )
    assert items == [Head("m1", "claude", "", "anthropic")]


def test_a_paused_turn_goes_on_with_what_it_had():
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    body = {"message": {"id": "m1", "model": "claude", "content": [TEXT, call]}}
    assert read_all(("message_start", body))[1:] == [
        Chunk(text="hi", words=True),
        Chunk(tool=ToolDelta(0, "t", "f", "{}"), words=True),
    ]


# --- passing on ------------------------------------------------------------------------------------------------------


def block_of(kind, body) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **body})}\n\n".encode()


EVENTS = (
    START,
    ("ping", {}),
    *(
        event
        for event in stream_of([{"type": "thinking", "thinking": "hm"}, TEXT], "end_turn")
        if event not in (START, STOP)
    ),
    STOP,
)


def test_every_event_is_what_one_item_says():
    reader = anthropic.StreamReader()
    items = read_all(*EVENTS, reader=reader)
    assert [item.spoken for item in items] == [block_of(kind, body) for kind, body in EVENTS]
    assert isinstance(items[0], Head)
    assert isinstance(items[-1], Usage)
    assert [item.words for item in items[1:-1]].count(True) == 2
    assert [item.finish for item in items[1:-1] if item.finish] == ["stop"]
    assert reader.complete


def test_what_goes_on_is_what_came_and_its_last_event_waits_for_the_end():
    reader, writer = anthropic.StreamReader(), anthropic.StreamWriter()
    written = b"".join(writer.write(item) for item in read_all(*EVENTS, reader=reader))
    assert written == b"".join(block_of(kind, body) for kind, body in EVENTS[:-1])
    assert writer.end() == block_of(*STOP)


def test_data_in_several_lines_goes_on_in_several_lines():
    reader = anthropic.StreamReader()
    (head,) = reader.read("message_start", b'{"type":"message_start",\n"message":{}}')
    assert head.spoken == b'event: message_start\ndata: {"type":"message_start",\ndata: "message":{}}\n\n'


@given(some.integers(0, len(EVENTS) - 1), some.booleans())
def test_a_stream_that_is_cut_is_never_complete(cut, full):
    reader = anthropic.StreamReader(full)
    read_all(*EVENTS[:cut], reader=reader)
    assert not reader.complete


def test_pings_before_the_first_event_and_events_after_the_last_say_nothing():
    reader = anthropic.StreamReader()
    assert reader.read("ping", b'{"type":"ping"}') == ()
    read_all(START, STOP, reader=reader)
    assert reader.read("message_start", json.dumps({"type": "message_start", "message": {}}).encode()) == ()


def test_servers_that_send_nulls_are_understood():
    nulls = dict.fromkeys(("text", "thinking", "signature", "partial_json"))
    items = read_all(
        ("message_start", {"message": {"id": None, "model": None, "content": None, "usage": None}}),
        opened(0, **{**nulls, "type": "text"}),
        delta(0, "text_delta", **{**nulls, "text": "hi"}),
        ended("end_turn"),
        STOP,
    )
    assert items[1:] == [Chunk(text="hi", words=True), Chunk(finish="stop"), Usage()]
