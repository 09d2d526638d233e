"""Anthropic's language, inwards: the content of messages, block by block, as parts of the house.

Every error names the exact path. A kind of block that the house has no word for becomes an `Opaque`. So does a field of
a known block (`document.context`, `tool_use.caller`), right after the part that it belongs to: whoever speaks this
language puts it back, all others can say no to it alone.
"""

from binascii import b2a_base64
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Media, Message, Opaque, Part, Role, Text, Thinking, ToolCall
from fairlead.dialects.anthropic.signing import DIALECT, Heard, hear, with_signatures
from fairlead.dialects.media import check_base64
from fairlead.dialects.reading import is_null, required, take, text_of
from fairlead.errors import RequestInvalid

DEFAULT_TTL = "5m"
IDLE = frozenset({b"null", b"false", b"[]", b"{}"})  # values by which a field asks for nothing
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_NULL = Raw(b"null")


class CacheSaid(Struct):
    ttl: str | None = None


class MessageSaid(Struct):
    role: str
    content: str | list[Raw] | None = None
    output_config: Raw = _NULL
    clear_at: str | None = None


class _Kind(Struct):
    type: str


class _Text(Struct):
    text: str
    cache_control: CacheSaid | None = None


class _Source(Struct):
    type: str
    media_type: str = ""
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[Raw] | None = None


class _Image(Struct):
    source: _Source
    cache_control: CacheSaid | None = None
    transformations: Raw = _NULL


class _Citations(Struct):
    enabled: bool | None = None


class _Document(Struct):
    source: _Source
    title: str | None = None
    context: Raw = _NULL
    citations: Raw = _NULL
    cache_control: CacheSaid | None = None


class _Caller(Struct):
    type: str = "direct"


class _ToolUse(Struct):
    id: str
    name: str
    input: Raw = _NULL
    cache_control: CacheSaid | None = None
    caller: Raw = _NULL
    toolset_name: Raw = _NULL


class _ToolResult(Struct):
    tool_use_id: str
    content: str | list[Raw] | None = None
    is_error: bool | None = None
    cache_control: CacheSaid | None = None
    toolset_name: Raw = _NULL


class _Thinking(Struct):
    thinking: str
    signature: str = ""


class _Redacted(Struct):
    data: str


_KIND = msgspec.json.Decoder(_Kind)
_TEXT = msgspec.json.Decoder(_Text)
_IMAGE = msgspec.json.Decoder(_Image)
_DOCUMENT = msgspec.json.Decoder(_Document)
_CITATIONS = msgspec.json.Decoder(_Citations)
_CALLER = msgspec.json.Decoder(_Caller)
_TOOL_USE = msgspec.json.Decoder(_ToolUse)
_TOOL_RESULT = msgspec.json.Decoder(_ToolResult)
_THINKING = msgspec.json.Decoder(_Thinking)
_REDACTED = msgspec.json.Decoder(_Redacted)


def read_mark(said: CacheSaid | None) -> str | None:
    return None if said is None else said.ttl or DEFAULT_TTL


def read_message(said: MessageSaid, path: str) -> list[Message]:
    """The messages that one turn holds: the results of tools, each by itself, before what else is said."""
    role = _ROLES.get(said.role)
    if role is None:
        raise RequestInvalid(
            f"`{path}.role`: {said.role!r} is not one of {', '.join(_ROLES)}.",
            param=f"{path}.role",
            hint="Use `user` or `assistant`; a system prompt may also stand in `system`.",
        )
    if said.content is None and is_null(said.output_config):
        raise required(f"{path}.content")
    results: list[Message] = []
    parts: list[Part] = []
    heard: list[Heard] = []
    _read_settings(parts, said)
    for block, kind, place in _blocks(parts, said.content, f"{path}.content"):
        if kind == "tool_result":
            if role != "user":
                raise _misplaced(place, kind, "user")
            results.append(_read_result(take(_TOOL_RESULT, block, place), place))
        elif kind == "tool_use" and role != "assistant":
            raise _misplaced(place, kind, "assistant")
        else:
            _read_block(parts, heard, block, kind, place)
    if heard:
        parts = with_signatures(parts, heard)
    if results and not parts:
        return results
    return [*results, Message(role, tuple(parts))]


def read_parts(content: str | list[Raw] | None, path: str) -> tuple[Part, ...]:
    """The parts of a content that no tool has to do with: a system prompt's, a result's."""
    parts: list[Part] = []
    for block, kind, place in _blocks(parts, content, path):
        if kind in ("tool_use", "tool_result"):
            raise _misplaced(place, kind, "message of its own")
        _read_block(parts, [], block, kind, place)
    return tuple(parts)


def _blocks(parts: list[Part], content: str | list[Raw] | None, path: str) -> list[tuple[Raw, str, str]]:
    """Every block with its kind and its path; a content that is a string is one part already."""
    if isinstance(content, str):
        parts.append(Text(content))
        return []
    said: list[tuple[Raw, str, str]] = []
    for position, raw in enumerate(content or ()):
        place = f"{path}[{position}]"
        said.append((raw, take(_KIND, raw, place).type, place))
    return said


