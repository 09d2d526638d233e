"""Bedrock's language: whole answers, both ways. Streams are `stream.py`, errors `failure.py`.

An answer that goes back to a caller who speaks the same language is only looked at for the books; its body stays as it
came. Neither an id nor the model's name is told in one. A citation has no word in the house: its text stays.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Answer, Finish, Media, Opaque, Part, Said, Task, Text, Thinking, ToolCall, Usage
from fairlead.dialects.bedrock.content import Block, Whole, read_part, unchecked
from fairlead.dialects.bedrock.failure import Failure, failure
from fairlead.dialects.bedrock.formats import S3, DocumentNames, format_of
from fairlead.dialects.bedrock.signing import (
    DIALECT,
    CallSignature,
    with_signatures,
    write_call_signature,
    write_reasoning,
)
from fairlead.dialects.conversation import as_object
from fairlead.dialects.failures import unclear
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null
from fairlead.errors import RequestInvalid, TargetError

# What is not in here (a reason of tomorrow, a malformed answer) becomes no finish at all: none is made up. A full
# context window is an end for want of room, not of something to say.
FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_REASONS: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
}
_NULL = Raw(b"null")
_ENCODER = msgspec.json.Encoder()
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


class _CacheDetail(Struct, rename="camel"):
    ttl: str = ""
    input_tokens: int = 0


class UsageSaid(Struct, rename="camel"):
    """Tokens; `input` without the cached ones. Some servers give a second name to each count of the cache."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_read_input_token_count: int | None = None
    cache_write_input_token_count: int | None = None
    cache_details: list[_CacheDetail] | None = None


class _Router(Struct, rename="camel"):
    invoked_model_id: str = ""


class _Trace(Struct, rename="camel"):
    prompt_router: _Router | None = None


class _Message(Struct):
    content: list[Block] | None = None


class _FullOutput(Struct):
    message: _Message | None = None


class _SlimOutput(Struct):
    message: Raw = _NULL


class _Slim(Struct, rename="camel"):
    output: _SlimOutput | None = None
    stop_reason: str | None = None
    usage: UsageSaid | None = None
    trace: _Trace | None = None


class _Full(Struct, rename="camel"):
    output: _FullOutput | None = None
    stop_reason: str | None = None
    usage: UsageSaid | None = None
    trace: _Trace | None = None
    additional_model_response_fields: Raw = _NULL


class _StopTold(Struct):
    stop_sequence: str | None = None
    delta: "_StopTold | None" = None


class _CitedText(Struct):
    text: str = ""


class _Cited(Struct):
    content: list[_CitedText] | None = None


_SLIM = msgspec.json.Decoder(_Slim)
_FULL = msgspec.json.Decoder(_Full)
_STOP_TOLD = msgspec.json.Decoder(_StopTold)
_CITED = msgspec.json.Decoder(_Cited)
_FAILURE = msgspec.json.Decoder(Failure)


def read_answer(body: bytes, *, task: Task = "chat", full: bool = False, origin: str = DIALECT) -> Answer:
    """Read an answer for the books: finish and usage; `spoken` is the body as it came.

    `full` also fills `said`. Raises TargetUnclear if this is no answer, and the TargetError that fits where it is an
    error in an answer's clothes. `origin` is who signed the reasoning.
    """
    try:
        check_utf8(body)
        said = (_FULL if full else _SLIM).decode(body)
        output = said.output
        if output is None or output.message is None or (isinstance(output, _SlimOutput) and is_null(output.message)):
            raise _no_answer(body)
        finish = FINISHES.get(said.stop_reason or "")
        spoken = (_read_said(said, body, finish, origin),) if isinstance(said, _Full) else ()
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
    except RequestInvalid as error:  # how a block that holds nothing is told
        raise unclear(error.message, body, DIALECT) from None
    return Answer(
        model=said.trace.prompt_router.invoked_model_id if said.trace and said.trace.prompt_router else "",
        dialect=DIALECT,
        spoken=body,
        said=spoken,
        finish=finish or said.stop_reason or None,
        usage=None if said.usage is None else read_usage(said.usage),
    )


def _no_answer(body: bytes) -> TargetError:
    told = _FAILURE.decode(body)
    return failure(told.name, body) if told.name or told.told else unclear("it has no output", body, DIALECT)


def _read_said(said: _Full, body: bytes, finish: Finish | None, origin: str) -> Said:
    content = (said.output.message.content if said.output and said.output.message else None) or []
    whole = Whole(lambda: _content_of(body))
    parts = [_read_said_part(block, whole, at, origin) for at, block in enumerate(content) if block.cache_point is None]
    return Said(tuple(with_signatures(parts)), finish, stop=read_stop(said.additional_model_response_fields))


