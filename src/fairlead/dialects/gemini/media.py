"""Gemini's language: media, which lie in a part as base64 (`inlineData`) or at a URI (`fileData`). Both ways.

| there | in the house |
|---|---|
| `inlineData` | `data`; base64 of either alphabet, written in the standard one |
| `fileData` of Google's Files API | `file` |
| `fileData` elsewhere (`https:`, `gs:`, a video's page) | `url` |
| `mimeType` | `media_type`; left unsaid where a URL's own ending tells it |
| `displayName` | `name`; only Vertex AI and the results of tools have it |
"""

from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from fairlead.chat import Media, Modality
from fairlead.dialects.gemini.names import DIALECT
from fairlead.dialects.losses import Losses
from fairlead.dialects.media import check_base64, kind_of
from fairlead.dialects.reading import required

_FILES = ("https://generativelanguage.googleapis.com/", "files/")
_VIDEO_PAGES = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be"})
_ENDINGS = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "heif": "image/heif", "bmp": "image/bmp",
    "mp3": "audio/mpeg", "wav": "audio/wav", "aac": "audio/aac", "flac": "audio/flac", "ogg": "audio/ogg",
    "aiff": "audio/aiff", "m4a": "audio/m4a", "opus": "audio/opus",
    "mp4": "video/mp4", "mpeg": "video/mpeg", "mpg": "video/mpeg", "mov": "video/quicktime", "avi": "video/avi",
    "flv": "video/x-flv", "webm": "video/webm", "wmv": "video/wmv", "3gp": "video/3gpp",
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "html": "text/html", "csv": "text/csv",
    "json": "application/json", "xml": "text/xml",
}  # fmt: skip
# The type is required of what lies elsewhere. Where neither the caller nor the URL tells one, the commonest is said.
_COMMONEST: dict[Modality, str] = {
    "image": "image/jpeg", "audio": "audio/mpeg", "video": "video/mp4", "document": "application/pdf",
}  # fmt: skip


class Blob(Struct):
    """`inlineData`, in both spellings."""

    data: str | None = None
    mime: str | None = field(default=None, name="mimeType")
    mime_: str | None = field(default=None, name="mime_type")
    title: str | None = field(default=None, name="displayName")
    title_: str | None = field(default=None, name="display_name")


class File(Struct):
    """`fileData`, in both spellings."""

    uri: str | None = field(default=None, name="fileUri")
    uri_: str | None = field(default=None, name="file_uri")
    mime: str | None = field(default=None, name="mimeType")
    mime_: str | None = field(default=None, name="mime_type")
    title: str | None = field(default=None, name="displayName")
    title_: str | None = field(default=None, name="display_name")


def read_blob(said: Blob, path: str) -> Media:
    """Raises RequestInvalid where data are missing or no base64."""
    if said.data is None:
        raise required(f"{path}.data")
    mime = said.mime or said.mime_ or ""
    data = check_base64(standard_base64(said.data), f"{path}.data")
    return Media(kind=kind_of(mime), media_type=mime, data=data, name=said.title or said.title_)


def read_file(said: File, path: str) -> Media:
    """Raises RequestInvalid where the URI is missing."""
    uri = said.uri or said.uri_
    if not uri:
        raise required(f"{path}.fileUri")
    told = said.mime or said.mime_ or ""
    known = _type_of(uri)
    name = said.title or said.title_
    kind = kind_of(told or known)
    if uri.startswith(_FILES):
        return Media(kind=kind, media_type=told, file=uri, origin=DIALECT, name=name)
    return Media(kind=kind, media_type="" if told == known else told, url=uri, name=name)


def kind_at(mime: str, uri: str) -> Modality:
    """What a medium is by its type, else by where it lies."""
    return kind_of(mime or _type_of(uri))


def standard_base64(data: str) -> str:
    """The same bytes in the standard alphabet, padded: clients of this API also use that of URLs."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4)


def write_media(media: Media, path: str, losses: Losses, origin: str, *, name: str | None) -> dict[str, Any] | None:
    """The part that holds it, None where it is lost. `name` is what it is called there, None: nothing."""
    said: dict[str, Any]
    if media.data is not None:
        said = {"mimeType": media.media_type or _COMMONEST[media.kind], "data": media.data}
        key = "inlineData"
    elif media.url is None and media.origin != origin:
        losses.lose(path, "a file that lies at another provider", "Send its bytes, or a URL.")
        return None
    else:
        uri = media.url or media.file or ""
        said = {"mimeType": media.media_type or _type_of(uri) or _COMMONEST[media.kind], "fileUri": uri}
        key = "fileData"
    if name is not None:
        said["displayName"] = name
    return {key: said}


def _type_of(uri: str) -> str:
    """What a URI's ending says of its type, "" where it says nothing."""
    try:
        there = urlsplit(uri)
    except ValueError:
        return ""
    if there.netloc in _VIDEO_PAGES:
        return "video/mp4"
    _, dot, ending = there.path.rpartition(".")
    return _ENDINGS.get(ending.lower(), "") if dot else ""
