"""Anthropic's language: what is said back to callers, whole: answers, errors, counts, the list of models.

An answer that came in this language goes back as it came. Streams are `speaking`.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Answer, Finish, Media, Opaque, Part, Said, Task, Text, Thinking, ToolCall, Usage
from fairlead.dialects.anthropic.signing import DIALECT, write_call_signature, write_thinking
from fairlead.dialects.anthropic.turns import Block
from fairlead.dialects.conversation import as_object
from fairlead.dialects.failures import unclear
from fairlead.dialects.reading import UNREADABLE

_UNTHREADED = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
_ENCODER = msgspec.json.Encoder()
_MESSAGE_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_REASONS: dict[Finish | None, str | None] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    None: None,
}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_ID_TABOO = re.compile(r"[^a-zA-Z0-9_-]")


class _Count(Struct):
    input_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


def rename(message: bytes, model: str) -> bytes:
    """A message as it stands, but for who is told to have said it."""
    fields = _MESSAGE_FIELDS.decode(message)
    fields["model"] = Raw(_ENCODER.encode(model))
    return _ENCODER.encode(fields)


def write_answer(answer: Answer, *, created: int, task: Task = "chat", model: str = "") -> bytes:
    """The body for a caller who speaks this language: as it came if it came in it, else written from `said`.

    `model` is who is told to have answered, where it shall not be who did: Claude Code keeps reasoning and its
    signatures only from the very model that it asked.

    There is one choice in this language: of several the first is told. `created` (Unix seconds) only makes an id for an
    answer that has none. What ran at another provider has no words here, nor have sounds and films.
    """
    if answer.spoken is not None and answer.dialect == DIALECT:
        return rename(answer.spoken, model) if model else answer.spoken
    said = answer.said[0] if answer.said else Said()
    body = {
        "id": answer.id or message_id(created),
        "type": "message",
        "role": "assistant",
        "model": model or answer.model,
        "content": _write_parts(said.parts, answer.id),
        **write_ending(said.finish, said.stop, said.refusal, calls=bool(said.tool_calls)),
        "usage": write_usage(answer.usage or Usage()),
    }
    return _ENCODER.encode(body)


def write_ending(finish: Finish | None, stop: str | None, refusal: str | None, *, calls: bool) -> Block:
    """Why it ended. Some say of an answer with tool calls only that it stopped; here that has a name of its own."""
    reason = _REASONS[finish]
    if refusal is not None:
        reason = "refusal"
    elif finish == "stop" and calls:
        reason = "tool_use"
    elif finish == "stop" and stop is not None:
        reason = "stop_sequence"
    ending: Block = {"stop_reason": reason, "stop_sequence": stop}
    if reason == "refusal":
        ending["stop_details"] = {"type": "refusal", "category": None, "explanation": refusal}
    return ending


def write_usage(usage: Usage) -> Block:
    """Counts as Anthropic counts them: `input_tokens` without the cached ones."""
    said: Block = {
        "input_tokens": max(usage.input - usage.cache_read - usage.cache_write, 0),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    short, long = (usage.details.get(f"cache_write_{ttl}_tokens", 0) for ttl in ("5m", "1h"))
    if short or long:
        said["cache_creation"] = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    if searches := usage.details.get("web_searches"):
        said["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    if usage.reasoning:
        said["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return said


def message_id(created: int) -> str:
    return f"msg_{created}"


def call_id(message: str, slot: int) -> str:
    """An id for a tool call that came without one, the same whenever it is asked for."""
    return f"toolu_{_ID_TABOO.sub('_', message)}_{slot}"


def write_medium(media: Media) -> Block | None:
    """An image or a document that a model made, in the shape in which callers send them; None where there is none."""
    if media.kind not in ("image", "document"):
        return None
    if media.data is None:
        return None if media.url is None else {"type": media.kind, "source": {"type": "url", "url": media.url}}
    source = {"type": "base64", "media_type": media.media_type, "data": media.data}
    return {"type": media.kind, "source": source}


def _write_parts(parts: tuple[Part, ...], message: str) -> list[Any]:
    blocks: list[Any] = []
    calls = 0
    for part in parts:
        match part:
            case Text(text=text):
                blocks.append({"type": "text", "text": text})
            case Thinking():
                blocks.append(write_thinking(part))
            case ToolCall():
                call = part if part.id else msgspec.structs.replace(part, id=call_id(message, calls))
                calls += 1
                if call.signature is not None:
                    blocks.append(write_call_signature(call))
                arguments = as_object(call.arguments)
                blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
            case Media():
                medium = write_medium(part)
                if medium is not None:
                    blocks.append(medium)
            case Opaque(dialect=dialect, raw=raw) if dialect == DIALECT:
                blocks.append(raw)
            case Opaque():
                pass
    return blocks


# --- around answers --------------------------------------------------------------------------------------------------


def error_body(
    *,
    status: int,
    message: str,
    type: str,
    code: str,
    param: str | None = None,
    hint: str = "",
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """An error in this language's shape: its own type for the HTTP status, and the house's fields beside the message.

    `type` is the house's word for the kind, which has none here. That there are no threads is said in words that the
    API's own client knows: then it goes on without one, with the whole conversation.
    """
    kind = _ERRORS.get(status) or ("invalid_request_error" if 400 <= status < 500 else "api_error")
    error: Block = {**(extra or {}), "type": kind, "message": message, "code": code}
    if param is not None:
        error["param"] = param
    if hint:
        error["hint"] = hint
    if (code, param) == ("unsupported_feature", "thread"):
        error["details"] = _UNTHREADED
    request_id = error.pop("request_id", None)
    body: Block = {"type": "error", "error": error}
    if request_id is not None:
        body["request_id"] = request_id
    return _ENCODER.encode(body)


def models_body(names: Iterable[str], created: int) -> bytes:
    """The list of what may be asked for, on one page. `created` is in Unix seconds."""
    data = [_model(name, created) for name in names]
    ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return _ENCODER.encode({"data": data, "has_more": False, "first_id": ends[0], "last_id": ends[1]})


def model_body(name: str, created: int) -> bytes:
    """One of them."""
    return _ENCODER.encode(_model(name, created))


def _model(name: str, created: int) -> Block:
    when = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": name, "display_name": name, "created_at": when, "lifecycle": "active"}


def count_body(tokens: int) -> bytes:
    """How many tokens a prompt has."""
    return _ENCODER.encode({"input_tokens": tokens})


def read_count_answer(body: bytes) -> int:
    """The number of tokens that a target counted. Raises TargetUnclear where it told none."""
    try:
        return _COUNT.decode(body).input_tokens
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
