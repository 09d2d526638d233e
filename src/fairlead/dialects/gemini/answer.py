"""Gemini's language: whole answers, both ways, and the small bodies around them (errors, counts, the list of models).

An answer that goes back to a caller who speaks the same language is only looked at for the books; its body stays as it
came.

| in the house | here |
|---|---|
| stop, tool_calls; length; content_filter | STOP; MAX_TOKENS; SAFETY |
| a refusal | SAFETY, with what was said in `finishMessage` |
| a prompt that was blocked (`promptFeedback`) | a refusal without any parts |
| ends that are none (MALFORMED_FUNCTION_CALL, OTHER, ...) | TargetFailed; but a call that came is a call |
| another provider's signature | wrapped, see `signing` |
| which stop sequence ended it, tokens written to a cache | no word |
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Answer, Finish, Media, Opaque, Part, Said, Task, Text, Thinking, ToolCall, Usage
from fairlead.dialects import failures
from fairlead.dialects.conversation import as_object
from fairlead.dialects.failures import failure, unclear
from fairlead.dialects.gemini.embed import read_vectors, write_vectors
from fairlead.dialects.gemini.logprobs import read_logprobs, write_logprobs
from fairlead.dialects.gemini.media import write_media
from fairlead.dialects.gemini.names import DIALECT, LANGUAGE
from fairlead.dialects.gemini.said import (
    BODY,
    Body,
    Candidate,
    count_searches,
    read_finish,
    read_parts,
    read_refusal,
    read_usage,
)
from fairlead.dialects.gemini.signing import wrap
from fairlead.dialects.gemini.turns import sign_last
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null

_ENCODER = msgspec.json.Encoder()
_WORDS: dict[Finish, str] = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}


# --- read ------------------------------------------------------------------------------------------------------------


def read_answer(body: bytes, *, task: Task = "chat", full: bool = False, origin: str = DIALECT) -> Answer:
    """Read an answer for the books: id, model, finish of the first choice, usage; `spoken` is the body as it came.

    `full` also fills `said`, one per candidate, or `vectors`. Raises TargetUnclear if this is no answer, and the
    TargetError that fits where it is an error in an answer's clothes or an end that is no answer.
    """
    if task == "embed":
        return read_vectors(body, full=full)
    try:
        check_utf8(body)
        said = BODY.decode(body)
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
    if not is_null(said.error):
        raise failure(body, DIALECT)
    candidates = sorted(said.candidates or (), key=lambda candidate: candidate.index or 0)
    choices = tuple(_read_choice(said, candidate, body, origin, full=full) for candidate in candidates)
    if not choices:
        if (refusal := said.blocked) is None:
            raise unclear("it has no candidates", body, DIALECT)
        choices = (Said(refusal=refusal, finish="content_filter"),)
    usage = said.usage_metadata
    return Answer(
        id=said.response_id or "",
        model=said.model_version or "",
        dialect=DIALECT,
        spoken=body,
        said=choices if full else (),
        finish=choices[0].finish or (candidates[0].finish_reason if candidates else None),
        usage=None if usage is None else read_usage(usage, count_searches(candidates)),
    )


def _read_choice(said: Body, candidate: Candidate, body: bytes, origin: str, *, full: bool) -> Said:
    called = any(part.function_call is not None for part in candidate.parts)
    finish = read_finish(candidate, called=called, body=body)
    if not full:
        return Said(finish=finish)
    place = (said.candidates or []).index(candidate)
    return Said(
        parts=tuple(read_parts(candidate, place, said.response_id or "", body, origin)),
        finish=finish,
        refusal=read_refusal(candidate, finish),
        logprobs=None if is_null(candidate.logprobs_result) else read_logprobs(candidate.logprobs_result),
    )


# --- written ---------------------------------------------------------------------------------------------------------


def write_answer(answer: Answer, *, created: int, task: Task = "chat") -> bytes:
    """The body for a caller who speaks Gemini's language: as it came if it came in it, else written anew.

    When it was made (`created`) is not told here.
    """
    if answer.spoken is not None and answer.dialect == DIALECT:
        return answer.spoken
    if task == "embed" or answer.vectors is not None:
        return write_vectors(answer)
    body: dict[str, Any] = {
        "candidates": [write_candidate(index, said) for index, said in enumerate(answer.said)],
        "modelVersion": answer.model,
        "responseId": answer.id,
    }
    if answer.usage is not None:
        body["usageMetadata"] = write_usage(answer.usage)
    return _ENCODER.encode(body)


def write_candidate(index: int, said: Said) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": write_parts(said.parts), "role": "model"}}
    candidate.update(write_end(said.finish, said.refusal))
    candidate["index"] = index
    if said.logprobs is not None and (logprobs := write_logprobs(said.logprobs)) is not None:
        candidate["logprobsResult"] = logprobs
    return candidate


def write_end(finish: Finish | None, refusal: str | None) -> dict[str, str]:
    if refusal:
        return {"finishReason": "SAFETY", "finishMessage": refusal}
    return {} if finish is None else {"finishReason": _WORDS[finish]}


def write_parts(parts: Iterable[Part]) -> list[dict[str, Any] | Raw]:
    written: list[dict[str, Any] | Raw] = []
    for part in parts:
        match part:
            case Text(text=text):
                written.append({"text": text})
            case ToolCall():
                written.append(write_call(part))
            case Thinking():
                _write_thinking(part, written)
            case Media():
                written.append(write_medium(part))
            case Opaque(raw=raw, dialect=dialect):
                written += [raw] if dialect == DIALECT else []
    return written


def write_call(call: ToolCall) -> dict[str, Any]:
    said = {"functionCall": {"id": call.id, "name": call.name, "args": as_object(call.arguments)}}
    return said if call.signature is None else {**said, "thoughtSignature": wrap(call)}


def write_medium(medium: Media) -> dict[str, Any]:
    """Who made it may keep it: a file's id goes to the caller as it stands."""
    return write_media(medium, "", Losses(LANGUAGE, lossy=True), medium.origin, name=None) or {}


