"""OpenAI's language: reasoning that was told, and its signatures, both ways.

OpenAI itself tells none here, so this is said as others do: the text as `reasoning_content`, what is signed as
`reasoning_details` (OpenRouter), a signed tool call or text by `extra_content` (Google).

| in the house | in `reasoning_details` |
|---|---|
| text with a signature | `reasoning.text` with both |
| redacted reasoning | `reasoning.encrypted`, after a `reasoning.summary` if it has a text |
| reasoning without a signature | `reasoning.text` |

`index` counts what comes before it in the message: texts together, every call and image, other reasoning; so what was
said in turns is put back in order. A target's own `format` is kept in front of its signature, `FORMAT:SIGNATURE`; where
that stands apart from its text, so is the text's kind, `FORMAT+summary:SIGNATURE`. Nobody else looks into a signature.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Part, Thinking, ToolCall
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.reading import UNREADABLE
from fairlead.dialects.signatures import unwrap, wrap

_FORMATS = {
    "anthropic": "anthropic-claude-v1",
    "bedrock": "anthropic-claude-v1",
    "gemini": "google-gemini-v1",
    "responses": "openai-responses-v1",
}
_PACKED = re.compile(r"(?P<format>[^:+]*)(?:\+(?P<kind>text|summary))?:(?P<signature>.+)\Z", re.DOTALL)


class Detail(Struct):
    """One of `reasoning_details`: a piece of it in streams, where pieces of one have the same index."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None

    @property
    def said(self) -> str:
        return self.text or self.summary or ""

    @property
    def kind(self) -> str:
        return "summary" if self.summary is not None else "text"


class _Google(Struct):
    thought_signature: str | None = None


class ExtraContent(Struct):
    google: _Google | None = None

    @property
    def signature(self) -> str | None:
        return self.google.thought_signature if self.google is not None else None


_TEXT = msgspec.json.Decoder(str)
DETAILS = msgspec.json.Decoder(list[Detail] | None)
EXTRA_CONTENT = msgspec.json.Decoder(ExtraContent | None)


def read_told(reasoning: Raw) -> str:
    """A message's `reasoning`, which may be something else than its text."""
    try:
        return _TEXT.decode(reasoning)
    except UNREADABLE:
        return ""


# --- inwards ---------------------------------------------------------------------------------------------------------


class _Block(Struct):
    """A reasoning that is being put together from details with the same index."""

    index: int
    text: str = ""
    kind: str | None = None
    closing: Detail | None = None


def with_reasoning(
    parts: Sequence[Part], told: str, details: Iterable[Detail], extra: ExtraContent | None, origin: str
) -> tuple[Part, ...]:
    """The parts of a message with its reasoning among them, where it was said.

    `told` is its text; the details repeat it, if they have any. `extra` signs the text of the message.
    """
    blocks = _gather(details)
    said: list[Part] = list(parts)
    if told and not any(block.text for block in blocks):
        said.insert(0, Thinking(told))
    if extra is not None and extra.signature:
        signature, signer = unwrap(extra.signature, origin)
        position = next((at for at, part in enumerate(said) if isinstance(part, ToolCall)), len(said))
        said.insert(position, Thinking("", signature, signer))
    last = -1
    for block in blocks:
        last = min(max(block.index, last + 1), len(said))
        said.insert(last, _thinking(block, origin))
    return tuple(said)


def _gather(details: Iterable[Detail]) -> list[_Block]:
    blocks: list[_Block] = []
    for detail in details:
        closes = detail.signature or detail.data
        if not closes and not detail.said:
            continue
        last = blocks[-1] if blocks else None
        if last is None or last.closing is not None or detail.index is None or detail.index != last.index:
            last = _Block(len(blocks) if detail.index is None else max(detail.index, 0))
            blocks.append(last)
        if detail.said:
            last.text += detail.said
            last.kind = detail.kind
        if closes:
            last.closing = detail
    return blocks


def _thinking(block: _Block, origin: str) -> Thinking:
    if block.closing is None:
        return Thinking(block.text)
    return read_closing(block.closing, block.text, block.kind, origin)


def read_closing(detail: Detail, text: str, kind: str | None, origin: str) -> Thinking:
    """The reasoning that a detail with a signature closes. `kind` is that of the detail its text came in, if any."""
    said = detail.data or detail.signature or ""
    encrypted = detail.data is not None
    signature, signer = unwrap(said, origin)
    if signature != said:  # wrapped by us: it says who signed, and needs no format
        return Thinking(text, signature, signer, encrypted, detail.id)
    apart = encrypted and kind is not None
    if apart or detail.format is not None:
        signature = f"{detail.format or ''}{f'+{kind}' if apart else ''}:{signature}"
    return Thinking(text, signature, signer, encrypted and not apart, detail.id)


# --- outwards --------------------------------------------------------------------------------------------------------


def write_details(part: Thinking, index: int, *, bare: bool) -> list[dict[str, Any]]:
    """A reasoning as details. `bare`: it goes back to who signed it, whose own words its signature is in."""
    if part.signature is None:
        return [{"type": "reasoning.text", "text": part.text, "index": index}]
    form, kind, signature = _unpack(part) if bare else (_FORMATS.get(part.origin, "unknown"), None, part.signature)
    signature = signature if bare else wrap(signature, part.origin, DIALECT)
    rest: dict[str, Any] = {} if part.id is None else {"id": part.id}
    if form is not None:
        rest["format"] = form
    rest["index"] = index
    if not part.redacted and kind is None:
        return [{"type": "reasoning.text", "text": part.text, "signature": signature, **rest}]
    encrypted = {"type": "reasoning.encrypted", "data": signature, **rest}
    kind = kind or "summary"
    return [{"type": f"reasoning.{kind}", kind: part.text, **rest}, encrypted] if part.text else [encrypted]


def _unpack(part: Thinking) -> tuple[str | None, str | None, str]:
    """(format, kind of the text's detail where it has one of its own, signature)."""
    packed = _PACKED.match(part.signature or "")
    if packed is None:
        return None, None, part.signature or ""
    if packed["kind"] is not None and (part.redacted or not part.text):
        return f"{packed['format']}+{packed['kind']}", None, packed["signature"]
    return packed["format"], packed["kind"], packed["signature"]


def write_extra(signature: str) -> dict[str, Any]:
    return {"google": {"thought_signature": signature}}


def signs_text(part: Thinking) -> bool:
    """Whether this is the signature over a text as Google's servers of this language write it: without a format."""
    return not part.text and not part.redacted and part.signature is not None and ":" not in part.signature
