"""Anthropic's language, inwards: the content of messages, block by block, as parts of the house.

Every error names the exact path. A kind of block that the house has no word for becomes an `Opaque`. So does a field of
a known block (`document.context`, `tool_use.caller`), right after the part that it belongs to: whoever speaks this
language puts it back, all others can say no to it alone.
"""

from binascii import b2a_base64
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from fairlead.chat import Media, Message, Opaque, Part, Role, Text, Thinking, ToolCall
from fairlead.dialects.anthropic.signing import DIALECT, Heard, hear, with_signatures
from fairlead.dialects.media import check_base64
from fairlead.dialects.reading import UNREADABLE, is_null, required, take, text_of
from fairlead.errors import RequestInvalid

DEFAULT_TTL = "5m"
IDLE = frozenset({b"null", b"false", b"[]", b"{}"})  # values by which a field asks for nothing
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_NULL = Raw(b"null")


class CacheSaid(Struct):
    ttl: str | None = None


class _Text(Struct, tag="text", gc=False):
    text: str
    cache_control: CacheSaid | None = None


class _Source(Struct):
    type: Literal["base64", "text", "url", "file", "content"]
    media_type: str = ""
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | None = None


class _Image(Struct, tag="image"):
    source: _Source
    cache_control: CacheSaid | None = None
    transformations: Raw = _NULL


class _Citations(Struct):
    enabled: bool | None = None


class _Document(Struct, tag="document"):
    source: _Source
    title: str | None = None
    context: Raw = _NULL
    citations: Raw = _NULL
    cache_control: CacheSaid | None = None


class _Caller(Struct):
    type: str = "direct"


class _ToolUse(Struct, tag="tool_use", gc=False):
    id: str
    name: str
    input: Raw = _NULL
    cache_control: CacheSaid | None = None
    caller: Raw = _NULL
    toolset_name: Raw = _NULL


class _Thinking(Struct, tag="thinking"):
    thinking: str
    signature: str = ""


class _Redacted(Struct, tag="redacted_thinking"):
    data: str


class _ToolResult(Struct, tag="tool_result"):
    tool_use_id: str
    content: str | list[Any] | None = None
    is_error: bool | None = None
    cache_control: CacheSaid | None = None
    toolset_name: Raw = _NULL


class _KnownResult(_ToolResult, tag="tool_result", gc=False):
    content: str | list[_Text | _Image | _Document] | None = None


class _RawResult(_ToolResult, tag="tool_result"):
    content: str | list[Raw] | None = None


class MessageSaid(Struct):
    role: str
    content: str | list[Any] | None = None
    output_config: Raw = _NULL
    clear_at: str | None = None


class _KnownMessage(MessageSaid, gc=False):
    content: str | list[_Text | _Image | _Document | _ToolUse | _KnownResult | _Thinking | _Redacted] | None = None


class _RawMessage(MessageSaid):
    content: str | list[Raw] | None = None


class _Kind(Struct):
    type: str


class _AnySource(Struct):
    type: str
    content: Raw = _NULL

    @property
    def is_known(self) -> bool:
        """The house has no word for a document of the caller's own chunks, unless it is a single text."""
        return self.type in ("base64", "text", "url", "file") or bytes(self.content)[:1] == b'"'


class _Sourced(Struct):
    source: _AnySource


_KIND = msgspec.json.Decoder(_Kind)
_SOURCED = msgspec.json.Decoder(_Sourced)
_BLOCKS: dict[str, msgspec.json.Decoder[Any]] = {
    "text": msgspec.json.Decoder(_Text),
    "image": msgspec.json.Decoder(_Image),
    "document": msgspec.json.Decoder(_Document),
    "tool_use": msgspec.json.Decoder(_ToolUse),
    "tool_result": msgspec.json.Decoder(_RawResult),
    "thinking": msgspec.json.Decoder(_Thinking),
    "redacted_thinking": msgspec.json.Decoder(_Redacted),
}
_CITATIONS = msgspec.json.Decoder(_Citations)
_CALLER = msgspec.json.Decoder(_Caller | None)
_KNOWN_SYSTEM = msgspec.json.Decoder(str | list[_Text])
_SYSTEM = msgspec.json.Decoder(str | list[Raw] | None)
_KNOWN_MESSAGES = msgspec.json.Decoder(list[_KnownMessage])
_RAW_MESSAGES = msgspec.json.Decoder(Annotated[list[_RawMessage], Meta(min_length=1)])


