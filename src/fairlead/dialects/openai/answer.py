"""OpenAI's language: whole answers, both ways, and the small bodies around them (errors, the list of models).

An answer that goes back to a caller who speaks the same language is only looked at for the books; its body stays as it
came. Streams are `openai_stream`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Answer, Finish, Part, Said, Task, Text, Thinking, ToolCall, Usage
from fairlead.dialects.failures import failure, unclear
from fairlead.dialects.openai.ask import write_tool_call
from fairlead.dialects.openai.chat import DIALECT
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null

_ENCODER = msgspec.json.Encoder()
_FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class _PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class UsageSaid(Struct):
    """A `usage` object, with the names that providers have for cached tokens."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None
    num_cached_tokens: int | None = None


class FunctionSaid(Struct):
    """A called function. Some servers send the arguments as an object instead of its text."""

    name: str | None = None
    arguments: str | dict[str, Raw] | None = None


class CallSaid(Struct):
    id: str | None = None
    index: int | None = None
    function: FunctionSaid | None = None


class _Message(Struct):
    content: str | list[Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Raw] | list[Raw] | None = None
    tool_calls: list[CallSaid] | None = None
    function_call: FunctionSaid | None = None


class _Choice(Struct):
    finish_reason: str | None = None


class _FullChoice(Struct):
    finish_reason: str | None = None
    message: _Message | None = None
    text: str | None = None
    logprobs: Raw = Raw(b"null")


class _Body(Struct):
    id: str | int | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    data: Raw = Raw(b"null")
    usage: UsageSaid | None = None
    error: Raw = Raw(b"null")


class _FullBody(Struct):
    id: str | int | None = None
    model: str | None = None
    choices: list[_FullChoice] | None = None
    data: Raw = Raw(b"null")
    usage: UsageSaid | None = None
    error: Raw = Raw(b"null")


class _TextPart(Struct):
    type: str = ""
    text: str = ""


_BODY = msgspec.json.Decoder(_Body)
_FULL_BODY = msgspec.json.Decoder(_FullBody)
_TEXT_PART = msgspec.json.Decoder(_TextPart)


def read_answer(body: bytes, *, task: Task = "chat", full: bool = False, origin: str = DIALECT) -> Answer:
    """Read an answer for the books: id, model, finish of the first choice, usage; `spoken` is the body as it came.

    `full` also fills `said`, one per choice. Raises TargetUnclear if this is no answer, and the TargetError that fits
    where it is an error in an answer's clothes.
    """
    try:
        check_utf8(body)
        said = (_FULL_BODY if full else _BODY).decode(body)
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
    if not is_null(said.error):
        raise failure(body, DIALECT)
    if task == "embed":
        if bytes(said.data)[:1] != b"[":
            raise unclear("it has no data", body, DIALECT)
    elif not said.choices:
        raise unclear("it has no choices", body, DIALECT)
    choices = said.choices or []
    return Answer(
        id=str(said.id or ""),
        model=said.model or "",
        dialect=DIALECT,
        spoken=body,
        said=tuple(_said(choice) for choice in choices if isinstance(choice, _FullChoice)),
        finish=(choices[0].finish_reason or None) if choices else None,
        usage=None if said.usage is None else read_usage(said.usage),
    )


def read_usage(said: UsageSaid, spoken: bytes | None = None) -> Usage:
    """Tokens as the house counts them: `input` with the cached ones, `output` with reasoning."""
    prompt, completion = said.prompt_tokens or 0, said.completion_tokens or 0
    details = said.prompt_tokens_details
    detailed = details.cached_tokens if details else None
    cached = detailed or said.prompt_cache_hit_tokens or said.cached_tokens or said.num_cached_tokens or 0
    written = (details.cache_write_tokens if details else None) or 0
    reasoning = (said.completion_tokens_details.reasoning_tokens if said.completion_tokens_details else None) or 0
    if reasoning and said.total_tokens == prompt + completion + reasoning:
        completion += reasoning  # some providers count reasoning beside the completion, and bill both
    return Usage(max(prompt, 0), max(completion, 0), max(cached, 0), max(written, 0), max(reasoning, 0), False, spoken)


