"""OpenAI's Responses, inwards: what was said, as the items of an output, and whole answers made of them.

Every item gets its id from the envelope, by its position. Streams tell the same items, piece by piece: `writer`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct, UnsetType

from fairlead.chat import Answer, Media, Opaque, Request, Said, Task, Text, Thinking, ToolCall
from fairlead.dialects.reading import UNREADABLE
from fairlead.dialects.responses.envelope import Envelope, status_of
from fairlead.dialects.responses.language import DIALECT, PICTURE_PREFIX
from fairlead.dialects.responses.signing import sign, sign_call

_ENCODER = msgspec.json.Encoder()
Item = dict[str, Any]


class _Alternative(Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class _Token(Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(Struct):
    content: list[_Token] | None = None


_LOGPROBS = msgspec.json.Decoder(_Logprobs)


def write_answer(answer: Answer, *, created: int, task: Task = "chat", request: Request | None = None) -> bytes:
    """The response for a caller who speaks this language: as it came if it came in it, else written from `said`.

    `created` is in Unix seconds; `request` is what the response repeats.
    """
    if answer.spoken is not None and answer.dialect == DIALECT:
        return answer.spoken
    envelope = Envelope(id=answer.id, model=answer.model, created=created, request=request)
    said = answer.said[0] if answer.said else Said()
    output = list(_write_output(said, envelope))
    if output and isinstance(output[-1], dict) and "status" in output[-1]:
        output[-1]["status"] = status_of(said.finish)
    return _ENCODER.encode(envelope.finished(said.finish, output, answer.usage))


def _write_output(said: Said, envelope: Envelope) -> Iterator[Any]:
    position = 0
    content: list[Item] = []
    logprobs = write_logprobs(said.logprobs)
    for part in said.parts:
        if isinstance(part, Text):
            content.append(text_content(part.text, logprobs))
            logprobs = []
            continue
        if content:
            yield message_item(envelope.item_id("msg", position), content)
            position, content = position + 1, []
        for item in _write_part(part, envelope, position):
            yield item
            position += 1
    if said.refusal:
        content.append({"type": "refusal", "refusal": said.refusal})
    if content:
        yield message_item(envelope.item_id("msg", position), content)


def _write_part(part: Any, envelope: Envelope, position: int) -> Iterator[Any]:
    """Nothing where a part can't be told: other media, and what only another language knows."""
    match part:
        case Thinking():
            own = part.id if part.origin == DIALECT and part.id else None
            yield reasoning_item(own or envelope.item_id("rs", position), part)
        case ToolCall():
            if part.signature is not None:
                yield signature_item(envelope.item_id("rs", position), part)
                position += 1
            yield call_item(envelope.item_id("fc", position), part)
        case Media(kind="image", data=str()):
            yield picture_item(envelope.item_id(PICTURE_PREFIX, position), part)
        case Opaque(raw=raw, dialect=dialect) if dialect == DIALECT:
            yield raw


# --- items -----------------------------------------------------------------------------------------------------------


def message_item(id: str, content: list[Item], status: str = "completed") -> Item:
    return {"type": "message", "id": id, "role": "assistant", "status": status, "content": content}


def text_content(text: str, logprobs: list[Any]) -> Item:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def reasoning_item(id: str, part: Thinking) -> Item:
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    return {"type": "reasoning", "id": id, "summary": summary, "encrypted_content": sign(part, id)}


def signature_item(id: str, call: ToolCall) -> Item:
    """What goes before a signed tool call: hidden reasoning, which every client sends back unread."""
    return {"type": "reasoning", "id": id, "summary": [], "encrypted_content": sign_call(call)}


def call_item(id: str, call: ToolCall, status: str = "completed") -> Item:
    return {
        "type": "function_call",
        "id": id,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": status,
    }


def picture_item(id: str, media: Media) -> Item:
    form = media.media_type.partition("/")[2]
    item: Item = {"type": "image_generation_call", "id": id, "status": "completed", "result": media.data}
    return {**item, "output_format": form} if form in ("png", "webp", "jpeg", "gif", "svg") else item


def write_logprobs(said: Raw | UnsetType | None) -> list[Any]:
    """The list of tokens, of the house's form; here each must tell its bytes and its alternatives."""
    if not isinstance(said, Raw):
        return []
    try:
        tokens = _LOGPROBS.decode(said).content or []
    except UNREADABLE:
        return []
    for token in tokens:
        token.top_logprobs = token.top_logprobs or []
        for each in (token, *token.top_logprobs):
            if each.bytes is None:
                each.bytes = list(each.token.encode())
    return tokens