def take_messages(raw: Raw) -> Sequence[MessageSaid]:
    """The turns of a request. Where all is known they are read in one go, which is most of the time; else block by
    block, which also tells where something is wrong."""
    try:
        known = _KNOWN_MESSAGES.decode(raw)
    except UNREADABLE:
        known = []
    return known or take(_RAW_MESSAGES, raw, "messages")


def read_mark(said: CacheSaid | None) -> str | None:
    return None if said is None else said.ttl or DEFAULT_TTL


def read_message(said: MessageSaid, path: str, messages: list[Message]) -> None:
    """Appends the messages that one turn holds: the results of tools, each by itself, before what else is said."""
    role = _ROLES.get(said.role)
    if role is None:
        raise RequestInvalid(
            f"`{path}.role`: {said.role!r} is not one of {', '.join(_ROLES)}.",
            param=f"{path}.role",
            hint="Use `user` or `assistant`; a system prompt may also stand in `system`.",
        )
    content = said.content
    text = _plain_text(content)
    if text is not None and said.output_config is _NULL and said.clear_at is None:  # the usual case
        messages.append(Message(role, (Text(text),)))
        return
    if content is None and is_null(said.output_config):
        raise required(f"{path}.content")
    before = len(messages)
    parts: list[Part] = []
    heard: list[Heard] = []
    if role == "system":
        _read_settings(parts, said)
    blocks = [_Text(content)] if isinstance(content, str) else content or ()
    _read_blocks(blocks, role, f"{path}.content", parts, messages, heard)
    if parts or len(messages) == before:
        messages.append(Message(role, tuple(with_signatures(parts, heard) if heard else parts)))


def read_system(raw: Raw | None) -> tuple[Part, ...]:
    """The system prompt beside the turns."""
    if raw is None:
        return ()
    try:
        return read_parts(_KNOWN_SYSTEM.decode(raw), "system")
    except UNREADABLE:
        return read_parts(take(_SYSTEM, raw, "system"), "system")


def read_parts(content: str | Sequence[Any] | None, path: str) -> tuple[Part, ...]:
    """The parts of a content that no tool has to do with: a system prompt's, a result's."""
    text = _plain_text(content)
    if text is not None:  # the usual case
        return (Text(text),)
    parts: list[Part] = []
    _read_blocks(content or (), "system", path, parts, [], [])
    return tuple(parts)


def _plain_text(content: str | Sequence[Any] | None) -> str | None:
    """The text of a content that is nothing but one, without a mark."""
    if type(content) is str:
        return content
    if content is not None and len(content) == 1 and type(block := content[0]) is _Text and block.cache_control is None:
        return block.text
    return None


def _read_blocks(
    blocks: Sequence[Any], role: Role, path: str, parts: list[Part], results: list[Message], heard: list[Heard]
) -> None:
    """`blocks` are structs, or values as they stand. Calls stand only where the assistant speaks, results where the
    user does."""
    for position, block in enumerate(blocks):
        if type(block) is Raw:
            block = _known(block, f"{path}[{position}]")
        if type(block) is _Text:
            parts.append(Text(block.text, None if block.cache_control is None else read_mark(block.cache_control)))
        elif type(block) is _ToolUse:
            if role != "assistant":
                raise _misplaced(f"{path}[{position}]", "tool_use", "assistant")
            _read_call(parts, block, path, position)
        elif isinstance(block, _ToolResult):
            if role != "user":
                raise _misplaced(f"{path}[{position}]", "tool_result", "user")
            results.append(_read_result(block, path, position))
        else:
            _read_block(block, f"{path}[{position}]", parts, heard)


def _read_block(block: Any, path: str, parts: list[Part], heard: list[Heard]) -> None:
    match block:
        case _Thinking():
            one = hear(block.signature)
            parts.append(Thinking(block.thinking, one.signature, one.origin, id=one.id))
        case _Redacted():
            one = hear(block.data)
            if one.call is None:
                parts.append(Thinking("", one.signature, one.origin, True, one.id))
            else:
                heard.append(one)
        case _Image():
            _read_image(parts, block, path)
        case _Document():
            _read_document(parts, block, path)
        case _:
            parts.append(block)


