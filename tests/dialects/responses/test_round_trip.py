"""OpenAI's Responses: what is written is read again the same: requests, answers and streams, whoever they come from."""

import json
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec import UNSET, Raw
from msgspec.structs import replace

from fairlead.chat import (
    Answer,
    Chat,
    Chunk,
    Head,
    Item,
    Media,
    Message,
    Part,
    Said,
    Shape,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolDelta,
    Usage,
)
from fairlead.dialects import responses
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.wire.sse import Events

SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
PIXEL = "iVBORw0KGgo="

words = some.text(min_size=1, max_size=9)
marks = some.sampled_from([None, "5m", "1h"])
names = some.from_regex(r"[a-z_]{1,9}", fullmatch=True)
signatures = some.from_regex(r"[A-Za-z0-9+/]{4,12}={0,2}", fullmatch=True)
images = some.builds(
    Media,
    kind=some.just("image"),
    media_type=some.just("image/png"),
    data=some.just(PIXEL),
    detail=some.sampled_from([None, "low", "auto"]),
    cache=marks,
)
papers = some.builds(
    Media, kind=some.just("document"), media_type=some.just("application/pdf"), data=some.just(PIXEL), name=words
)
sounds = some.just(Media(kind="audio", media_type="audio/wav", data="UklGRg=="))
own_thoughts = some.one_of(
    some.builds(Thinking, words, signatures, some.just("responses"), id=some.none() | names),
    some.builds(Thinking, some.just(""), signatures, some.just("responses"), some.just(True), id=some.none() | names),
)
foreign_thoughts = some.one_of(
    some.builds(Thinking, words, signatures, some.sampled_from(["anthropic", "gemini"]), id=some.none() | names),
    some.builds(Thinking, some.just(""), signatures, some.just("anthropic"), some.just(True)),
    some.builds(Thinking, some.just(""), signatures, some.just("gemini")),
    some.builds(Thinking, words),
)


@some.composite
def turns(draw) -> tuple[Message, ...]:
    """One user's message, what the assistant made of it, and the results of its calls."""
    parts = draw(some.lists(some.builds(Text, words, marks) | images | papers | sounds, max_size=3))
    asked = Message("user", (Text(draw(words)), *parts))
    said: list[Part] = draw(some.lists(some.builds(Text, words) | own_thoughts, max_size=4))
    calls = [ToolCall(f"call_{n}", draw(names), draw(words)) for n in range(draw(some.integers(0, 2)))]
    results = [
        Message("tool", (Text(draw(words)), *draw(some.lists(images, max_size=1))), tool_call_id=call.id)
        for call in calls
    ]
    results = [replace(result, parts=_unmarked_end(result.parts), cache=draw(marks)) for result in results]
    return (asked, Message("assistant", (*said, Text("So."), *calls)), *results)


