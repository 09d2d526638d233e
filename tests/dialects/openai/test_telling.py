"""OpenAI's language: the items of a stream become events, and read back the same."""

import json

from hypothesis import given
from hypothesis import strategies as some

from fairlead.chat import Answer, Chunk, Head, Media, Part, Said, Text, Thinking, ToolCall, ToolDelta, Usage
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


def read_all(*events, full=False):
    reader = openai.StreamReader(full)
    return [item for data in events for item in reader.read("", data)]


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


def deltas(*chunks) -> list[dict]:
    *written, _ = events_of(write_all([Head("a"), *chunks]))
    return [json.loads(data)["choices"][0] for data in written[1:]]


def test_a_signature_goes_out_with_all_that_it_signs():
    first, second, signed, text = deltas(
        Chunk(reasoning="h", words=True),
        Chunk(reasoning="m", words=True),
        Chunk(part=Thinking("", "c2ln", "anthropic"), words=True),
        Chunk(text="x", words=True),
    )
    assert [first["delta"], second["delta"]] == [{"reasoning_content": "h"}, {"reasoning_content": "m"}]
    detail = {"type": "reasoning.text", "text": "hm", "signature": "~fairlead:anthropic:c2ln"}
    assert signed["delta"] == {"reasoning_details": [{**detail, "format": "anthropic-claude-v1", "index": 0}]}
    assert text["delta"] == {"content": "x"}


def test_a_signed_call_is_signed_and_a_matched_stop_is_told():
    call, end = deltas(
        Chunk(tool=ToolDelta(0, "t", "f", "{}", "c2ln", "gemini"), words=True), Chunk(finish="stop", stop="END")
    )
    assert call["delta"]["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "~fairlead:gemini:c2ln"}}
    assert (end["finish_reason"], end["stop_reason"]) == ("stop", "END")


def test_an_error_comes_without_an_end():
    assert openai.StreamWriter().fail(b'{"error":{}}') == b'data: {"error":{}}\n\n'


# --- there and back --------------------------------------------------------------------------------------------------


def gather(items) -> Said:
    """What the chunks of one choice say together: what follows each other is one, a signature closes what it signs."""
    parts: list[Part] = []
    calls: dict[int, int] = {}
    refusal, finish, stop = "", None, None
    for chunk in (item for item in items if isinstance(item, Chunk)):
        for kind, text in ((Thinking, chunk.reasoning), (Text, chunk.text)):
            if text:
                grow(parts, kind, text)
        if chunk.part is not None:
            close(parts, chunk.part)
        if chunk.tool is not None:
            call(parts, calls, chunk.tool)
        refusal, finish, stop = refusal + chunk.refusal, chunk.finish or finish, chunk.stop or stop
    return Said(tuple(parts), finish, refusal or None, stop)


def grow(parts, kind, text):
    last = parts[-1] if parts else None
    if isinstance(last, kind) and not (isinstance(last, Thinking) and last.signature):
        parts[-1] = kind(last.text + text)
    else:
        parts.append(kind(text))


def close(parts, part):
    last = parts[-1] if parts else None
    if isinstance(part, Thinking) and not part.redacted and isinstance(last, Thinking) and not last.signature:
        parts[-1] = Thinking(last.text, part.signature, part.origin, False, part.id)
    else:
        parts.append(part)


def call(parts, calls, tool):
    place = calls.setdefault(tool.slot, len(parts))
    if place == len(parts):
        parts.append(ToolCall("", "", ""))
    old = parts[place]
    parts[place] = ToolCall(
        tool.id or old.id,
        tool.name or old.name,
        old.arguments + tool.arguments,
        tool.signature or old.signature,
        tool.origin or old.origin,
    )


WORDS = some.text(min_size=1, max_size=12)
ORIGINS = some.sampled_from(["anthropic", "gemini", "openai"])


@some.composite
def streams(draw):
    """Chunks in an order in which a model may say them: reasoning, text, calls, with signatures in between."""
    chunks = [Chunk(reasoning=piece, words=True) for piece in draw(some.lists(WORDS, max_size=3))]
    if draw(some.booleans()):
        chunks.append(Chunk(part=Thinking("", draw(WORDS), draw(ORIGINS), draw(some.booleans())), words=True))
        chunks += [Chunk(reasoning=piece, words=True) for piece in draw(some.lists(WORDS, max_size=1))]
        chunks += [Chunk(part=Thinking("", draw(WORDS), draw(ORIGINS)), words=True)] * (chunks[-1].part is None)
    chunks += [Chunk(text=piece, words=True) for piece in draw(some.lists(WORDS, max_size=3))]
    if draw(some.booleans()):
        chunks.append(Chunk(part=Thinking("", draw(WORDS), draw(ORIGINS)), words=True))
    if draw(some.booleans()):
        chunks.append(Chunk(part=Media(kind="image", media_type="image/png", data="AAAA"), words=True))
    for slot, id in enumerate(draw(some.lists(WORDS, unique=True, max_size=2))):
        signature = draw(some.sampled_from([(None, ""), ("c2ln", "gemini"), ("c2ln", "openai")]))
        chunks.append(Chunk(tool=ToolDelta(slot, id, draw(WORDS), "", *signature), words=True))
        chunks += [
            Chunk(tool=ToolDelta(slot, arguments=piece), words=True) for piece in draw(some.lists(WORDS, max_size=2))
        ]
    chunks += [Chunk(refusal=piece, words=True) for piece in draw(some.lists(WORDS, max_size=1))]
    finish = draw(some.sampled_from([None, "stop", "tool_calls"]))
    return [*chunks, *([Chunk(finish=finish, stop=draw(some.none() | WORDS))] if finish else [])]


@given(streams(), some.builds(Usage, *[some.integers(0, 2**40)] * 5))
def test_what_a_stream_says_survives_writing_and_reading(chunks, usage):
    stream = write_all([Head("a", "m"), *chunks, usage], include_usage=True)
    items = read_all(*events_of(stream), full=True)
    assert gather(items) == gather(chunks)
    assert [item.output for item in items if isinstance(item, Usage)] == [usage.output]
    assert events_of(write_all(items, include_usage=True)) == events_of(stream)


@given(streams())
def test_a_stream_says_what_a_whole_answer_says(chunks):
    """A client that gathers the deltas gives back what a client of the whole answer does."""
    gathered: dict = {}
    for choice in deltas(*chunks):
        for name, value in choice["delta"].items():
            if name != "tool_calls":
                gathered[name] = gathered[name] + value if name in gathered else value
    whole = json.loads(openai.write_answer(Answer(said=(gather(chunks),)), created=0))["choices"][0]["message"]
    signed = [detail for detail in whole.get("reasoning_details", []) if detail.get("signature") or detail.get("data")]
    assert gathered.get("reasoning_details", []) == signed
    assert gathered.get("reasoning_content") == whole.get("reasoning_content")
    assert gathered.get("content") == whole["content"]


@given(streams())
def test_a_quick_reading_sees_the_same_words_and_events_as_a_full_one(chunks):
    events = events_of(write_all([Head("a", "m"), *chunks]))
    slim, full = read_all(*events), read_all(*events, full=True)
    assert [item.spoken for item in slim] == [item.spoken for item in full] == events[:-1]
    assert [item.words for item in slim[1:]] == [item.words for item in full[1:]]
