"""Gemini's language: the result of a tool, which must be an object there, and text and media in the house. Both ways.

| in the house | `response` |
|---|---|
| text that is a JSON object | the object |
| other text | `{"result": text}` |
| nothing but media | `{}` |
| several texts, or a text after media | `{"content": [{"type": "text", "text": ...}, {"$ref": name}, ...]}` |
| a failure (`is_error`) | the same as above, as the value of `{"error": ...}` |

Media stand beside it, in `parts`; `$ref` is Google's own way to name one of them by its `displayName`. What reads back
differently is wrapped once more: the text `{"error": 1}` of a success is `{"result": "{\"error\": 1}"}`.

Inwards `result` and `output` mean the same: Google's client says one, its reference the other.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from fairlead.chat import Media, Part, Text
from fairlead.dialects.gemini.names import RAWS
from fairlead.dialects.reading import UNREADABLE, take, text_of

_PLAIN = ("result", "output")
_SPECIAL = frozenset({*_PLAIN, "error", "content"})
_NO_ERROR = (b"null", b"false")


class _TextBlock(Struct, tag="text", tag_field="type", forbid_unknown_fields=True):
    text: str


class _PlainResult(Struct, forbid_unknown_fields=True):
    result: str


class _Reference(Struct, forbid_unknown_fields=True):
    name: str = field(name="$ref")


_PLAIN_RESULT = msgspec.json.Decoder(_PlainResult)
_STRING = msgspec.json.Decoder(str)
_LIST = msgspec.json.Decoder(list[Raw])
_TEXT_BLOCK = msgspec.json.Decoder(_TextBlock)
_REFERENCE = msgspec.json.Decoder(_Reference)


# --- inwards ---------------------------------------------------------------------------------------------------------


def plain_result(response: Raw) -> str | None:
    """The text of a response that is nothing else, as those of most tools are."""
    try:
        return _PLAIN_RESULT.decode(response).result
    except UNREADABLE:
        return None


def read_result(response: Raw, path: str, media: Sequence[Media]) -> tuple[tuple[Part, ...], bool]:
    """(parts, is_error) of the response that stands at `path`, with the media beside it.

    Raises RequestInvalid where it is no object.
    """
    fields = take(RAWS, response, path)
    if len(fields) == 1:
        [(name, value)] = fields.items()
        if name == "error" and bytes(value) not in _NO_ERROR:
            return _read_value(value, media), True
        if name in _PLAIN:
            return _read_value(value, media, plain=True), False
    return _read_value(response, media), False


def _read_value(value: Raw, media: Sequence[Media], *, plain: bool = False) -> tuple[Part, ...]:
    said = bytes(value)
    if said[:1] == b'"':
        return (Text(_STRING.decode(value)), *media)
    if not plain:
        if said == b"{}":
            return tuple(media)
        if (parts := _read_content(value, media)) is not None:
            return parts
    return (Text(text_of(value)), *media)


def _read_content(value: Raw, media: Sequence[Media]) -> tuple[Part, ...] | None:
    """The parts in their order; None where this is an object of the tool's own."""
    left = list(media)
    try:
        fields = RAWS.decode(value)
        blocks = _LIST.decode(fields["content"]) if list(fields) == ["content"] else []
        parts = [_read_block(block, left, len(media) - len(left) + 1) for block in blocks]
    except (*UNREADABLE, StopIteration):
        return None
    return (*parts, *left) if parts else None


def _read_block(block: Raw, left: list[Media], number: int) -> Part:
    """A text, or one of the media that are left; the `number`th of them in this result."""
    if b'"$ref"' not in bytes(block):
        return Text(_TEXT_BLOCK.decode(block).text)
    name = _REFERENCE.decode(block).name
    place = next(place for place, medium in enumerate(left) if medium.name == name)
    medium = left.pop(place)
    return replace(medium, name=None) if name == _made_name(medium, number) else medium


def _made_name(medium: Media, number: int) -> str:
    """What a medium without a name is called, so that it can be referred to."""
    return f"{medium.kind}_{number}"


# --- outwards --------------------------------------------------------------------------------------------------------


def write_result(parts: tuple[Part, ...], *, is_error: bool) -> tuple[Any, dict[int, str]]:
    """(the `response`, names that media need: their position among the parts -> `displayName`)."""
    if len(parts) == 1 and isinstance(only := parts[0], Text) and not is_error:
        value = _write_text(only.text)
        return ({"result": value} if isinstance(value, str) else value), {}
    texts = [part.text for part in parts if isinstance(part, Text)]
    first = isinstance(parts[0], Text) if parts else False
    if len(texts) > 1 or (texts and not first):
        value, names = _write_content(parts)
        return ({"error": value} if is_error else value), names
    if not texts:
        return ({"error": {}} if is_error else {}), {}
    value = _write_text(texts[0])
    if is_error:
        return {"error": value}, {}
    return ({"result": value} if isinstance(value, str) else value), {}


def _write_text(text: str) -> str | Raw:
    """An object where the text is one and would be read as the same text again."""
    if text[:1] != "{" or text[-1:] != "}":
        return text
    try:
        fields = RAWS.decode(text)
    except UNREADABLE:
        return text
    if not fields or (len(fields) == 1 and not _SPECIAL.isdisjoint(fields)):
        return text
    return Raw(text.encode())


def _write_content(parts: tuple[Part, ...]) -> tuple[Any, dict[int, str]]:
    names: dict[int, str] = {}
    blocks: list[Any] = []
    for position, part in enumerate(parts):
        if isinstance(part, Text):
            blocks.append({"type": "text", "text": part.text})
        elif isinstance(part, Media):
            made = _made_name(part, len(names) + 1)
            name = names[position] = part.name if part.name and part.name not in names.values() else made
            blocks.append({"$ref": name})
    return {"content": blocks}, names
