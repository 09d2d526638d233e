"""Anthropic's language: what is written is read again as the same conversation."""

import json

from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import anthropic
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields

PLAIN = Media(kind="document", media_type="text/plain", data="w6Q=")
MARKS = some.none() | some.sampled_from(["5m", "1h"])
WORDS = some.text(min_size=1, max_size=9).filter(lambda text: text == text.strip() != "")
TEXTS = some.builds(Text, WORDS, MARKS)
MEDIA = some.one_of(
    some.builds(lambda cache: Media(kind="image", media_type="image/png", data="AAAA", cache=cache), MARKS),
    some.just(Media(kind="image", url="https://example.org/i.png")),
    some.just(Media(kind="image", file="file_1", origin="anthropic")),
    some.builds(
        lambda name: Media(kind="document", media_type="text/plain", data="w6Q=", name=name), some.none() | WORDS
    ),
    some.builds(lambda cache: Media(kind="document", media_type="application/pdf", data="AAAA", cache=cache), MARKS),
    some.just(Media(kind="document", url="https://example.org/d.pdf", name="d")),
)
OPAQUE = some.sampled_from(
    [
        Opaque("container_upload", Raw(b'{"type": "container_upload", "file_id": "f"}'), "anthropic"),
        Opaque("search_result", Raw(b'{"type":"search_result","source":"s"}'), "anthropic"),
    ]
)
THOUGHTS = some.builds(lambda text: Thinking(text, "sig", "anthropic"), some.text(max_size=9)) | some.just(
    Thinking("", "data", "anthropic", redacted=True)
)
ARGUMENTS = some.dictionaries(some.text(max_size=4), some.integers() | some.text(max_size=4), max_size=2).map(
    json.dumps
)
SIDE = some.lists(TEXTS | MEDIA | OPAQUE, min_size=1, max_size=3).map(tuple)


@some.composite
def exchanges(draw):
    """What a user says, and an assistant, with the results of the tools that it called."""
    turn = draw(some.integers(0, 10**6))
    calls = [
        ToolCall(f"id_{turn}_{place}", "f", arguments, cache=draw(MARKS))
        for place, arguments in enumerate(draw(some.lists(ARGUMENTS, max_size=2)))
    ]
    thoughts = draw(some.lists(THOUGHTS, max_size=2))
    said = draw(some.lists(TEXTS, min_size=0 if calls else 1, max_size=2))
    results = [
        Message(
            "tool",
            draw(some.lists(TEXTS | MEDIA, max_size=2).map(tuple)),
            tool_call_id=call.id,
            is_error=draw(some.booleans()),
            cache=draw(MARKS),
        )
        for call in calls
    ]
    return [Message("user", draw(SIDE)), Message("assistant", (*thoughts, *said, *calls)), *results]


@some.composite
def conversations(draw):
    system = draw(some.lists(TEXTS, max_size=2))
    messages = [Message("system", tuple(system))] if system else []
    for exchange in draw(some.lists(exchanges(), max_size=3)):
        messages += exchange
    return (*messages, Message("user", draw(SIDE)))


TOOLS = some.lists(
    some.builds(
        Tool,
        some.sampled_from(["f", "g"]),
        some.none() | some.text(max_size=5),
        some.just(Raw(b'{"type":"object"}')),
        some.sampled_from([None, True]),
        MARKS,
    ),
    min_size=1,
    max_size=2,
).map(tuple)
CHATS = some.builds(
    Chat,
    messages=conversations(),
    max_output_tokens=some.integers(5000, 9000),
    temperature=some.none() | some.floats(0, 1),
    top_p=some.none() | some.floats(0, 1),
    top_k=some.none() | some.integers(0, 100),
    stop=some.lists(WORDS, max_size=2).map(tuple),
    tools=TOOLS,
    tool_choice=some.sampled_from(
        [ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"), ToolChoice("named", "f")]
    ),
    shape=some.none() | some.just(Shape("schema", schema=Raw(b'{"type":"object"}'))),
    effort=some.sampled_from([None, "none", "low", "high", "max"]),
    shows_thinking=some.none(),
    user=some.none() | WORDS,
    others=some.sampled_from([{}, {"service_tier": Raw(b'"auto"'), "tools[0]": Raw(b'{"type":"bash_20250124"}')}]),
    dialect=some.just("anthropic"),
)


def is_repeated(chat) -> bool:
    """Ids of calls that happen to be there twice are changed."""
    ids = [call.id for message in chat.messages for call in message.tool_calls]
    return len(set(ids)) < len(ids)


@settings(max_examples=60)
@given(CHATS.filter(lambda chat: not is_repeated(chat)))
def test_a_conversation_that_can_be_said_is_the_same_when_it_is_read(chat):
    losses = Losses(anthropic.LANGUAGE)
    body = anthropic.write_request(
        chat,
        model="claude",
        max_output_tokens=chat.max_output_tokens or 1,
        stream=False,
        params={},
        quirks={},
        losses=losses,
    )
    assert anthropic.read_chat(read_fields(body)) == chat
    assert losses.told == ()