def _read_said_part(block: Block, whole: Whole, position: int, origin: str) -> Part | CallSignature:
    part = read_part(block, whole, position, "output.message.content", origin, unchecked)
    if isinstance(part, Opaque) and part.kind == "citationsContent":
        cited = _CITED.decode(_OBJECT.decode(part.raw)["citationsContent"])
        return Text("".join(piece.text for piece in cited.content or ()))
    return part


def _content_of(body: bytes) -> Raw:
    message = _OBJECT.decode(_OBJECT.decode(_OBJECT.decode(body)["output"])["message"])
    return message["content"]


def read_stop(told: Raw) -> str | None:
    """The stop sequence that matched, where Claude was asked to tell; other things may stand there too."""
    if bytes(told)[:1] != b"{":
        return None
    try:
        found = _STOP_TOLD.decode(told)
    except UNREADABLE:
        return None
    return found.stop_sequence or (found.delta.stop_sequence if found.delta else None)


def read_usage(said: UsageSaid, spoken: bytes | None = None) -> Usage:
    """Tokens as the house counts them: `input` with the cached ones."""
    read = said.cache_read_input_tokens or said.cache_read_input_token_count or 0
    written = said.cache_write_input_tokens or said.cache_write_input_token_count or 0
    return Usage(
        (said.input_tokens or 0) + read + written,
        said.output_tokens or 0,
        read,
        written,
        spoken=spoken,
        details={
            f"cache_write_{detail.ttl}_tokens": detail.input_tokens
            for detail in said.cache_details or ()
            if detail.ttl in ("5m", "1h") and detail.input_tokens > 0
        },
    )


# --- to a caller -----------------------------------------------------------------------------------------------------


def write_answer(answer: Answer, *, created: int, task: Task = "chat") -> bytes:
    """The body for a caller who speaks Bedrock's language: as it came if it came in it, else written from `said`.

    There is one choice in an answer here, the first. How long it took stands in the books and is not known here, yet
    clients count on the field. A refusal is a text that ends as filtered.
    """
    if answer.spoken is not None and answer.dialect == DIALECT:
        return answer.spoken
    said = answer.said[0] if answer.said else Said()
    body: dict[str, Any] = {"output": {"message": {"role": "assistant", "content": _write_content(said)}}}
    reason = write_reason(said.finish, said.stop, refused=bool(said.refusal))
    if reason is not None:
        body["stopReason"] = reason
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    body["metrics"] = {"latencyMs": 0}
    if said.stop is not None:
        body["additionalModelResponseFields"] = {"stop_sequence": said.stop}
    return _ENCODER.encode(body)


def write_reason(finish: Finish | None, stop: str | None, *, refused: bool) -> str | None:
    if finish == "stop":
        return "content_filtered" if refused else "stop_sequence" if stop is not None else "end_turn"
    return None if finish is None else _REASONS[finish]


def write_usage(usage: Usage) -> dict[str, Any]:
    said: dict[str, Any] = {
        "inputTokens": max(usage.input - usage.cache_read - usage.cache_write, 0),
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_write,
    }
    counts = ((ttl, usage.details.get(f"cache_write_{ttl}_tokens", 0)) for ttl in ("1h", "5m"))
    details = [{"ttl": ttl, "inputTokens": count} for ttl, count in counts if count]
    if details:
        said["cacheDetails"] = details
    return said


def _write_content(said: Said) -> list[Any]:
    names = DocumentNames()
    blocks = [block for part in said.parts for block in _write_part(part, names)]
    if said.refusal:
        blocks.append({"text": said.refusal})
    return blocks


def _write_part(part: Part, names: DocumentNames) -> list[Any]:
    match part:
        case Text(text=text):
            return [{"text": text}]
        case ToolCall():
            call = {"toolUseId": part.id, "name": part.name, "input": as_object(part.arguments)}
            if part.signature is None:
                return [{"toolUse": call}]
            signature = write_call_signature(part.id, part.signature, part.origin)
            return [{"toolUse": call}, {"reasoningContent": signature}]
        case Thinking():
            return [{"reasoningContent": write_reasoning(part)}]
        case Media():
            return _write_media(part, names)
        case Opaque(raw=raw, dialect=dialect):
            return [raw] if dialect == DIALECT else []


def _write_media(media: Media, names: DocumentNames) -> list[Any]:
    """What was generated; nothing where there is no word for it."""
    format = format_of(media)
    if format is None or (media.data is None and not (media.url or "").startswith(S3)):
        return []
    source = {"bytes": media.data} if media.data is not None else {"s3Location": {"uri": media.url}}
    block = {"format": format, "source": source}
    return [{media.kind: block | {"name": names.give(media.name)} if media.kind == "document" else block}]
