"""OpenAI's language: whole answers, both ways, and the small bodies around them (errors, the list of models).

An answer that goes back to a caller who speaks the same language is only looked at for the books; its body stays as it
came. Streams are `stream` and `telling`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Answer, Media, Part, Said, Task, Text, ToolCall
from fairlead.dialects.failures import failure, unclear
from fairlead.dialects.openai.embed import Encoding, read_vectors, write_vectors
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.openai.pieces import (
    CallSaid,
    FunctionSaid,
    choice_failure,
    failed,
    is_call,
    lenient,
    read_arguments,
    read_audio,
    read_content,
    read_finish,
    read_images,
    read_signature,
    read_stop,
    write_images,
)
from fairlead.dialects.openai.reasoning import DETAILS, EXTRA_CONTENT, with_reasoning, write_details, write_extra
from fairlead.dialects.openai.turns import placed, write_call
from fairlead.dialects.openai.usage import take_usage, write_usage
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null
from fairlead.dialects.signatures import wrap

_NULL = Raw(b"null")


class _Message(Struct):
    content: str | list[Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Raw] | list[Raw] | None = None
    reasoning_details: Raw = _NULL
    tool_calls: list[CallSaid] | None = None
    function_call: FunctionSaid | None = None
    extra_content: Raw = _NULL
    images: Raw = _NULL
    audio: Raw = _NULL


class _Choice(Struct):
    finish_reason: str | None = None
    error: Raw = _NULL


class _FullChoice(Struct):
    finish_reason: str | None = None
    error: Raw = _NULL
    message: _Message | None = None
    text: str | None = None
    logprobs: Raw = _NULL
    stop_reason: str | int | None = None
    matched_stop: str | int | None = None


class _Body(Struct):
    id: str | int | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    data: Raw = _NULL
    usage: Raw = _NULL
    error: Raw = _NULL


class _FullBody(Struct):
    id: str | int | None = None
    model: str | None = None
    choices: list[_FullChoice] | None = None
    data: Raw = _NULL
    usage: Raw = _NULL
    error: Raw = _NULL


_BODY = msgspec.json.Decoder(_Body)
_FULL_BODY = msgspec.json.Decoder(_FullBody)
_ENCODER = msgspec.json.Encoder()


# --- inwards ---------------------------------------------------------------------------------------------------------


def read_answer(body: bytes, *, task: Task = "chat", full: bool = False, origin: str = DIALECT) -> Answer:
    """Read an answer for the books: id, model, finish of the first choice, usage; `spoken` is the body as it came.

    `full` also fills `said`, one per choice, and `vectors`; what is signed there was signed by `origin`. Raises
    TargetUnclear if this is no answer, and the TargetError that fits where it is an error in an answer's clothes.
    """
    try:
        if not body.isascii():
            check_utf8(body)
        said = (_FULL_BODY if full else _BODY).decode(body)
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
    if said.error is not _NULL and failed(said.error):
        raise failure(body, DIALECT)
    choices = said.choices or []
    if task == "embed":
        if bytes(said.data)[:1] != b"[":
            raise unclear("it has no data", body, DIALECT)
    elif not choices:
        raise unclear("it has no choices", body, DIALECT)
    for choice in choices:
        if choice.error is not _NULL and failed(choice.error):
            raise choice_failure(choice.error)
    return Answer(
        id=str(said.id or ""),
        model=said.model or "",
        dialect=DIALECT,
        spoken=body,
        said=tuple([_said(choice, origin) for choice in choices if isinstance(choice, _FullChoice)]) if full else (),
        vectors=read_vectors(said.data, body) if full and task == "embed" else None,
        finish=(choices[0].finish_reason or None) if choices else None,
        usage=take_usage(said.usage),
    )


def _said(choice: _FullChoice, origin: str) -> Said:
    message = choice.message
    finish = read_finish(choice.finish_reason)
    logprobs = None if is_null(choice.logprobs) else choice.logprobs
    stop = read_stop(choice.stop_reason, choice.matched_stop)
    if message is None:
        return Said((Text(choice.text),) if choice.text else (), finish, None, stop, logprobs)
    return Said(_read_message(message, origin), finish, message.refusal or None, stop, logprobs)


def _read_message(message: _Message, origin: str) -> tuple[Part, ...]:
    parts = read_content(message.content)
    if not is_null(message.images):
        parts += read_images(message.images)
    if not is_null(message.audio):
        data, transcript = read_audio(message.audio)
        if transcript and not parts:
            parts.append(Text(transcript))
        if data:
            parts.append(Media(kind="audio", data=data))
    parts += _read_calls(message, origin)
    told = message.reasoning_content or (message.reasoning if isinstance(message.reasoning, str) else "")
    details = None if is_null(message.reasoning_details) else lenient(DETAILS, message.reasoning_details)
    extra = None if is_null(message.extra_content) else lenient(EXTRA_CONTENT, message.extra_content)
    return with_reasoning(parts, told, details or (), extra, origin) if told or details or extra else tuple(parts)


def _read_calls(message: _Message, origin: str) -> list[Part]:
    calls: list[Part] = [
        read_call(call, position, origin)
        for position, call in enumerate(message.tool_calls or ())
        if call.function is not None
    ]
    if message.function_call is not None and is_call(message.function_call):
        calls.append(read_call(CallSaid(function=message.function_call), 0, origin))
    return calls


def read_call(call: CallSaid, position: int, origin: str) -> ToolCall:
    function = call.function or FunctionSaid()
    signature, signer = read_signature(call, origin)
    arguments = read_arguments(function.arguments)
    return ToolCall(call.id or f"call_{position}", function.name or "", arguments, signature, signer)


# --- outwards --------------------------------------------------------------------------------------------------------


def write_answer(answer: Answer, *, created: int, task: Task = "chat", encoding: Encoding = "float") -> bytes:
    """The body for a caller who speaks OpenAI's language: as it came if it came in it, else written from what was said.

    `created` is in Unix seconds; `encoding` is how the caller of an embedding wants its numbers.
    """
    if answer.spoken is not None and answer.dialect == DIALECT:
        return answer.spoken
    if task == "embed":
        return _ENCODER.encode(write_vectors(answer, encoding))
    chat = task == "chat"
    body: dict[str, Any] = {
        "id": answer.id,
        "object": "chat.completion" if chat else "text_completion",
        "created": created,
        "model": answer.model,
        "choices": [_write_choice(index, said, chat) for index, said in enumerate(answer.said)],
    }
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    return _ENCODER.encode(body)


def _write_choice(index: int, said: Said, chat: bool) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": index}
    if chat:
        choice["message"] = _write_message(said)
    else:
        choice["text"] = said.text or ""
    choice["logprobs"] = said.logprobs
    choice["finish_reason"] = said.finish
    if said.stop is not None:
        choice["stop_reason"] = said.stop
    return choice


def _write_message(said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": said.refusal}
    if thoughts := placed(said.parts, apart=False):
        if told := "".join(part.text for _, part in thoughts):
            message["reasoning_content"] = told
        if any(part.signature is not None for _, part in thoughts):
            message["reasoning_details"] = [
                detail for index, part in thoughts for detail in write_details(part, index, bare=part.origin == DIALECT)
            ]
    calls = [_write_call(part) for part in said.parts if isinstance(part, ToolCall)]
    if calls:
        message["tool_calls"] = calls
    media = [part for part in said.parts if isinstance(part, Media)]
    if images := [part for part in media if part.kind == "image"]:
        message["images"] = write_images(images)
    if sound := next((part for part in media if part.kind == "audio" and part.data), None):
        message["audio"] = {"id": "", "data": sound.data, "expires_at": 0, "transcript": ""}
    return message


def _write_call(call: ToolCall) -> dict[str, Any]:
    said = write_call(call)
    if call.signature is not None:
        said["extra_content"] = write_extra(wrap(call.signature, call.origin, DIALECT))
    return said


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
    """An error in OpenAI's shape, with the house's `hint` and what is in `extra` beside its four fields.

    The status is not repeated in it: `type` is already in OpenAI's words.
    """
    error: dict[str, Any] = {"message": message, "type": type, "param": param, "code": code}
    if hint:
        error["hint"] = hint
    return _ENCODER.encode({"error": {**(extra or {}), **error}})


def models_body(names: Iterable[str], created: int) -> bytes:
    """The list of what may be asked for, as `/models` gives it. `created` is in Unix seconds."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "fairlead"} for name in names]
    return _ENCODER.encode({"object": "list", "data": data})
