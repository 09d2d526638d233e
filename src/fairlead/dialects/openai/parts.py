"""OpenAI's language: what a message's content is made of, both ways: text, images, sounds, films, documents.

| in the house | here |
|---|---|
| text | `text`; a `refusal` is read as text |
| an image | `image_url` |
| a sound | `input_audio`, by its URL `audio_url` (vLLM) |
| a film | `video_url` (OpenRouter, vLLM) |
| a document | `file`, with a data URL or an id; Mistral's `document_url` is read too |
| thinking | Mistral's `thinking` is read; beside the content otherwise: see `reasoning` |

What is of no known kind is kept as it stands (`Opaque`). It does not know which message a part belongs to.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from fairlead.chat import Media, Modality, Opaque, Part, Text, Thinking
from fairlead.dialects.losses import Losses
from fairlead.dialects.media import check_base64, read_url, write_url
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.reading import UNREADABLE, required, take

MODALITIES: dict[str, Modality] = {
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "video_url": "video",
    "input_video": "video",
    "file": "document",
    "input_file": "document",
    "document_url": "document",
}
_MEDIA_TYPES = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "pcm16": "audio/pcm"}  # the others are called like their type
_FORMATS = {
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/pcm": "pcm16",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
}
_ENDINGS = {
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "txt": "text/plain",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
}
_PDF_BASE64 = "JVBERi0"  # "%PDF-"
_UNNAMED = "unnamed"  # the API wants a name with every file: this one says that it has none


class Mark(Struct):
    """A mark for the prompt cache: OpenRouter's and LiteLLM's `cache_control`."""

    type: str = "ephemeral"
    ttl: str | None = None


class Breakpoint(Struct):
    """The same in OpenAI's own words, `prompt_cache_breakpoint`."""

    ttl: str | None = None


class _Url(Struct):
    url: str
    detail: str | None = None


class _Sound(Struct):
    data: str
    format: str = ""