def _unmarked_end(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The mark at the end of a result is the result's."""
    return (*parts[:-1], replace(parts[-1], cache=None))  # type: ignore[type-var]


@some.composite
def chats(draw) -> Chat:
    said = draw(some.lists(turns(), min_size=1, max_size=3))
    system = [Message("system", (Text(draw(words)),)) for _ in range(draw(some.integers(0, 2)))]
    tools = draw(some.lists(some.builds(Tool, names, words, some.just(SCHEMA), some.booleans()), max_size=2))
    shape = some.builds(Shape, some.just("schema"), names, some.just(SCHEMA), some.none() | some.booleans())
    fractions = some.none() | some.floats(0, 1)
    return Chat(
        messages=(*system, *(message for turn in said for message in turn)),
        max_output_tokens=64,
        temperature=draw(fractions),
        top_p=draw(fractions),
        logprobs=draw(some.none() | some.integers(0, 5)),
        tools=tuple(tools),
        tool_choice=draw(some.none() | some.builds(ToolChoice, some.sampled_from(["auto", "none", "required"]))),
        parallel_tool_calls=draw(some.none() | some.booleans()),
        shape=draw(some.none() | shape | some.just(Shape("json"))),
        effort=draw(some.sampled_from([None, "none", "low", "high"])),
        shows_thinking=draw(some.sampled_from([None, True, False])),
        user=draw(some.none() | words),
        others={"tools[0]": Raw(b'{"type":"web_search"}'), "text.verbosity": Raw(b'"low"'), "store": Raw(b"false")},
        dialect="responses",
    )


@settings(deadline=None)
@given(chats())
def test_a_request_that_is_written_is_read_again_the_same(chat):
    losses = Losses("x")
    body = responses.write_request(
        chat, model="m", max_output_tokens=64, stream=False, params={}, quirks={}, losses=losses
    )
    again = responses.read_chat(read_fields(body))
    assert plain(again.others) == plain(chat.others)
    assert replace(again, others={}) == replace(chat, others={})
    assert losses.told == ()


def plain(others) -> dict[str, object]:
    return {path: json.loads(bytes(raw)) for path, raw in others.items()}


# --- answers ---------------------------------------------------------------------------------------------------------


@some.composite
def answers(draw) -> Answer:
    """What models of any provider say; texts in a row would be one."""
    said = draw(some.lists(own_thoughts | foreign_thoughts | some.builds(Text, words), max_size=5))
    parts: list[Part] = []
    for part in said:
        if not (parts and _is_one(parts[-1], part)):
            parts.append(part)
    signed = draw(some.sampled_from([(None, ""), ("c2ln", "gemini")]))
    calls = [ToolCall(f"call_{n}", draw(names), draw(words), *signed) for n in range(draw(some.integers(0, 2)))]
    finish = draw(some.sampled_from(["length", "content_filter", "tool_calls" if calls else "stop"]))
    spent = draw(some.lists(some.integers(0, 99), min_size=5, max_size=5))
    told = Said((*parts, *calls), finish, draw(some.none() | words))
    return Answer(id=draw(names), model="m", said=(told,), finish=finish, usage=Usage(*spent[:5]))


def _is_one(before: Part, part: Part) -> bool:
    """Whether a stream would tell both as one. A signature without text signs what is before it."""
    if isinstance(before, Text) and isinstance(part, Text):
        return True
    if isinstance(before, Thinking) and isinstance(part, Thinking):
        return not before.signature or not (part.text or part.redacted)
    return False


@settings(deadline=None)
@given(answers())
def test_an_answer_that_is_told_is_heard_again_the_same(answer):
    body = responses.write_answer(answer, created=1)
    again = responses.read_answer(body, full=True)
    assert again.said == answer.said
    assert (again.usage, again.finish, again.model) == (answer.usage, answer.finish, answer.model)


@settings(deadline=None)
@given(answers())
def test_a_stream_tells_the_same_as_a_whole_answer(answer):
    writer = responses.StreamWriter(model="m", created=1)
    told = b"".join(writer.write(item) for item in streamed(answer)) + writer.end()
    reader = responses.StreamReader(full=True)
    heard = [item for event, data in Events().feed(told) for item in reader.read(event, data)]
    assert reader.complete
    assert reader.usage == answer.usage
    assert gathered(heard) == answer.said[0]
    whole = responses.read_answer(writer.response() or b"", full=True)
    assert whole.said == answer.said


def streamed(answer: Answer) -> Iterable[Item]:
    yield Head(answer.id, answer.model)
    said = answer.said[0]
    slot = 0
    for part in said.parts:
        match part:
            case Text(text=text):
                yield from (Chunk(text=letter, words=True) for letter in text)
            case Thinking(redacted=True) | Thinking(text=""):
                yield Chunk(part=part)
            case Thinking(text=text):
                yield from (Chunk(reasoning=letter, words=True) for letter in text)
                if part.signature is not None:
                    yield Chunk(part=replace(part, text=""))
            case ToolCall():
                yield Chunk(tool=ToolDelta(slot, part.id, part.name, "", part.signature, part.origin), words=True)
                yield from (Chunk(tool=ToolDelta(slot, arguments=letter), words=True) for letter in part.arguments)
                slot += 1
    if said.refusal:
        yield Chunk(refusal=said.refusal, words=True)
    yield Chunk(finish=said.finish)
    if answer.usage is not None:
        yield answer.usage


def gathered(items: Iterable[Item]) -> Said:
    parts: list[Part] = []
    refusal = ""
    finish = None
    for item in items:
        if not isinstance(item, Chunk):
            continue
        assert item.logprobs is UNSET
        if item.text:
            _add(parts, Text(item.text))
        if item.reasoning:
            _add(parts, Thinking(item.reasoning))
        if item.part is not None:
            _add(parts, item.part)
        if item.tool is not None:
            _add(parts, item.tool)
        refusal += item.refusal
        finish = item.finish or finish
    return Said(tuple(parts), finish, refusal or None)


def _add(parts: list[Part], new: Part | ToolDelta) -> None:
    last = parts[-1] if parts else None
    match last, new:
        case Text(), Text():
            parts[-1] = Text(last.text + new.text)
        case Thinking(signature=None), Thinking(redacted=False):
            parts[-1] = replace(new, text=last.text + new.text)
        case ToolCall(), ToolDelta(id=None):
            parts[-1] = replace(last, arguments=last.arguments + new.arguments)
        case _, ToolDelta():
            parts.append(ToolCall(new.id or "", new.name or "", new.arguments, new.signature, new.origin))
        case _:
            parts.append(new)  # type: ignore[arg-type]
