"""OpenAI's language: streams are read one event at a time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead import errors
from fairlead.chat import Chunk, Head, Media, Thinking, ToolDelta, Usage
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
        (delta(reasoning_details=[{"type": "reasoning.text", "text": "x", "index": 0}]), True),
        (delta(reasoning_details=[]), False),
        (delta(images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]), True),
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


def test_reasoning_is_signed_in_its_place():
    told = event(delta(reasoning="hm", reasoning_details=[{"type": "reasoning.text", "text": "hm", "index": 0}]))
    form = {"format": "anthropic-claude-v1", "index": 0}
    signed = event(delta(reasoning_details=[{"type": "reasoning.text", "signature": "c2ln", **form}], content="x"))
    _, reasoning, signature, text = read_all(ROLE, told, signed, full=True)
    assert (reasoning.reasoning, text.text) == ("hm", "x")
    assert signature.part == Thinking("", "anthropic-claude-v1:c2ln", "openai")
    assert (signature.spoken, text.spoken) == (signed, None)


def test_encrypted_reasoning_is_redacted_unless_its_summary_was_told():
    encrypted = event(delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "c2ln", "id": "r", "index": 0}]))
    summary = event(delta(reasoning_details=[{"type": "reasoning.summary", "summary": "hm", "index": 0}]))
    assert read_all(ROLE, encrypted, full=True)[1].part == Thinking("", "c2ln", "openai", True, "r")
    _, told, closed = read_all(ROLE, summary, encrypted, full=True, origin="elsewhere")
    assert (told.reasoning, closed.part) == ("hm", Thinking("", "+summary:c2ln", "elsewhere", False, "r"))


def test_a_signed_call_is_signed():
    call = {"index": 0, "id": "t", "function": {"name": "f"}, "extra_content": {"google": {"thought_signature": "s"}}}
    _, chunk = read_all(ROLE, event(delta(tool_calls=[call])), full=True)
    assert chunk.tool == ToolDelta(0, "t", "f", "", "s", "openai")
    signed = event(delta(content="x", extra_content={"google": {"thought_signature": "s"}}))
    _, text, signature = read_all(ROLE, signed, full=True)
    assert (text.text, signature.part) == ("x", Thinking("", "s", "openai"))


def test_images_come_whole():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    _, chunk = read_all(ROLE, event(delta(images=[image])), full=True)
    assert chunk.part == Media(kind="image", media_type="image/png", data="AAAA")


def test_the_matched_stop_sequence_comes_with_the_finish():
    _, chunk = read_all(
        ROLE, event({"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}), full=True
    )
    assert (chunk.finish, chunk.stop) == ("stop", "END")


def test_a_content_of_parts_is_text_and_thinking():
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "x"}]
    _, chunk = read_all(ROLE, event(delta(content=content)), full=True)
    assert (chunk.reasoning, chunk.text) == ("hm", "x")


@pytest.mark.parametrize("full", [False, True])
def test_usage_is_found_where_some_servers_put_it(full):
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    for ending in (event(delta("stop"), x_groq={"usage": usage}), event({**delta("stop"), "usage": usage})):
        items = read_all(ROLE, ending, DONE, full=full)
        assert [item for item in items if isinstance(item, Usage)] == [Usage(3, 2)]


@pytest.mark.parametrize("full", [False, True])
def test_an_error_in_place_of_a_choice_is_an_error(full):
    with pytest.raises(errors.TargetFailed):
        read_all(ROLE, event({**delta("error"), "error": {"code": 502, "message": "down"}}), full=full)


def test_tool_calls_without_numbers_are_told_apart_by_their_ids():
    calls = [event(delta(tool_calls=[{"id": name, "function": {"name": name}}])) for name in ("a", "b")]
    more = event(delta(tool_calls=[{"function": {"arguments": "{}"}}]))
    items = read_all(ROLE, *calls, more, full=True)[1:]
    assert [item.tool.slot for item in items] == [0, 1, 1]


@given(some.binary(max_size=100), some.booleans())
def test_random_bytes_raise_nothing_but_target_errors(data, full):
    try:
        assert read_all(data, full=full)[0] == Head("", "", "", "openai", data)
    except errors.TargetError as error:
        assert error.message
