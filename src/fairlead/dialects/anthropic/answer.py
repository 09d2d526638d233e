"""Anthropic's language: whole answers of the Messages API -> the house language, and what they have in common with
streams: reasons to stop, and usage. What is said back to callers is `reply`.
"""

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Answer, Finish, Media, Part, Said, Task, Text, Thinking, ToolCall, Usage
from fairlead.dialects.anthropic.signing import DIALECT, Heard, hear, with_signatures
from fairlead.dialects.failures import failure, unclear
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null, text_of

# What is not in here (a reason of tomorrow) becomes no finish at all: none is made up. A paused turn and a full context
# window are ends for want of room, not of something to say.
_FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class _CacheCreation(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _ServerTools(Struct):
    web_search_requests: int | None = None


class _OutputDetails(Struct):
    thinking_tokens: int | None = None


class UsageSaid(Struct):
    """A `usage` object, whole or as far as an event of a stream tells it."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerTools | None = None
    output_tokens_details: _OutputDetails | None = None


class _Source(Struct):
    type: str = ""
    media_type: str = ""
    data: str | None = None
    url: str | None = None


class BlockSaid(Struct):
    """Every block that the house has a word for; which fields are set depends on its type. Some servers send nulls."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = Raw(b"{}")
    source: _Source | None = None


class Refusal(Struct):
    explanation: str | None = None


class _Kind(Struct):
    type: str = ""


class BodySaid(Struct):
    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Refusal | None = None
    usage: UsageSaid | None = None


# Blocks of these kinds have no other shape anywhere; of all others nothing is read.
KINDS = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "image", "document"})
_BODY = msgspec.json.Decoder(BodySaid)
_BLOCK = msgspec.json.Decoder(BlockSaid)
_KIND = msgspec.json.Decoder(_Kind)


def read_answer(body: bytes, *, task: Task = "chat", full: bool = False, origin: str = DIALECT) -> Answer:
    """Read a message for the books: id, model, finish, usage; `spoken` is the body as it came.

    `full` also fills `said`, with `origin` as the one who signed. What ran at the provider (searches, code) is left
    out of it. Raises TargetUnclear if this is no message, and the TargetError that fits where it is an error.
    """
    try:
        check_utf8(body)
        said = _BODY.decode(body)
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
    if said.type == "error":
        raise failure(body, DIALECT)
    if said.type != "message" or said.content is None:
        raise unclear("it is no message", body, DIALECT)
    finish = read_finish(said.stop_reason)
    return Answer(
        id=said.id or "",
        model=said.model or "",
        dialect=DIALECT,
        spoken=body,
        said=(_read_said(said, body, origin),) if full else (),
        finish=finish or said.stop_reason,
        usage=None if said.usage is None else read_usage(said.usage),
    )


def read_finish(reason: str | None) -> Finish | None:
    """None where there is none yet, or one that the house does not know."""
    return None if reason is None else _FINISHES.get(reason)


def read_usage(said: UsageSaid) -> Usage:
    """Tokens as the house counts them: `input` with the cached ones."""
    read, written = _count(said.cache_read_input_tokens), _count(said.cache_creation_input_tokens)
    details: dict[str, int] = {}
    if said.cache_creation is not None:
        details["cache_write_5m_tokens"] = _count(said.cache_creation.ephemeral_5m_input_tokens)
        details["cache_write_1h_tokens"] = _count(said.cache_creation.ephemeral_1h_input_tokens)
    if said.server_tool_use is not None:
        details["web_searches"] = _count(said.server_tool_use.web_search_requests)
    thought = said.output_tokens_details
    return Usage(
        input=_count(said.input_tokens) + read + written,
        output=_count(said.output_tokens),
        cache_read=read,
        cache_write=written,
        reasoning=_count(thought.thinking_tokens) if thought is not None else 0,
        details={name: count for name, count in details.items() if count},
    )


def read_block(raw: Raw) -> BlockSaid | None:
    """A block of an answer, None where it is of a kind that the house has no word for."""
    return _BLOCK.decode(raw) if _KIND.decode(raw).type in KINDS else None


def read_medium(block: BlockSaid) -> Media | None:
    """An image or a document in an answer: Anthropic sends none, but `reply` does for models that make some."""
    kind = "image" if block.type == "image" else "document"
    match block.source:
        case _Source(type="base64", data=str() as data, media_type=media_type):
            return Media(kind=kind, media_type=media_type, data=data)
        case _Source(type="url", url=str() as url):
            return Media(kind=kind, url=url)
    return None


def _read_said(said: BodySaid, body: bytes, origin: str) -> Said:
    parts: list[Part] = []
    heard: list[Heard] = []
    try:
        for raw in said.content or ():
            block = read_block(raw)
            if block is not None:
                _read_part(parts, heard, block, origin)
    except UNREADABLE as error:
        raise unclear(str(error), body, DIALECT) from None
    return Said(
        parts=tuple(with_signatures(parts, heard)),
        finish=read_finish(said.stop_reason),
        refusal=said.stop_details.explanation if said.stop_details else None,
        stop=said.stop_sequence,
    )


def _read_part(parts: list[Part], heard: list[Heard], block: BlockSaid, origin: str) -> None:
    match block.type:
        case "text":
            parts.append(Text(block.text or ""))
        case "thinking":
            one = hear(block.signature or "", origin)
            parts.append(Thinking(block.thinking or "", one.signature, one.origin, id=one.id))
        case "redacted_thinking":
            one = hear(block.data or "", origin)
            if one.call is None:
                parts.append(Thinking("", one.signature, one.origin, True, one.id))
            else:
                heard.append(one)
        case "tool_use":
            arguments = "{}" if is_null(block.input) else text_of(block.input)
            parts.append(ToolCall(block.id or "", block.name or "", arguments))
        case _:
            medium = read_medium(block)
            if medium is not None:
                parts.append(medium)


def _count(said: int | None) -> int:
    return max(said or 0, 0)
