"""Conversations for the tests of Gemini's language: small ones by hand, and whatever hypothesis thinks of."""

import json
from typing import Any

from hypothesis import strategies as some
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Part, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import gemini
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = Raw(b'{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}')
LOOK_UP = Tool("look_up", "Look something up.", SCHEMA)
CALL = ToolCall("call_1", "look_up", '{"id":7}')
HELLO = Message("user", (Text("Hello?"),))


def asked(*contents: Any, **fields: Any) -> bytes:
    return json.dumps({"contents": contents or [{"role": "user", "parts": [{"text": "Hello?"}]}], **fields}).encode()


def read(*contents: Any, **fields: Any) -> Chat:
    return gemini.read_chat(read_fields(asked(*contents, **fields)))


def body_of(
    chat: Chat, *, losses: Losses | None = None, model: str = "gemini-3-pro", limit: int = 4000, **more: Any
) -> bytes:
    return gemini.write_request(
        chat,
        model=model,
        max_output_tokens=limit,
        stream=False,
        losses=losses or Losses("Gemini's API"),
        **{"params": {}, "quirks": {}} | more,
    )


def write(chat: Chat, **more: Any) -> Any:
    return json.loads(body_of(chat, **more))


def chat(*messages: Message, **rest: Any) -> Chat:
    return Chat(messages=messages or (HELLO,), **rest)


# --- whatever can be said in it --------------------------------------------------------------------------------------

_text = some.text(some.characters(codec="utf-8"), min_size=1, max_size=12)
_name = some.from_regex(r"[a-z_]{1,8}", fullmatch=True)
_json = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53), 2**53) | _text,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(_text, inner, max_size=3),
    max_leaves=5,
)
_object = some.dictionaries(some.sampled_from(["result", "output", "error", "content", "a", "b"]), _json, max_size=2)
_said = _text | _object.map(lambda value: json.dumps(value)) | _object.map(lambda value: json.dumps(value, indent=1))
_base64 = some.sampled_from(["AAAA", "/+8=", "UklGRg=="])
_media = some.one_of(
    some.builds(
        lambda kind, data: Media(kind=kind.partition("/")[0], media_type=kind, data=data),  # type: ignore[arg-type]
        some.sampled_from(["image/png", "audio/wav", "video/mp4"]),
        _base64,
    ),
    some.builds(Media, kind=some.just("document"), media_type=some.just("application/pdf"), data=_base64),
    some.builds(Media, kind=some.just("image"), url=some.sampled_from(["https://example.com/a.png", "gs://b/c.jpg"])),
    some.builds(
        Media,
        kind=some.just("document"),
        media_type=some.just("application/pdf"),
        file=some.just("files/abc"),
        origin=some.just("gemini"),
    ),
)
_texts = _text.map(Text)
_signature = some.sampled_from(["c2ln", "bW9yZQ==", "a+/b"])
_thinking = some.builds(Thinking, text=_text) | some.builds(
    Thinking, text=_text, signature=_signature, origin=some.just("gemini")
)


@some.composite
def _turn(draw: some.DrawFn, number: int) -> list[Message]:
    """What the user says, what the assistant answers, and the results of what it calls."""
    parts: list[Part] = [*draw(some.lists(_texts | _thinking | _media, max_size=3))]
    if parts and not isinstance(parts[-1], Thinking) and draw(some.booleans()):
        parts.append(Thinking("", draw(_signature), "gemini"))
    calls = [
        ToolCall(f"call_{number}_{place}", draw(_name), json.dumps(draw(_object)), *signed)
        for place, signed in enumerate(draw(some.lists(some.sampled_from([(), ("c2ln", "gemini")]), max_size=2)))
    ]
    user = Message("user", tuple(draw(some.lists(_texts | _media, min_size=1, max_size=3))))
    if not parts and not calls:
        return [user]
    results = [
        Message("tool", tuple(draw(_result())), tool_call_id=call.id, is_error=draw(some.booleans())) for call in calls
    ]
    return [user, Message("assistant", (*parts, *calls)), *results]


@some.composite
def _result(draw: some.DrawFn) -> list[Part]:
    return draw(some.lists(_said.map(Text) | _media, max_size=3))


_fraction = some.none() | some.sampled_from([0.0, 0.5, 1.0, 1.75])
_tools = some.lists(
    some.builds(Tool, name=_name, description=some.none() | _text, parameters=some.none() | some.just(SCHEMA)),
    min_size=2,
    max_size=3,
    unique_by=lambda tool: tool.name,
)

_THINKING: list[dict[str, Any]] = [
    {},
    {"effort": "low"},
    {"effort": "high", "shows_thinking": True},
    {"thinking_tokens": 512},
    {"thinking_tokens": 0, "shows_thinking": False},
]


@some.composite
def conversations(draw: some.DrawFn) -> Chat:
    messages: list[Message] = [Message("system", (Text(draw(_text)),))] if draw(some.booleans()) else []
    for number in range(draw(some.integers(1, 3))):
        messages += draw(_turn(number))
    tools = tuple(draw(_tools)) if draw(some.booleans()) else ()
    choices = [None, *(ToolChoice(mode) for mode in ("auto", "none", "required"))] if tools else [None]  # type: ignore[arg-type]
    choices += [ToolChoice("named", tools[0].name)] if tools else []
    thinking = draw(some.sampled_from(_THINKING))
    return Chat(
        messages=tuple(messages),
        max_output_tokens=draw(some.integers(1, 10_000)),
        temperature=draw(_fraction),
        top_p=draw(_fraction),
        top_k=draw(some.none() | some.integers(1, 100)),
        frequency_penalty=draw(_fraction),
        presence_penalty=draw(_fraction),
        stop=tuple(draw(some.lists(_text, max_size=2))),
        seed=draw(some.none() | some.integers(-(2**31), 2**31 - 1)),
        logprobs=draw(some.none() | some.integers(0, 5)),
        tools=tools,
        tool_choice=draw(some.sampled_from(choices)),
        shape=draw(some.sampled_from([None, Shape("text"), Shape("json"), Shape("schema", schema=SCHEMA)])),
        samples=draw(some.integers(1, 3)),
        dialect="gemini",
        **thinking,
    )
