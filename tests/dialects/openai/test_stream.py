"""OpenAI's language: streams, both ways, one event at a time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead import errors
from fairlead.chat import Chunk, Head, Said, ToolCall, ToolDelta, Usage
from fairlead.dialects import openai

DONE = b"[DONE]"


def event(*choices, **fields) -> bytes:
    return json.dumps({"id": "c1", "model": "gpt", "choices": list(choices), **fields}).encode()


def delta(finish=None, index=0, **said):
    return {"index": index, "delta": said, "finish_reason": finish}


ROLE = event(delta(role="assistant", content=""))
HELLO = event(delta(content="Hello"))
STOP = event(delta("stop"))
USAGE = event(usage={"prompt_tokens": 3, "completion_tokens": 2})


def read_all(*events, full=False, **more):
    reader = openai.StreamReader(full, "chat", **more)
    return [item for data in events for item in reader.read("", data)]


@pytest.mark.parametrize("full", [False, True])
def test_what_a_server_sends_empty_is_neither_a_call_nor_the_end(full):
    reader = openai.StreamReader(full)
    idle = event(delta("", content="", function_call={"name": "", "arguments": ""}))
    items = [item for data in (idle, idle) for item in reader.read("", data)]
    assert not any(item.words or item.finish for item in items if isinstance(item, Chunk))
    assert not reader.complete


def test_every_event_is_spoken_exactly_once():
    items = read_all(ROLE, HELLO, STOP, USAGE, DONE)
    assert [type(item) for item in items] == [Head, Chunk, Chunk, Usage]
    assert [item.spoken for item in items] == [ROLE, HELLO, STOP, USAGE]


def test_a_first_event_with_words_gives_them_beside_the_head():
    head, chunk = read_all(HELLO)
    assert head == Head("c1", "gpt", "", "openai", HELLO)
    assert chunk == Chunk(words=True)
    (head, chunk) = read_all(HELLO, full=True)
    assert chunk == Chunk(text="Hello", words=True)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (delta(role="assistant"), False),
        (delta(content=""), False),
        (delta(content=None), False),
        (delta(tool_calls=[]), False),
        (delta("stop"), False),
        (delta(content="x"), True),
        (delta(reasoning_content="x"), True),
        (delta(reasoning="x"), True),
        (delta(refusal="x"), True),
        (delta(tool_calls=[{"index": 0, "id": "t", "function": {"name": "f"}}]), True),
        (delta(function_call={"name": "f", "arguments": ""}), True),
        ({"index": 0, "text": "x"}, True),
        ({"index": 0, "text": ""}, False),
    ],
)
def test_words_are_content_reasoning_refusal_and_tools(full, choice, words):
    (_, chunk, *_) = read_all(ROLE, event(choice), full=full)
    assert chunk.words is words


@pytest.mark.parametrize("full", [False, True])
def test_an_event_without_choices_or_usage_goes_on(full):
    prelude = event(prompt_filter_results=[])
    assert [item.spoken for item in read_all(prelude, full=full)] == [prelude]
    assert read_all(ROLE, prelude, full=full)[1] == Chunk(spoken=prelude)


@pytest.mark.parametrize("full", [False, True])
def test_usage_told_with_every_chunk_comes_once_at_the_end(full):
    running = [event(delta(content="x"), usage={"completion_tokens": count}) for count in (1, 2)]
    items = read_all(ROLE, *running, DONE, full=full)
    assert [item.spoken for item in items] == [ROLE, *running, None]
    assert items[-1] == Usage(output=2)


def test_running_usage_gives_way_to_the_usage_event():
    running = event(delta(content="x"), usage={"completion_tokens": 1})
    items = read_all(ROLE, running, USAGE, DONE)
    assert [item for item in items if isinstance(item, Usage)] == [Usage(3, 2, spoken=USAGE)]


def test_held_usage_comes_at_the_close_where_a_provider_never_says_done():
    reader = openai.StreamReader()
    reader.read("", ROLE)
    reader.read("", event(delta("stop"), usage={"completion_tokens": 2}))
    assert reader.complete
    assert not reader.ended
    assert reader.usage == Usage(output=2)
    assert reader.close() == (Usage(output=2),)
    assert reader.close() == ()


def test_a_stream_is_complete_when_every_choice_has_finished_or_at_done():
    reader = openai.StreamReader(samples=2)
    for data in (ROLE, event(delta("stop", index=1))):
        reader.read("", data)
        assert not reader.complete
    reader.read("", event(delta("length", index=0)))
    assert reader.complete
    reader = openai.StreamReader()
    reader.read("", ROLE)
    reader.read("", DONE)
    assert reader.complete


def test_a_stream_of_nothing_is_broken():
    with pytest.raises(errors.StreamBroken):
        read_all(DONE)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"error": {"message": "busy", "code": 429}}', errors.TargetOverloaded),
        (b'{"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}', errors.TargetRejected),
        (b'{"error": "boom"}', errors.TargetFailed),
        (b'{"choices": [', errors.StreamBroken),
        (b'{"choices": 5}', errors.StreamBroken),
        (b"\xff", errors.StreamBroken),
        (b"", errors.StreamBroken),
    ],
)
def test_errors_and_rubbish_in_a_stream_are_typed(full, data, kind):
    with pytest.raises(errors.TargetError) as caught:
        read_all(ROLE, data, full=full)
    assert type(caught.value) is kind


def test_tool_calls_come_in_pieces():
    opening = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}, {"index": 1, "id": "b"}]
    pieces = event(delta("tool_calls", tool_calls=opening))
    first, second = read_all(ROLE, pieces, full=True)[1:]
    assert (first.tool, first.finish, first.spoken) == (ToolDelta(0, "a", "f"), None, pieces)
    assert (second.tool, second.finish, second.spoken) == (ToolDelta(1, "b"), "tool_calls", None)


def test_tool_calls_without_numbers_are_told_apart_by_their_ids():
    calls = [event(delta(tool_calls=[{"id": name, "function": {"name": name}}])) for name in ("a", "b")]
    more = event(delta(tool_calls=[{"function": {"arguments": "{}"}}]))
    items = read_all(ROLE, *calls, more, full=True)[1:]
    assert [item.tool.slot for item in items] == [0, 1, 1]


# --- writing ---------------------------------------------------------------------------------------------------------


def write_all(items, **more):
    writer = openai.StreamWriter(**more)
    return b"".join(writer.write(item) for item in items) + writer.end()


def events_of(stream: bytes) -> list[bytes]:
    return [part.removeprefix(b"data: ") for part in stream.split(b"\n\n") if part]


def test_a_caller_of_the_same_language_gets_the_events_as_they_came():
    events = [HELLO, event(delta("stop"), usage={"completion_tokens": 1}), DONE]
    assert events_of(write_all(read_all(*events))) == events


def test_the_usage_event_is_hidden_from_who_did_not_ask():
    assert USAGE not in write_all(read_all(ROLE, STOP, USAGE, DONE))
    assert USAGE in write_all(read_all(ROLE, STOP, USAGE, DONE), include_usage=True)


def test_data_of_several_lines_stays_one_event():
    assert openai.StreamWriter().write(Head(dialect="openai", spoken=b'{\n"a":1}')) == b'data: {\ndata: "a":1}\n\n'


def test_items_of_another_language_are_written():
    items = [
        Head("a", "claude", "", "anthropic"),
        Chunk(reasoning="hm", words=True),
        Chunk(text="x", words=True),
        Chunk(tool=ToolDelta(0, "t", "f", "")),
        Chunk(tool=ToolDelta(0, arguments="{}")),
        Chunk(index=1, text="y"),
        Chunk(finish="tool_calls"),
        Usage(input=3, output=2),
    ]
    *written, end = events_of(write_all(items, created=9, include_usage=True))
    bodies = [json.loads(data) for data in written]
    assert {(body["id"], body["model"], body["created"], body["object"]) for body in bodies} == {
        ("a", "claude", 9, "chat.completion.chunk")
    }
    assert [body["choices"][0]["delta"] for body in bodies[:-1]] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "hm"},
        {"content": "x"},
        {"tool_calls": [{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {"role": "assistant", "content": "y"},
        {},
    ]
    assert [body["choices"][0]["finish_reason"] for body in bodies[:-1]] == [None] * 6 + ["tool_calls"]
    assert (bodies[-1]["choices"], bodies[-1]["usage"]["total_tokens"]) == ([], 5)
    assert end == DONE


def test_a_completion_streams_text():
    (data, _) = events_of(write_all([Head("a"), Chunk(text="x")], model="fallback", task="complete"))
    body = json.loads(data)
    assert (body["object"], body["model"]) == ("text_completion", "fallback")
    assert body["choices"] == [{"index": 0, "text": "x", "logprobs": None, "finish_reason": None}]


def gather(items) -> Said:
    chunks = [item for item in items if isinstance(item, Chunk)]
    calls: dict[int, ToolCall] = {}
    for tool in (chunk.tool for chunk in chunks if chunk.tool):
        old = calls.get(tool.slot, ToolCall("", "", ""))
        calls[tool.slot] = ToolCall(tool.id or old.id, tool.name or old.name, old.arguments + tool.arguments)
    return Said(
        text="".join(chunk.text for chunk in chunks),
        reasoning="".join(chunk.reasoning for chunk in chunks),
        refusal="".join(chunk.refusal for chunk in chunks),
        tool_calls=tuple(calls[slot] for slot in sorted(calls)),
        finish=next((chunk.finish for chunk in chunks if chunk.finish), None),
    )


TOOLS = some.builds(ToolDelta, some.integers(0, 2), some.none(), some.none(), some.text())
CHUNKS = some.builds(
    lambda text, reasoning, refusal, tool, finish: Chunk(0, text, reasoning, refusal, tool, finish),
    some.text(),
    some.text(),
    some.text(),
    some.none() | TOOLS,
    some.sampled_from([None, "stop", "length"]),
)


@given(some.lists(CHUNKS, max_size=8), some.builds(Usage, *[some.integers(0, 2**40)] * 5))
def test_what_a_stream_says_survives_writing_and_reading(chunks, usage):
    stream = write_all([Head("a", "m"), *chunks, usage], include_usage=True)
    items = read_all(*events_of(stream), full=True)
    assert gather(items) == gather(chunks)
    assert [item.output for item in items if isinstance(item, Usage)] == [usage.output]
    assert events_of(write_all(items, include_usage=True)) == events_of(stream)


@given(some.lists(CHUNKS, max_size=8))
def test_a_quick_reading_sees_the_same_words_and_events_as_a_full_one(chunks):
    events = events_of(write_all([Head("a", "m"), *chunks]))
    slim, full = read_all(*events), read_all(*events, full=True)
    assert [item.spoken for item in slim] == [item.spoken for item in full] == events[:-1]
    assert [item.words for item in slim[1:]] == [item.words for item in full[1:]]


@given(some.binary(max_size=100), some.booleans())
def test_random_bytes_raise_nothing_but_target_errors(data, full):
    try:
        assert read_all(data, full=full)[0] == Head("", "", "", "openai", data)
    except errors.TargetError as error:
        assert error.message