def _write_thinking(part: Thinking, written: list[dict[str, Any] | Raw]) -> None:
    signature = wrap(part)
    if not part.text and part.origin == DIALECT and signature is not None:
        sign_last(written, signature)
    else:
        written.append(write_thought(part.text, signature))


def write_thought(text: str, signature: str | None) -> dict[str, Any]:
    said: dict[str, Any] = {"text": text, "thought": True}
    return said if signature is None else {**said, "thoughtSignature": signature}


def write_usage(usage: Usage) -> dict[str, Any]:
    """Tokens written to a cache are among the prompt's; there is no word for them alone."""
    said: dict[str, Any] = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": max(usage.output - usage.reasoning, 0),
        "totalTokenCount": usage.input + usage.output,
    }
    if usage.reasoning:
        said["thoughtsTokenCount"] = usage.reasoning
    if usage.cache_read:
        said["cachedContentTokenCount"] = usage.cache_read
    if usage.details:
        _write_details(said, "promptTokensDetails", usage, ("input_audio", "input_image", "input_video"), usage.input)
        _write_details(said, "candidatesTokensDetails", usage, ("output_audio", "output_image"), usage.output)
        caches = ("cache_audio_read", "cache_image_read", "cache_video_read")
        _write_details(said, "cacheTokensDetails", usage, caches, usage.cache_read)
    return said


def _write_details(said: dict[str, Any], name: str, usage: Usage, units: tuple[str, ...], total: int) -> None:
    """Counts by modality; what is left of the total is text."""
    counts = {unit.split("_")[1].upper(): usage.details.get(f"{unit}_tokens", 0) for unit in units}
    counts = {modality: count for modality, count in counts.items() if count}
    if counts:
        text = total - sum(counts.values())
        counts |= {"TEXT": text} if text > 0 else {}
        said[name] = [{"modality": modality, "tokenCount": count} for modality, count in counts.items()]


# --- errors ----------------------------------------------------------------------------------------------------------

_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 402: "FAILED_PRECONDITION", 403: "PERMISSION_DENIED",
    404: "NOT_FOUND", 409: "ABORTED", 413: "INVALID_ARGUMENT", 422: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 502: "UNAVAILABLE", 503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_RPC = "type.googleapis.com/google.rpc."


class _Detail(Struct):
    reason: str = ""


class _Error(Struct):
    status: str = ""
    details: list[_Detail] | None = None


class _ErrorBody(Struct):
    error: _Error


_ERROR = msgspec.json.Decoder(_ErrorBody | list[_ErrorBody])


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
    """An error in Google's shape. `code` is the HTTP status there: the house's code is the `reason` of an ErrorInfo,
    with `hint` and what is in `extra`; `param` is a violated field. Google has a `status` of its own for `type`.
    """
    told = dict(extra or {}) | ({"hint": hint} if hint else {})
    metadata = {name: _text(value) for name, value in told.items()}
    details: list[dict[str, Any]] = [
        {"@type": f"{_RPC}ErrorInfo", "reason": code.upper(), "domain": "fairlead", "metadata": metadata}
    ]
    if param is not None:
        violation = {"field": param, "description": message}
        details.append({"@type": f"{_RPC}BadRequest", "fieldViolations": [violation]})
    wait_s = (extra or {}).get("retry_after_s")
    if isinstance(wait_s, int | float):
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{wait_s}s"})
    word = _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    return _ENCODER.encode({"error": {"code": status, "message": message, "status": word, "details": details}})


def _text(value: Any) -> str:
    """What is no text as JSON: an ErrorInfo takes nothing else."""
    return value if isinstance(value, str) else _ENCODER.encode(value).decode()


def read_error(status: int, body: bytes) -> tuple[str, str]:
    """(message, code) of an error body; never raises. The code is Google's reason where one is given, else its status
    word.
    """
    message, code = failures.read_error(status, body)
    try:
        said = _ERROR.decode(body)
    except UNREADABLE:
        return message, code
    for one in said if isinstance(said, list) else [said]:  # a stream that never began is an array of one
        reason = next((detail.reason for detail in one.error.details or () if detail.reason), "")
        return message, reason or one.error.status or code
    return message, code


# --- counts and models -----------------------------------------------------------------------------------------------


class _Tokens(Struct, rename="camel"):
    total_tokens: int


_TOKENS = msgspec.json.Decoder(_Tokens)


def read_count_answer(body: bytes) -> int:
    """The number of tokens that a target counted. Raises TargetUnclear where it told none."""
    try:
        return _TOKENS.decode(body).total_tokens
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None


def count_body(tokens: int) -> bytes:
    """How many tokens a prompt has."""
    return _ENCODER.encode({"totalTokens": tokens})


def models_body(names: Iterable[str], created: int) -> bytes:
    """The list of what may be asked for. When it was made (`created`) is not told here."""
    methods = ["generateContent", "countTokens", "embedContent", "batchEmbedContents"]
    models = [{"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods} for name in names]
    return _ENCODER.encode({"models": models})
