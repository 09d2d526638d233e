"""Anthropic's language: answers and streams of the Messages API."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead import errors
from fairlead.chat import Chunk, Head, Said, ToolCall, ToolDelta, Usage
from fairlead.dialects import anthropic, openai

COUNTS = {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 11}
TEXT = {"type": "text", "text": "hi"}


def message(*content, stop="end_turn", **fields) -> bytes:
    body = {"type": "message", "id": "m1", "model": "claude", "content": content, "stop_reason": stop, "usage": COUNTS}
    return json.dumps({**body, **fields}).encode()


def test_an_answer_is_read():
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    body = message(thinking, TEXT, {"type": "server_tool_use", "name": "x"}, call, stop="tool_use")
    answer = anthropic.read_answer(body)
    assert (answer.id, answer.model, answer.dialect, answer.finish) == ("m1", "claude", "anthropic", "tool_calls")
    assert answer.spoken is body
    assert answer.said == (
        Said(text="hi", reasoning="hm", tool_calls=(ToolCall("t", "f", '{"a": 1}'),), finish="tool_calls"),
    )
    assert anthropic.read_answer(body, full=False).said == ()


def test_the_input_counts_cached_tokens_too():
    usage = anthropic.read_answer(
        message(TEXT, usage={**COUNTS, "output_tokens_details": {"thinking_tokens": 2}})
    ).usage
    assert usage == Usage(input=21, output=5, cache_read=7, cache_write=11, reasoning=2)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("a reason of tomorrow", None),
        (None, None),
    ],
)
def test_reasons_to_stop_become_a_finish_or_none(reason, finish):
    answer = anthropic.read_answer(message(TEXT, stop=reason))
    assert answer.said[0].finish == finish
    assert answer.finish == (finish or reason)


def test_a_refusal_says_why():
    body = message(stop="refusal", stop_details={"type": "refusal", "explanation": "no"})
    assert anthropic.read_answer(body).said == (Said(refusal="no", finish="content_filter"),)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"type":"message"}', b'{"choices":[]}', b'{"id":"\xff"}']
)
def test_what_is_no_answer_is_unclear(body):
    with pytest.raises(errors.TargetUnclear):
        anthropic.read_answer(body)


def test_an_error_in_an_answers_clothes_is_an_error():
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    with pytest.raises(errors.TargetOverloaded):
        anthropic.read_answer(body)
    assert anthropic.read_error(529, body) == ("Overloaded", "overloaded_error")


# --- streams ---------------------------------------------------------------------------------------------------------

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
    reader = reader or anthropic.StreamReader()
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
    reader = anthropic.StreamReader()
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
    with pytest.raises(errors.TargetError):
        anthropic.read_answer(data)
    try:
        assert anthropic.StreamReader().read(event, data) in ((), (Head(dialect="anthropic"),))
    except errors.TargetError as error:
        assert error.message


BLOCKS = some.one_of(
    some.builds(lambda text: {"type": "text", "text": text}, some.text(min_size=1)),
    some.builds(lambda text: {"type": "thinking", "thinking": text}, some.text(min_size=1)),
    some.builds(
        lambda text: {"type": "tool_use", "id": "t", "name": "f", "input": {"x": text} if text else {}}, some.text()
    ),
)


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
    whole = anthropic.read_answer(message(*blocks, stop=reason))
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
    reader = anthropic.StreamReader()
    start = json.dumps({"type": "message_start", "message": {"id": "m1", "usage": COUNTS}}).encode()
    reader.read("", start)
    end = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}}
    assert reader.read("", json.dumps(end).encode()) == (
        Chunk(refusal="not this", finish="content_filter", words=True),
    )


def test_a_caller_who_speaks_openai_understands_the_stream():
    items = read_all(*stream_of([TEXT, {"type": "tool_use", "id": "t", "name": "f", "input": {}}], "tool_use"))
    writer = openai.StreamWriter(include_usage=True)
    written = b"".join(writer.write(item) for item in items) + writer.end()
    reader = openai.StreamReader(full=True)
    events = [part.removeprefix(b"data: ") for part in written.split(b"\n\n") if part]
    heard = [item for data in events for item in reader.read("", data)]
    assert "".join(item.text for item in heard if isinstance(item, Chunk)) == "hi"
    assert "".join(item.tool.arguments for item in heard if isinstance(item, Chunk) and item.tool) == "{}"
    assert reader.complete
    assert [item.input for item in heard if isinstance(item, Usage)] == [21]
