"""What the stand-in says: it looks at what it is asked as a model would.

| asked | said |
|---|---|
| a tool's result is the last thing said | the result |
| an image, a document or a sound | what it is, and a digest of its bytes |
| an answer of a given form | the smallest that fits |
| for the weather, with a tool | a call of the tool for every city that is named |
| a tool is forced | a call of it |
| else | a greeting |

Where it is asked to think it thinks first, and signs; where what it signed comes back it says that it remembers. It
counts what is marked for the cache. Told to take its time it does (`doors.py`). It knows no language but for what each
has room for.
"""

import base64
import hashlib
import re
import secrets
from itertools import count

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clients.standin.schemas import fill
from clients.standin.signing import Foreign, Kept, of_call, of_thought, sign, take_back
from fairlead.chat import Chat, Finish, Media, Part, Text, Thinking, Tool, ToolCall, Usage
from fairlead.dialects.responses.envelope import Envelope

GREETING = "Hello from the other side, in nine words or so."
THOUGHT = "They want to know something. Let me see."
MARKED_TOKENS = 10  # for each mark of the cache
_CITIES = re.compile(r"Paris|Rome|Oslo")
_NUMBERS = count(1)


class Refused(Exception):
    """The provider does not want to answer. `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Asking(Struct, frozen=True):
    """What is asked, in which language, and the bytes that said it."""

    chat: Chat
    language: str
    body: bytes


class Reply(Struct, frozen=True):
    """`breaks`: a stream of it is cut off."""

    id: str
    parts: tuple[Part, ...]
    finish: Finish
    usage: Usage
    breaks: bool = False


def reply(asking: Asking) -> Reply:
    """Raises Refused."""
    chat = asking.chat
    asked = _text(chat.messages[-1].parts)
    if "too much" in asked:
        raise Refused(429, "This is too much at once.")
    if "impossible" in asked:
        raise Refused(400, "Nobody can do this.")
    try:
        said = _said(chat, asked, take_back(chat, asking.language, asking.body))
    except Foreign as error:
        raise Refused(400, str(error)) from None
    id = f"answer_{secrets.token_hex(8)}"
    thinks = chat.effort not in (None, "none") or bool(chat.thinking_tokens)
    return Reply(
        id=id,
        parts=_thinking(said, asking.language, id) if thinks else said,
        finish="tool_calls" if any(isinstance(part, ToolCall) for part in said) else "stop",
        usage=Usage(100, 20, 40, MARKED_TOKENS * _marks(chat), 8 if thinks else 0),
        breaks="break off" in asked,
    )


def count_tokens(chat: Chat) -> int:
    """One for each word and tool."""
    return sum(len(_text(said.parts).split()) for said in chat.messages) + len(chat.tools)


def _text(parts: tuple[Part, ...]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))


# --- what it says ----------------------------------------------------------------------------------------------------


def _said(chat: Chat, asked: str, kept: Kept) -> tuple[Part, ...]:
    last = chat.messages[-1]
    if last.role == "tool":
        return (Text(f"The tool says: {_results(chat)}{_remembered(kept)}"),)
    if seen := [_seen(part) for part in last.parts if isinstance(part, Media)]:
        return (Text(f"I see {' and '.join(seen)}."),)
    if chat.shape is not None and chat.shape.schema is not None:
        return (Text(_written(chat.shape.schema)),)
    if (chat.shape is not None and chat.shape.mode == "json") or _is_told(chat, "one JSON object"):
        return (Text('{"name":"Paris","people":7}'),)
    if chat.tools and (cities := _wanted(chat, asked)):
        named = chat.tool_choice.name if chat.tool_choice else None
        tool = next((tool for tool in chat.tools if tool.name == named), chat.tools[0])
        return tuple(_call(tool, city) for city in cities)
    return (Text(GREETING + _remembered(kept)),)


def _is_told(chat: Chat, words: str) -> bool:
    """By the system prompt."""
    return any(words in _text(message.parts) for message in chat.messages if message.role == "system")


def _wanted(chat: Chat, asked: str) -> list[str]:
    """The cities that a tool shall be called for."""
    mode = chat.tool_choice.mode if chat.tool_choice is not None else "auto"
    if mode in ("required", "named"):
        return ["Paris"]
    return list(dict.fromkeys(_CITIES.findall(asked))) if mode == "auto" and "weather" in asked.lower() else []


def _results(chat: Chat) -> str:
    """Of all tools since the last turn of the model."""
    told = []
    for message in reversed(chat.messages):
        if message.role != "tool":
            break
        text = _text(message.parts)
        seen = [_seen(part) for part in message.parts if isinstance(part, Media)]
        told.append(" and ".join([text, *seen] if text else seen))
    return " and ".join(reversed(told))


def _seen(part: Media) -> str:
    if part.data is None:
        return f"{part.kind} at {part.url}"
    digest = hashlib.blake2b(base64.b64decode(part.data), digest_size=4).hexdigest()
    return f"{part.media_type} {digest}"


def _written(schema: msgspec.Raw) -> str:
    return msgspec.json.encode(fill(msgspec.json.decode(schema), "Paris")).decode()


def _call(tool: Tool, name: str) -> ToolCall:
    arguments = fill(msgspec.json.decode(tool.parameters or b"{}"), name)
    return ToolCall(f"call_{next(_NUMBERS)}", tool.name, msgspec.json.encode(arguments).decode())


def _remembered(kept: Kept) -> str:
    if kept == Kept():
        return ""
    return f" I remember {kept.thoughts} thoughts and {kept.calls} calls."


def _marks(chat: Chat) -> int:
    marked = [*chat.tools, *chat.messages, *(part for message in chat.messages for part in message.parts)]
    return sum(getattr(part, "cache", None) is not None for part in marked)


# --- how it thinks ---------------------------------------------------------------------------------------------------


def _thinking(said: tuple[Part, ...], language: str, id: str) -> tuple[Part, ...]:
    """What is said, with the reasoning before it, signed as providers of that language sign."""
    match language:
        case "gemini":  # signs the first call, or the text
            if isinstance(said[0], ToolCall):
                call = replace(said[0], signature=sign(language, of_call(said[0])), origin=language)
                return (Thinking(THOUGHT), call, *said[1:])
            signature = sign(language, of_thought(Thinking(""), _text(said)))
            return (Thinking(THOUGHT), *said, Thinking("", signature, language))
        case "responses":
            item = Envelope(id=id, model="", created=0, request=None).item_id("rs", 0)  # as it will be told
            return (_signed(Thinking(THOUGHT, origin=language, id=item)), *said)
        case "anthropic" | "bedrock":
            hidden = _signed(Thinking("", origin=language, redacted=True))
            return (_signed(Thinking(THOUGHT, origin=language)), hidden, *said)
    return (_signed(Thinking(THOUGHT, origin=language)), *said)


def _signed(part: Thinking) -> Thinking:
    return replace(part, signature=sign(part.origin, of_thought(part)))
