"""OpenAI's Responses: whole answers of a target -> the house language.

An answer that goes back to a caller who speaks the same language is only looked at for the books; its body stays as it
came. Streams are `reader`.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from fairlead.chat import Answer, Finish, Opaque, Part, Said, Task, Text, Thinking, ToolCall
from fairlead.dialects.failures import failure, unclear
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null
from fairlead.dialects.responses.items import (
    NULL,
    AnyItem,
    Item,
    has_picture,
    read_call,
    read_item,
    read_picture,
    read_reasoning,
    read_signature,
)
from fairlead.dialects.responses.language import DIALECT
from fairlead.dialects.responses.signing import Heard
from fairlead.dialects.responses.usage import take_usage
from fairlead.errors import RequestInvalid

# Why an answer was cut off. What is not in here (a reason of tomorrow) becomes no finish at all: none is made up.
_CUTS: dict[str, Finish] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "max_messages": "length",
    "content_filter": "content_filter",
}


class _Cut(Struct):
    reason: str | None = None


class _Slim(Struct):
    type: str | None = None


class Slim(Struct):
    """A response, as far as the books go."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[_Slim] | None = None
    incomplete_details: _Cut | None = None
    usage: Raw = NULL
    tool_usage: Raw = NULL
    error: Raw = NULL


class Full(Struct):
    """A response with what it says."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[Raw] | None = None
    incomplete_details: _Cut | None = None
    usage: Raw = NULL
    tool_usage: Raw = NULL
    error: Raw = NULL


class _Content(Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    logprobs: Raw = NULL


class _Count(Struct):
    input_tokens: int | None = None


_SLIM = msgspec.json.Decoder(Slim)
_FULL = msgspec.json.Decoder(Full)
_KIND = msgspec.json.Decoder(_Slim)
_CONTENT = msgspec.json.Decoder(_Content)
_COUNT = msgspec.json.Decoder(_Count)


class Told(Struct):
    """What one item of an output says. `logprobs` is the inside of a JSON list."""

    parts: tuple[Part, ...] = ()
    refusal: str = ""
    logprobs: bytes = b""
    signs: Heard | None = None  # a tool call


def read_answer(body: bytes, *, task: Task = "chat", full: bool = False, origin: str = DIALECT) -> Answer:
    """Read a response for the books: id, model, finish, usage; `spoken` is the body as it came.

    `full` also fills `said`, whose reasoning is signed by `origin`. Raises TargetUnclear if this is no response, and
    the TargetError that fits where it failed.
    """
    try:
        check_utf8(body)
        said = (_FULL if full else _SLIM).decode(body)
        if said.status == "failed" or not is_null(said.error):
            raise failure(body, DIALECT)
        if said.output is None:
            raise unclear("it has no output", body, DIALECT)
        finish = read_finish(said.status, said.incomplete_details, kinds_of(said))
        choices = (_read_output(said.output, finish, origin),) if isinstance(said, Full) else ()
    except (*UNREADABLE, RequestInvalid) as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
    return Answer(
        id=said.id or "",
        model=said.model or "",
        dialect=DIALECT,
        spoken=body,
        said=choices,
        finish=finish or said.status,
        usage=take_usage(said.usage, said.tool_usage),
    )


def read_count_answer(body: bytes) -> int:
    """How many tokens the target counted. Raises TargetUnclear if it told no count."""
    try:
        tokens = _COUNT.decode(body).input_tokens
    except UNREADABLE as error:
        raise unclear(str(error), body, DIALECT) from None
    if tokens is None:
        raise unclear("it has no count of tokens", body, DIALECT)
    return tokens


def kinds_of(said: Slim | Full) -> list[str | None]:
    """The types of the items in an output."""
    if isinstance(said, Slim):
        return [item.type for item in said.output or ()]
    return [_KIND.decode(raw).type for raw in said.output or ()]


def read_finish(status: str | None, cut: _Cut | None, kinds: Sequence[str | None]) -> Finish | None:
    """None where the response is not at its end (queued, in progress), or at one that the house does not know."""
    if status == "completed":
        return "tool_calls" if "function_call" in kinds else "stop"
    return _CUTS.get(cut.reason or "") if status == "incomplete" and cut is not None else None


# --- what is said ----------------------------------------------------------------------------------------------------


def _read_output(output: list[Raw], finish: Finish | None, origin: str) -> Said:
    parts: list[Part] = []
    refusals: list[str] = []
    logprobs: list[bytes] = []
    signatures: dict[str, Heard] = {}
    for position, raw in enumerate(output):
        told = read_output_item(raw, f"output[{position}]", origin)
        parts += told.parts
        refusals.append(told.refusal)
        if told.signs is not None and told.signs.name is not None:
            signatures[told.signs.name] = told.signs
        if told.logprobs:
            logprobs.append(told.logprobs)
    return Said(
        parts=tuple(signed(part, signatures) if signatures else part for part in parts),
        finish=finish,
        refusal="".join(refusals) or None,
        logprobs=write_logprobs(b",".join(logprobs)) if logprobs else None,
    )


def signed(part: Part, signatures: dict[str, Heard]) -> Part:
    """A tool call with its signature, where one of them is its."""
    heard = signatures.get(part.id) if isinstance(part, ToolCall) else None
    return part if heard is None else replace(part, signature=heard.signature, origin=heard.origin)


def write_logprobs(entries: bytes) -> Raw:
    """Log probabilities in the house's form, which is that of chat completions, of the inside of a JSON list."""
    return Raw(b'{"content":[' + entries + b'],"refusal":null}')


def entries_of(logprobs: Raw) -> bytes:
    """The inside of a JSON list; nothing where it is none."""
    said = bytes(logprobs)
    return said[1:-1].strip() if said[:1] == b"[" else b""


def read_output_item(raw: Raw | bytes, path: str, origin: str) -> Told:
    """Whatever is no text, reasoning, call or picture stays as it is, in this language."""
    item = read_item(raw, path)
    match item.type:
        case "message":
            return _read_message(item)
        case "function_call":
            return Told((read_call(item, path),))
        case "reasoning":
            return _read_reasoning(item, path, origin)
        case "image_generation_call" if has_picture(item):
            return Told((_read_picture(item, raw, path),))
    return Told((Opaque(item.type or "", Raw(bytes(raw)), DIALECT),))


def _read_message(item: Item) -> Told:
    if isinstance(item.content, str):
        return Told((Text(item.content),))
    content = [_CONTENT.decode(raw) for raw in item.content or ()] if not isinstance(item.content, dict) else []
    texts = [part for part in content if part.text is not None and part.type != "refusal"]
    logprobs = [inside for part in texts if (inside := entries_of(part.logprobs))]
    return Told(
        tuple(Text(part.text or "") for part in texts),
        "".join(part.refusal or "" for part in content),
        b",".join(logprobs),
    )


def _read_reasoning(item: Item, path: str, origin: str) -> Told:
    heard = read_signature(item)
    if heard is not None and heard.kind == "call":
        return Told(signs=heard)
    part = read_reasoning(item, heard, path)
    if part.signature is None:  # only the provider itself could look it up, and only by an id that callers don't keep
        return Told((Thinking(part.text),)) if part.text else Told()
    return Told((replace(part, origin=origin) if part.origin == DIALECT else part,))


def _read_picture(item: AnyItem, raw: Raw | bytes, path: str) -> Part:
    """What is no base64 can be told to nobody else."""
    try:
        return read_picture(item, path)
    except RequestInvalid:
        return Opaque("image_generation_call", Raw(bytes(raw)), DIALECT)