class _File(Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Thought(Struct):
    text: str = ""


class PartSaid(Struct, gc=False):
    """Every part of a known kind; which fields are set depends on its type."""

    type: Literal[
        "text", "refusal", "thinking", "image_url", "input_audio", "audio_url", "video_url", "file", "document_url"
    ]
    text: str | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    image_url: _Url | str | UnsetType = UNSET
    video_url: _Url | str | UnsetType = UNSET
    audio_url: _Url | str | UnsetType = UNSET
    document_url: _Url | str | UnsetType = UNSET
    document_name: str | None = None
    input_audio: _Sound | UnsetType = UNSET
    file: _File | UnsetType = UNSET
    thinking: list[_Thought] | str | UnsetType = UNSET
    cache_control: Mark | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class _Kind(Struct):
    type: str


_BARE = msgspec.json.Decoder(str)
_PART = msgspec.json.Decoder(PartSaid)
_KIND = msgspec.json.Decoder(_Kind)
_KNOWN = frozenset({*MODALITIES, "text", "refusal", "thinking"}) - {"input_image", "input_video", "input_file"}


# --- inwards ---------------------------------------------------------------------------------------------------------


def read_part(raw: Raw, path: str) -> Part:
    """One part of a content. Raises RequestInvalid with the exact path below `path`."""
    try:
        said = _PART.decode(raw)
    except UNREADABLE:
        return _read_odd(raw, path)
    return read_known(said, path)


def read_known(said: PartSaid, path: str) -> Part:
    """The same of one that was decoded together with others."""
    cache = read_mark(said.cache_control, said.prompt_cache_breakpoint)
    match said.type:
        case "text":
            return Text(_given(said.text, f"{path}.text"), cache)
        case "refusal":
            return Text(_given(said.refusal, f"{path}.refusal"), cache)
        case "thinking":
            return Thinking(_thought(_given(said.thinking, f"{path}.thinking")))
    medium = _read_medium(said, path)
    return medium if cache is None else replace(medium, cache=cache)


def _read_odd(raw: Raw, path: str) -> Part:
    """A bare string, which several servers take for text, a kind that nobody knows, or a mistake."""
    if bytes(raw)[:1] == b'"':
        return Text(take(_BARE, raw, path))
    kind = take(_KIND, raw, path).type
    if kind in _KNOWN:
        take(_PART, raw, path)
    return Opaque(kind, raw, DIALECT)


def read_mark(mark: Mark | None, own: Breakpoint | None = None) -> str | None:
    """What a mark asks for: "5m", where it doesn't say, or "1h", for whatever is longer."""
    if mark is None and own is None:
        return None
    ttl = mark.ttl if mark is not None else own.ttl if own is not None else None
    return "5m" if ttl in (None, "5m", "30m") else "1h"


def _given(value: Any, path: str) -> Any:
    if value is UNSET:
        raise required(path)
    return value


def _thought(said: list[_Thought] | str) -> str:
    return said if isinstance(said, str) else "".join(thought.text for thought in said)


def _read_medium(said: PartSaid, path: str) -> Media:
    path = f"{path}.{said.type}"
    match said.type:
        case "image_url":
            image = _url(said.image_url, path)
            medium = read_url(image.url, f"{path}.url", "image", detail=image.detail)
            if medium.media_type == "application/pdf":  # some servers take documents here
                return replace(medium, kind="document")
            return medium
        case "video_url":
            return read_url(_url(said.video_url, path).url, f"{path}.url", "video")
        case "audio_url":
            return read_url(_url(said.audio_url, path).url, f"{path}.url", "audio")
        case "document_url":
            return read_url(_url(said.document_url, path).url, f"{path}.url", "document", name=said.document_name)
        case "input_audio":
            return _read_sound(_given(said.input_audio, path), path)
    return _read_file(_given(said.file, path), path)


def _url(said: _Url | str | UnsetType, path: str) -> _Url:
    said = _given(said, path)
    return said if isinstance(said, _Url) else _Url(str(said))


def _read_sound(said: _Sound, path: str) -> Media:
    name = said.format.lower()
    media_type = _MEDIA_TYPES.get(name, f"audio/{name}" if name else "")
    if ":" in said.data[:8]:  # no letter of base64: some servers take a URL here
        medium = read_url(said.data, f"{path}.data", "audio")
        return replace(medium, media_type=medium.media_type or media_type)
    return Media(kind="audio", media_type=media_type, data=check_base64(said.data, f"{path}.data"))


def _read_file(said: _File, path: str) -> Media:
    if said.file_id is not None:
        return Media(kind="document", file=said.file_id, origin=DIALECT, name=said.filename)
    if said.file_data is None:
        raise required(f"{path}.file_data")
    name = None if said.filename is None or said.filename.partition(".")[0] == _UNNAMED else said.filename
    data = said.file_data
    if data[:5].lower() == "data:" or "://" in data[:16]:
        return read_url(data, f"{path}.file_data", "document", name=name)
    media_type = "application/pdf" if data.startswith(_PDF_BASE64) else _type_of(said.filename or "")
    return Media(kind="document", media_type=media_type, data=check_base64(data, f"{path}.file_data"), name=name)


def _type_of(filename: str) -> str:
    return _ENDINGS.get(filename.rpartition(".")[2].lower(), "")


# --- outwards --------------------------------------------------------------------------------------------------------


def write_part(part: Part, path: str, losses: Losses, origin: str, marks: bool) -> Any:
    """The part as JSON, None where it was lost. `marks`: the target takes marks for its cache."""
    if isinstance(part, Text):
        said: Any = {"type": "text", "text": part.text}
        return _marked(said, part.cache) if marks and part.cache is not None else said
    match part:
        case Media(cache=cache):
            said = _write_medium(part, path, losses, origin)
            return _marked(said, cache) if marks and cache is not None and said is not None else said
        case Opaque(kind=kind, raw=raw, dialect=dialect):
            if dialect == DIALECT:
                return raw
            losses.lose(path, f"a part of type {kind!r}")
    return None


def write_mark(cache: str) -> dict[str, Any]:
    return {"type": "ephemeral"} if cache == "5m" else {"type": "ephemeral", "ttl": cache}


def _marked(said: dict[str, Any], cache: str) -> dict[str, Any]:
    said["cache_control"] = write_mark(cache)
    return said


def _write_medium(part: Media, path: str, losses: Losses, origin: str) -> Any:
    if part.file is not None:
        if part.origin == origin and part.kind == "document":
            name = {} if part.name is None else {"filename": part.name}
            return {"type": "file", "file": {"file_id": part.file, **name}}
        losses.lose(path, f"a file that is kept elsewhere ({part.kind})")
        return None
    match part.kind:
        case "image":
            return {"type": "image_url", "image_url": write_image(part)}
        case "video":
            return {"type": "video_url", "video_url": {"url": write_url(part)}}
        case "audio" if part.data is None:
            return {"type": "audio_url", "audio_url": {"url": part.url}}
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": _format(part.media_type)}}
        case "document":
            name = part.name or f"{_UNNAMED}.{_ending(part.media_type)}"
            return {"type": "file", "file": {"filename": name, "file_data": write_url(part)}}


def write_image(part: Media) -> dict[str, str]:
    url = {"url": write_url(part)}
    return url if part.detail is None else {**url, "detail": part.detail}


def _format(media_type: str) -> str:
    return _FORMATS.get(media_type) or media_type.partition("/")[2].removeprefix("x-") or "wav"


def _ending(media_type: str) -> str:
    return next((ending for ending, known in _ENDINGS.items() if known == media_type), "bin")