def _read_block(parts: list[Part], heard: list[Heard], raw: Raw, kind: str, path: str) -> None:
    match kind:
        case "text":
            text = take(_TEXT, raw, path)
            parts.append(Text(text.text, read_mark(text.cache_control)))
        case "tool_use":
            _read_call(parts, take(_TOOL_USE, raw, path), path)
        case "thinking":
            thinking = take(_THINKING, raw, path)
            one = hear(thinking.signature)
            parts.append(Thinking(thinking.thinking, one.signature, one.origin, id=one.id))
        case "redacted_thinking":
            one = hear(take(_REDACTED, raw, path).data)
            if one.call is None:
                parts.append(Thinking("", one.signature, one.origin, True, one.id))
            else:
                heard.append(one)
        case "image":
            _read_image(parts, raw, path)
        case "document":
            _read_document(parts, raw, path)
        case _:
            parts.append(Opaque(kind, raw, DIALECT))


def _read_call(parts: list[Part], said: _ToolUse, path: str) -> None:
    arguments = "{}" if is_null(said.input) else text_of(said.input)
    parts.append(ToolCall(said.id, said.name, arguments, cache=read_mark(said.cache_control)))
    if not is_null(said.caller) and take(_CALLER, said.caller, f"{path}.caller").type != "direct":
        parts.append(Opaque("tool_use.caller", said.caller, DIALECT))
    _aside(parts, "tool_use.toolset_name", said.toolset_name)


def _read_result(said: _ToolResult, path: str) -> Message:
    parts = list(read_parts(said.content, f"{path}.content"))
    _aside(parts, "tool_result.toolset_name", said.toolset_name)
    return Message(
        "tool",
        tuple(parts),
        tool_call_id=said.tool_use_id,
        is_error=bool(said.is_error),
        cache=read_mark(said.cache_control),
    )


def _read_image(parts: list[Part], raw: Raw, path: str) -> None:
    said = take(_IMAGE, raw, path)
    medium = _read_source(said.source, f"{path}.source")
    if medium is None:
        parts.append(Opaque("image", raw, DIALECT))
        return
    parts.append(Media(kind="image", cache=read_mark(said.cache_control), **medium))
    _aside(parts, "image.transformations", said.transformations)


def _read_document(parts: list[Part], raw: Raw, path: str) -> None:
    said = take(_DOCUMENT, raw, path)
    medium = _read_source(said.source, f"{path}.source")
    if medium is None:
        parts.append(Opaque("document", raw, DIALECT))
        return
    parts.append(Media(kind="document", name=said.title, cache=read_mark(said.cache_control), **medium))
    _aside(parts, "document.context", said.context)
    if not is_null(said.citations) and take(_CITATIONS, said.citations, f"{path}.citations").enabled:
        _aside(parts, "document.citations", said.citations)


def _read_source(said: _Source, path: str) -> dict[str, Any] | None:
    """Where a medium is, as fields of `Media`; None for a source that the house has no word for.

    A document of the caller's own chunks (`content`) is such a one, unless it is a single text.
    """
    match said:
        case _Source(type="base64", data=str() as data):
            return {"media_type": said.media_type, "data": check_base64(data, f"{path}.data")}
        case _Source(type="text", data=str() as text) | _Source(type="content", content=str() as text):
            return {"media_type": said.media_type or "text/plain", "data": _encoded(text)}
        case _Source(type="url", url=str() as url):
            return {"url": url}
        case _Source(type="file", file_id=str() as file):
            return {"file": file, "origin": DIALECT}
        case _Source(type="base64" | "text"):
            raise required(f"{path}.data")
        case _Source(type="url"):
            raise required(f"{path}.url")
        case _Source(type="file"):
            raise required(f"{path}.file_id")
    return None


def _encoded(text: str) -> str:
    return b2a_base64(text.encode(), newline=False).decode()


def _read_settings(parts: list[Part], said: MessageSaid) -> None:
    """What stands beside the content of a system message in the middle of a conversation."""
    _aside(parts, "system.output_config", said.output_config)
    if said.clear_at is not None and said.clear_at != "never":
        parts.append(Opaque("system.clear_at", Raw(msgspec.json.encode(said.clear_at)), DIALECT))


def _aside(parts: list[Part], kind: str, raw: Raw) -> None:
    """Keep a field that asks for something beside the part that it belongs to."""
    if bytes(raw) not in IDLE:
        parts.append(Opaque(kind, raw, DIALECT))


def _misplaced(path: str, kind: str, where: str) -> RequestInvalid:
    return RequestInvalid(
        f"`{path}`: a {kind} block can't stand here.", param=path, hint=f"Put it into a turn of the role `{where}`."
    )
