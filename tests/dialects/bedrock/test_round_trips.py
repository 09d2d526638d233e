"""What both the house and Bedrock can say is the same after it was written and read: requests, answers, streams."""

import base64

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import (
    Answer,
    Chat,
    Chunk,
    Head,
    Item,
    Media,
    Message,
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
from fairlead.dialects import bedrock
from fairlead.dialects.bedrock.formats import MEDIA_TYPES
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.wire.eventstream import Frames

LIMIT = 8000
marks = some.sampled_from([None, None, "5m", "1h"])
plain = some.text(some.characters(codec="utf-8"), min_size=1, max_size=20)
texts = some.builds(Text, plain.map(str.rstrip).filter(bool), marks)  # an answer to be continued ends on a word
data = some.binary(min_size=1, max_size=12).map(lambda raw: base64.b64encode(raw).decode())
names = some.text("abc-()[] 9", min_size=1, max_size=12).map(lambda name: " ".join(name.split())).filter(bool)
words = some.text("abcXYZ_-9", min_size=1, max_size=12)
schemas = some.sampled_from(
    [Raw(b'{"type": "object"}'), Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')]
)


def media(*kinds: str, **rest: object) -> some.SearchStrategy[Media]:
    """Formats of which several are one type are read as one."""
    types = [(kind, media_type) for kind in kinds for media_type in set(MEDIA_TYPES[kind].values())]  # type: ignore[index]
    return some.builds(
        lambda typed, held, cache, name: Media(
            kind=typed[0], media_type=typed[1], cache=cache, name=name if typed[0] == "document" else None, **held
        ),
        some.sampled_from(sorted(types)),
        data.map(lambda held: {"data": held}) | words.map(lambda key: {"url": f"s3://bucket/{key}"}),
        marks,
        some.none() | names,
    )


def named_apart(messages: list[Message]) -> bool:
    given_names = [part.name for message in messages for part in message.parts if isinstance(part, Media) and part.name]
    return len(set(given_names)) == len(given_names)


arguments = some.dictionaries(words, some.integers() | plain | some.none(), max_size=3).map(
    lambda said: msgspec.json.encode(said).decode()
)
thoughts = (
    some.builds(lambda text, signature: Thinking(text, signature, "bedrock"), plain, data)
    | some.builds(lambda signature: Thinking("", signature, "bedrock", redacted=True), data)
)  # fmt: skip


@some.composite
def turns(draw) -> list[Message]:
    """A user's turn, an assistant's, and the results of its calls, as often as you like."""
    messages: list[Message] = []
    if system := draw(some.lists(texts, max_size=2)):
        messages.append(Message("system", tuple(system)))
    for turn in range(draw(some.integers(1, 3))):
        asked = draw(some.lists(texts | media("image", "audio", "video", "document"), min_size=1, max_size=3))
        messages.append(Message("user", (*asked, Text("?"))))
        ids = [f"t{turn}.{n}:x" for n in range(draw(some.integers(0, 2)))]
        said: list = draw(some.lists(texts | thoughts, max_size=2))
        said += [ToolCall(id, draw(words), draw(arguments), cache=draw(marks)) for id in ids]
        if not said:
            continue
        messages.append(Message("assistant", tuple(said)))
        for id in ids:
            results = texts.map(unmarked) | media("image", "video", "document").map(unmarked)
            given_back = draw(some.lists(results, min_size=1, max_size=2))
            messages.append(Message("tool", tuple(given_back), id, draw(some.booleans()), cache=draw(marks)))
    return messages


def unmarked(part):
    return replace(part, cache=None)


def merged(messages: list[Message]) -> tuple[Message, ...]:
    """As they are read: turns of one side in a row are one."""
    said: list[Message] = []
    for message in messages:
        if said and message.role == "user" and said[-1].role == "user":
            said[-1] = replace(said[-1], parts=said[-1].parts + message.parts)
        else:
            said.append(message)
    return tuple(said)


tools = some.lists(
    some.builds(Tool, words, some.none() | plain, some.none() | schemas, some.none() | some.booleans(), marks),
    min_size=1,
    max_size=3,
    unique_by=lambda tool: tool.name,
)
choices = some.sampled_from(
    [None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("named", "f"), ToolChoice("none")]
)
thinking = some.sampled_from([
    {},
    {"effort": "none"},
    {"effort": "low"},
    {"effort": "xhigh", "shows_thinking": False},
    {"thinking_tokens": 2000},
    {"thinking_tokens": 1024, "shows_thinking": True},
])  # fmt: skip
sampling = some.sampled_from([{}, {"temperature": 1.0}, {"top_p": 0.95}])
shapes = some.none() | some.builds(
    Shape, some.just("schema"), some.none() | words, schemas, some.none(), some.none() | plain
)
others = some.sampled_from([
    {},
    {"guardrailConfig": Raw(b'{"guardrailIdentifier":"g"}')},
    {"additionalModelRequestFields.anthropic_beta": Raw(b'["b"]'), "requestMetadata": Raw(b'{"a":"b"}')},
])  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    turns().filter(named_apart),
    tools,
    choices,
    some.sampled_from([None, False]),
    thinking,
    sampling,
    shapes,
    others,
    some.lists(plain, max_size=2),
)
def test_a_request_is_the_same_afterwards(messages, offered, choice, parallel, wish, sampled, shape, beside, stop):
    forced = choice is not None and choice.mode in ("required", "named")
    chat = Chat(
        messages=merged(messages),
        max_output_tokens=LIMIT,
        stop=tuple(stop),
        tools=tuple(offered),
        tool_choice=None if choice == ToolChoice("auto") and parallel is False else choice,
        parallel_tool_calls=None if choice == ToolChoice("none") else parallel,
        shape=shape,
        others=beside,
        dialect="bedrock",
        **({} if forced else wish),
        **({} if wish else sampled),
    )
    losses = Losses("Bedrock")
    body = bedrock.write_request(
        chat,
        model="anthropic.claude-of-tomorrow",
        max_output_tokens=LIMIT,
        stream=False,
        params={},
        quirks={},
        losses=losses,
    )
    assert bedrock.read_chat(read_fields(body)) == chat
    assert losses.told == ()


foreign = some.builds(
    lambda text, signature, origin, id, hidden: Thinking("" if hidden else text, signature, origin, hidden, id),
    some.text(max_size=5),
    data,
    some.sampled_from(["anthropic", "gemini", "responses"]),
    some.none() | words,
    some.booleans(),
)
calls = some.builds(
    lambda id, name, said, signature: ToolCall(id, name, said, signature, "gemini" if signature else ""),
    words, words, arguments, some.none() | data,
)  # fmt: skip
usages = some.builds(
    lambda fresh, read, written, output, hour: Usage(
        fresh + read + written, output, read, written,
        details={"cache_write_1h_tokens": min(hour, written)} if min(hour, written) else {},
    ),
    *[some.integers(0, 10**6)] * 5,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    some.lists(
        texts.map(unmarked) | thoughts | foreign | calls, max_size=4, unique_by=lambda part: getattr(part, "id", part)
    ),
    some.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    usages,
    some.none() | plain,
)
def test_an_answer_is_the_same_afterwards(parts, finish, usage, stop):
    said = Said(tuple(parts), finish, stop=stop if finish == "stop" else None)
    body = bedrock.write_answer(Answer(said=(said,), usage=usage), created=0)
    read = bedrock.read_answer(body, full=True)
    assert (read.said, read.usage, read.finish) == ((said,), usage, finish)


@some.composite
def streams(draw) -> list[Item]:
    items: list[Item] = [Head()]
    for slot in range(draw(some.integers(0, 3))):
        kind = draw(some.sampled_from(["text", "reasoning", "tool"]))
        pieces = draw(some.lists(plain, min_size=1, max_size=3))
        if kind == "tool":
            items.append(Chunk(tool=ToolDelta(slot, f"t{slot}", draw(words)), words=True))
            items += [Chunk(tool=ToolDelta(slot, arguments=piece), words=True) for piece in pieces]
        else:
            items += [Chunk(**{kind: piece}, words=True) for piece in pieces]
            if kind == "reasoning":
                items.append(Chunk(part=Thinking("", draw(data), "bedrock")))
    return [*items, Chunk(finish=draw(some.sampled_from(["stop", "length"]))), draw(usages)]


def gathered(items: list[Item]) -> object:
    chunks = [item for item in items if isinstance(item, Chunk)]
    slots = list(dict.fromkeys(chunk.tool.slot for chunk in chunks if chunk.tool))
    deltas = [chunk.tool for chunk in chunks if chunk.tool]
    return (
        "".join(chunk.text for chunk in chunks),
        "".join(chunk.reasoning for chunk in chunks),
        [chunk.part for chunk in chunks if chunk.part],
        [[getattr(delta, name) for delta in deltas if delta.slot == slot and getattr(delta, name)] for slot in slots
         for name in ("id", "name", "arguments")],
        [chunk.finish for chunk in chunks if chunk.finish],
        [replace(item, spoken=None) for item in items if isinstance(item, Usage)],
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(streams())
def test_a_stream_is_the_same_afterwards_and_never_whole_before_its_end(items):
    writer, reader = bedrock.StreamWriter(), bedrock.StreamReader(full=True)
    raw = b"".join(writer.write(item) for item in items) + writer.end()
    found: list[Item] = []
    for name, payload in Frames().feed(raw):
        assert reader.complete == (name == "metadata")
        found += reader.read(name, payload)
    assert gathered(found) == gathered(items)
    assert (reader.complete, reader.ended, sum(isinstance(item, Head) for item in found)) == (True, True, 1)
    passing = bedrock.StreamWriter()
    assert b"".join(passing.write(item) for item in found) + passing.end() == raw
