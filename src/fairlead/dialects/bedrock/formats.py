"""Bedrock's language: what it calls the formats of media, and what a document may be called. Tables and pure functions.

Media are bytes in base64 or an object in S3; nothing is fetched here, and no other URL has a word.
"""

import re
from collections.abc import Mapping

from fairlead.chat import Media, Modality

# Where several formats are one type, the first is written for it.
MEDIA_TYPES: Mapping[Modality, Mapping[str, str]] = {
    "image": {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"},
    "audio": {
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "flac": "audio/flac",
        "ogg": "audio/ogg",
        "opus": "audio/opus",
        "aac": "audio/aac",
        "m4a": "audio/mp4",
        "mp4": "audio/mp4",
        "webm": "audio/webm",
        "pcm": "audio/pcm",
        "mka": "audio/x-matroska",
        "mkv": "audio/x-matroska",
        "x-aac": "audio/aac",
        "mpeg": "audio/mpeg",
        "mpga": "audio/mpeg",
    },
    "video": {
        "mp4": "video/mp4",
        "mov": "video/quicktime",
        "mkv": "video/x-matroska",
        "webm": "video/webm",
        "flv": "video/x-flv",
        "mpeg": "video/mpeg",
        "mpg": "video/mpeg",
        "wmv": "video/x-ms-wmv",
        "three_gp": "video/3gpp",
    },
    "document": {
        "pdf": "application/pdf",
        "txt": "text/plain",
        "md": "text/markdown",
        "html": "text/html",
        "csv": "text/csv",
        "doc": "application/msword",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls": "application/vnd.ms-excel",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    },
}
_OTHER_NAMES: Mapping[Modality, Mapping[str, str]] = {
    "image": {"image/jpg": "jpeg"},
    "audio": {
        "audio/mp3": "mp3",
        "audio/x-wav": "wav",
        "audio/wave": "wav",
        "audio/vnd.wave": "wav",
        "audio/x-flac": "flac",
        "audio/x-aac": "x-aac",
        "audio/m4a": "m4a",
        "audio/x-m4a": "m4a",
        "audio/matroska": "mka",
        "audio/l16": "pcm",
        "audio/pcm16": "pcm",
    },
    "video": {"video/mov": "mov", "video/matroska": "mkv", "video/mpg": "mpeg", "video/mpegps": "mpeg",
              "video/wmv": "wmv"},
    "document": {"text/md": "md", "text/x-markdown": "md", "application/csv": "csv", "application/json": "txt",
                 "application/xml": "txt", "application/x-pdf": "pdf"},
}  # fmt: skip
_FORMATS: Mapping[Modality, Mapping[str, str]] = {
    kind: {**_OTHER_NAMES[kind], **{media_type: name for name, media_type in reversed(table.items())}}
    for kind, table in MEDIA_TYPES.items()
}
_EXTENSIONS = {"jpg": "jpeg", "htm": "html", "markdown": "md", "text": "txt", "3gp": "three_gp", "oga": "ogg"}
# How base64 begins that holds one of these; for media whose type nobody said.
_BEGINNINGS: tuple[tuple[Modality, str, str], ...] = (
    ("image", "iVBORw0KGgo", "png"),
    ("image", "/9j/", "jpeg"),
    ("image", "R0lGOD", "gif"),
    ("image", "UklGR", "webp"),
    ("document", "JVBERi0", "pdf"),
    ("audio", "UklGR", "wav"),
    ("audio", "SUQz", "mp3"),
    ("audio", "ZkxhQ", "flac"),
    ("audio", "T2dnUw", "ogg"),
    ("video", "GkXfow", "mkv"),
)

S3 = "s3://"
UNNAMED = re.compile(r"document \d+\Z")  # what a document is called that was given no name
_TABOO = re.compile(r"[^A-Za-z0-9\s()\[\]-]+")
_SPACES = re.compile(r"\s+")
_LONGEST_NAME = 200


def media_type_of(kind: Modality, name: str) -> str:
    """The MIME type of a format; one that is not in the table yet becomes `image/NAME` (or what it is of)."""
    found = MEDIA_TYPES[kind].get(name.lower())
    if found is not None or not name:
        return found or ""
    return f"{'application' if kind == 'document' else kind}/{name.lower()}"


def format_of(media: Media) -> str | None:
    """What Bedrock calls it: from its type, else from how its data begin or how its name or URL ends. None: no word."""
    known = _FORMATS[media.kind]
    if media.media_type:
        media_type = media.media_type.partition(";")[0].strip().lower()
        if media.kind == "document" and media_type.startswith("text/"):
            return known.get(media_type, "txt")  # whatever text it is, it can be read as text
        return known.get(media_type)
    for kind, beginning, name in _BEGINNINGS:
        if kind == media.kind and media.data is not None and media.data.startswith(beginning):
            return name
    _, dot, extension = (media.url or media.name or "").rpartition(".")
    extension = _EXTENSIONS.get(extension.lower(), extension.lower())
    return extension if dot and extension in MEDIA_TYPES[media.kind] else None


class DocumentNames:
    """Names that Bedrock takes: a small alphabet, and no two alike in one request. The same request gets the same."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}  # a name -> the number that was last tried for it
        self._unnamed = 0

    def give(self, name: str | None) -> str:
        fine = _SPACES.sub(" ", _TABOO.sub("-", name or "")).strip()[:_LONGEST_NAME]
        if not fine:
            self._unnamed += 1
            fine = f"document {self._unnamed}"
        given, again = fine, self._given.get(fine, 1)
        while given in self._given:
            again += 1
            suffix = f" {again}"
            given = fine[: _LONGEST_NAME - len(suffix)] + suffix
        self._given[fine] = again
        self._given.setdefault(given, 1)
        return given