def _known(raw: Raw, path: str) -> Any:
    """A block that stands for itself, as the struct of its kind; an Opaque where there is none."""
    kind = take(_KIND, raw, path).type
    decoder = _BLOCKS.get(kind)
    if decoder is None or (kind in ("image", "document") and not take(_SOURCED, raw, path).source.is_known):
        return Opaque(kind, raw, DIALECT)
    return take(decoder, raw, path)


def _read_call(parts: list[Part], said: _ToolUse, path: str, position: int) -> None:
    arguments = "{}" if said.input == _NULL else text_of(said.input)
    cache = None if said.cache_control is None else read_mark(said.cache_control)
    parts.append(ToolCall(said.id, said.name, arguments, None, "", cache))
    if said.caller is not _NULL and not is_null(said.caller):
        caller = take(_CALLER, said.caller, f"{path}[{position}].caller")
        if caller is not None and caller.type != "direct":
            parts.append(Opaque("tool_use.caller", said.caller, DIALECT))
    if said.toolset_name is not _NULL:
        _aside(parts, "tool_use.toolset_name", said.toolset_name)


def _read_result(said: _ToolResult, path: str, position: int) -> Message:
    text = _plain_text(said.content)
    parts = (Text(text),) if text is not None else read_parts(said.content, f"{path}[{position}].content")
    if said.toolset_name is not _NULL:
        more = list(parts)
        _aside(more, "tool_result.toolset_name", said.toolset_name)
        parts = tuple(more)
    cache = None if said.cache_control is None else read_mark(said.cache_control)
    return Message("tool", parts, said.tool_use_id, bool(said.is_error), None, cache)


def _read_image(parts: list[Part], said: _Image, path: str) -> None:
    medium = _read_source(said.source, f"{path}.source")
    parts.append(Media(kind="image", cache=read_mark(said.cache_control), **medium))
    _aside(parts, "image.transformations", said.transformations)


def _read_document(parts: list[Part], said: _Document, path: str) -> None:
    medium = _read_source(said.source, f"{path}.source")
    parts.append(Media(kind="document", name=said.title, cache=read_mark(said.cache_control), **medium))
    _aside(parts, "document.context", said.context)
    if not is_null(said.citations) and take(_CITATIONS, said.citations, f"{path}.citations").enabled:
        _aside(parts, "document.citations", said.citations)


def _read_source(said: _Source, path: str) -> dict[str, Any]:
    """Where a medium is, as fields of `Media`."""
    match said:
        case _Source(type="base64", data=str() as data):
            return {"media_type": said.media_type, "data": check_base64(data, f"{path}.data")}
        case _Source(type="text", data=str() as text) | _Source(type="content", content=str() as text):
            return {"media_type": said.media_type or "text/plain", "data": _encoded(text)}
        case _Source(type="url", url=str() as url):
            return {"url": url}
        case _Source(type="file", file_id=str() as file):
            return {"file": file, "origin": DIALECT}
    needed = {"url": "url", "file": "file_id", "content": "content"}.get(said.type, "data")
    raise required(f"{path}.{needed}")


def _encoded(text: str) -> str:
    return b2a_base64(text.encode(), newline=False).decode()


def _read_settings(parts: list[Part], said: MessageSaid) -> None:
    """What stands beside the content of a system message in the middle of a conversation."""
    _aside(parts, "system.output_config", said.output_config)
    if said.clear_at is not None and said.clear_at != "never":
        parts.append(Opaque("system.clear_at", Raw(msgspec.json.encode(said.clear_at)), DIALECT))


def _aside(parts: list[Part], kind: str, raw: Raw) -> None:
    """Keep a field that asks for something beside the part that it belongs to."""
    if raw is not _NULL and bytes(raw) not in IDLE:
        parts.append(Opaque(kind, raw, DIALECT))


def _misplaced(path: str, kind: str, where: str) -> RequestInvalid:
    return RequestInvalid(
        f"`{path}`: a {kind} block can't stand here.", param=path, hint=f"Put it into a turn of the role `{where}`."
    )
