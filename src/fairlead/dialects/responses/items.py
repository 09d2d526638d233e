"""OpenAI's Responses: the items of a conversation and their content -> parts of the house.

Items stand in requests and in answers alike, and are read by the same functions. Which messages they make together is
known to `chat` and `answer`, not here.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from fairlead.chat import Media, Opaque, Part, Text, Thinking, ToolCall
from fairlead.dialects.media import check_base64, read_url
from fairlead.dialects.reading import is_null, required, take
from fairlead.dialects.responses.language import BETWEEN_SUMMARIES, DIALECT
from fairlead.dialects.responses.signing import Heard, hear
from fairlead.errors import RequestInvalid

NULL = Raw(b"null")
AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_LONG_LIFE = "12h"


class Item(Struct):
    """One entry of `input` or `output`, as far as every kind of it has the same words. The rest stays raw."""

    type: str | None = None
    role: str | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    content: Raw = NULL
    arguments: Raw = NULL
    output: Raw = NULL
    summary: Raw = NULL
    encrypted_content: str | None = None
    result: Raw = NULL
    output_format: str | None = None
    namespace: Raw = NULL
    caller: Raw = NULL

    @property
    def is_plain(self) -> bool:
        """Whether it is a call or a result of the conversation's own, not of a namespace or of a program."""
        return is_null(self.namespace) and is_null(self.caller)


class _Lifetime(Struct):
    ttl: str | None = None


class _Sound(Struct):
    data: str
    format: str


class _Part(Struct):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    detail: str | None = None
    input_audio: _Sound | None = None
    prompt_cache_breakpoint: _Lifetime | None = None

    @property
    def cache(self) -> str | None:
        """A mark without a lifetime gets the provider's least, as one of five minutes does elsewhere."""
        mark = self.prompt_cache_breakpoint
        return None if mark is None else "1h" if mark.ttl == _LONG_LIFE else "5m"


class _Kind(Struct):
    type: str | None = None


RAWS = msgspec.json.Decoder(list[Raw])
_ITEM = msgspec.json.Decoder(Item)
_PART = msgspec.json.Decoder(_Part)
_KIND = msgspec.json.Decoder(_Kind)
_STRING = msgspec.json.Decoder(str)
_CONTENT = msgspec.json.Decoder(str | list[Raw] | None)
_TEXTS_OF = msgspec.json.Decoder(list[_Part] | None)


def read_item(raw: Raw | bytes, path: str) -> Item:
    return take(_ITEM, raw, path)


def read_content(content: Raw, path: str) -> tuple[Part, ...]:
    """The content of a message, or the output of a tool: a string, or a list of parts."""
    said = take(_CONTENT, content, path)
    if isinstance(said, str):
        return (Text(said),)
    return tuple(_read_part(raw, f"{path}[{position}]") for position, raw in enumerate(said or ()))


def _read_part(raw: Raw, path: str) -> Part:
    kind = take(_KIND, raw, path).type
    if kind is None:
        raise required(f"{path}.type")
    if kind in _TEXTS:
        part = take(_PART, raw, path)
        return Text(_needed(part.text, f"{path}.text"), part.cache)
    match kind:
        case "refusal":
            return Text(_needed(take(_PART, raw, path).refusal, f"{path}.refusal"))
        case "input_image":
            return _read_image(take(_PART, raw, path), path)
        case "input_file":
            return _read_file(take(_PART, raw, path), path)
        case "input_audio":
            return _read_audio(take(_PART, raw, path), path, raw)
    return Opaque(kind, raw, DIALECT)


def _read_image(part: _Part, path: str) -> Media:
    if part.image_url is not None:
        return read_url(part.image_url, f"{path}.image_url", "image", detail=part.detail, cache=part.cache)
    file = _needed(part.file_id, f"{path}.image_url")
    return Media(kind="image", file=file, origin=DIALECT, detail=part.detail, cache=part.cache)


def _read_file(part: _Part, path: str) -> Media:
    if part.file_data is not None:
        return replace(_read_file_data(part.file_data, f"{path}.file_data"), **_labels(part))
    if part.file_url is not None:
        return replace(read_url(part.file_url, f"{path}.file_url", "document"), **_labels(part))
    file = _needed(part.file_id, f"{path}.file_data")
    return Media(kind="document", file=file, origin=DIALECT, **_labels(part))


def _read_file_data(said: str, path: str) -> Media:
    """A data URL, as the language has it; several clients send the base64 alone."""
    if said[:5].lower() == "data:":
        return read_url(said, path, "document")
    return Media(kind="document", data=check_base64(said, path))


def _labels(part: _Part) -> dict[str, Any]:
    return {"name": part.filename, "detail": part.detail, "cache": part.cache}


def _read_audio(part: _Part, path: str, raw: Raw) -> Part:
    if part.input_audio is None:
        raise required(f"{path}.input_audio")
    media_type = AUDIO_TYPES.get(part.input_audio.format)
    if media_type is None:
        return Opaque("input_audio", raw, DIALECT)
    data = check_base64(part.input_audio.data, f"{path}.input_audio.data")
    return Media(kind="audio", media_type=media_type, data=data, cache=part.cache)


def _needed(value: str | None, path: str) -> str:
    if value is None:
        raise required(path)
    return value


# --- what an assistant says besides text -----------------------------------------------------------------------------


def read_call(item: Item, path: str) -> ToolCall:
    return ToolCall(
        _needed(item.call_id, f"{path}.call_id"),
        _needed(item.name, f"{path}.name"),
        read_arguments(item.arguments, f"{path}.arguments"),
    )


def read_arguments(said: Raw, path: str) -> str:
    """Some servers send an object instead of its text."""
    if is_null(said):
        return ""
    return take(_STRING, said, path) if bytes(said)[:1] == b'"' else bytes(said).decode()


def read_signature(item: Item) -> Heard | None:
    return hear(item.encrypted_content) if item.encrypted_content else None


def read_reasoning(item: Item, heard: Heard | None, path: str) -> Thinking:
    """A reasoning item that signs no call.

    What is told bare (`content`, by servers of open models) is nobody's to look up; a summary without a signature is
    OpenAI's, which finds the rest by the id.
    """
    summary = BETWEEN_SUMMARIES.join(_texts(item.summary, f"{path}.summary"))
    content = "".join(_texts(item.content, f"{path}.content"))
    if heard is None:
        return Thinking(content, id=item.id) if content else Thinking(summary, None, DIALECT, id=item.id)
    text = summary or content
    if heard.origin == DIALECT:
        return Thinking(text, heard.signature, DIALECT, redacted=not text, id=heard.name or item.id)
    return Thinking(text, heard.signature, heard.origin, redacted=heard.kind == "redacted", id=heard.name)


def _texts(said: Raw, path: str) -> list[str]:
    return [part.text or "" for part in take(_TEXTS_OF, said, path) or ()]


def unknown_value(path: str, value: str, allowed: tuple[str, ...]) -> RequestInvalid:
    return RequestInvalid(
        f"`{path}`: {value!r} is not one of {', '.join(allowed)}.", param=path, hint=f"Use one of {', '.join(allowed)}."
    )