def read_finish(said: str | None) -> Finish | None:
    """None where there is none yet, or one that the house does not know."""
    return None if said is None else _FINISHES.get(said)


def read_text(content: str | list[Raw] | None) -> str:
    """The text of a content that may come in parts; parts that are no text have none."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for raw in content or ():
        try:
            part = _TEXT_PART.decode(raw)
        except UNREADABLE:
            continue
        texts.append(part.text)
    return "".join(texts)


def read_arguments(arguments: str | dict[str, Raw] | None) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return _ENCODER.encode(arguments).decode()


def is_call(said: FunctionSaid | None) -> bool:
    """Some servers always send a `function_call`, with nothing in it where nothing is called."""
    return said is not None and bool(said.name or said.arguments)


def _said(choice: _FullChoice) -> Said:
    message = choice.message
    finish = read_finish(choice.finish_reason)
    logprobs = None if is_null(choice.logprobs) else choice.logprobs
    if message is None:
        return Said((Text(choice.text),) if choice.text else (), finish, logprobs=logprobs)
    reasoning = message.reasoning_content
    if reasoning is None and isinstance(message.reasoning, str):
        reasoning = message.reasoning
    parts: list[Part] = [Thinking(reasoning)] if reasoning else []
    if text := read_text(message.content):
        parts.append(Text(text))
    parts += _read_calls(message)
    return Said(tuple(parts), finish, message.refusal, logprobs=logprobs)


def _read_calls(message: _Message) -> tuple[ToolCall, ...]:
    calls = [
        ToolCall(call.id or f"call_{position}", call.function.name or "", read_arguments(call.function.arguments))
        for position, call in enumerate(message.tool_calls or ())
        if call.function is not None
    ]
    if message.function_call is not None and is_call(message.function_call):
        call = message.function_call
        calls.append(ToolCall("call_0", call.name or "", read_arguments(call.arguments)))
    return tuple(calls)


def write_answer(answer: Answer, *, created: int, task: Task = "chat") -> bytes:
    """The body for a caller who speaks OpenAI's language: as it came if it came in it, else written from `said`.

    `created` is in Unix seconds.
    """
    if answer.spoken is not None and answer.dialect == DIALECT:
        return answer.spoken
    chat = task == "chat"
    body: dict[str, Any] = {
        "id": answer.id,
        "object": "chat.completion" if chat else "text_completion",
        "created": created,
        "model": answer.model,
        "choices": [
            _write_choice(index, said) if chat else _write_text_choice(index, said)
            for index, said in enumerate(answer.said)
        ],
    }
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    return _ENCODER.encode(body)


def _write_choice(index: int, said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": said.refusal}
    if said.reasoning is not None:
        message["reasoning_content"] = said.reasoning
    if said.tool_calls:
        message["tool_calls"] = [write_tool_call(call) for call in said.tool_calls]
    return {"index": index, "message": message, "logprobs": said.logprobs, "finish_reason": said.finish}


def _write_text_choice(index: int, said: Said) -> dict[str, Any]:
    return {"index": index, "text": said.text or "", "logprobs": said.logprobs, "finish_reason": said.finish}


def write_usage(usage: Usage) -> dict[str, Any]:
    prompt_details = {"cached_tokens": usage.cache_read}
    if usage.cache_write:
        prompt_details["cache_write_tokens"] = usage.cache_write
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def error_body(
    *,
    status: int = 500,
    message: str,
    type: str,
    code: str,
    param: str | None = None,
    hint: str = "",
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """An error in OpenAI's shape, with the house's `hint` and what is in `extra` beside its four fields."""
    error: dict[str, Any] = {"message": message, "type": type, "param": param, "code": code}
    if hint:
        error["hint"] = hint
    return _ENCODER.encode({"error": {**(extra or {}), **error}})


def models_body(names: Iterable[str], created: int) -> bytes:
    """The list of what may be asked for, as `/models` gives it. `created` is in Unix seconds."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "fairlead"} for name in names]
    return _ENCODER.encode({"object": "list", "data": data})
