"""Gemini's language, inwards: contents and their parts, as they stand in a request. What they mean is `chat`'s to say.

Nearly all are in Google's own spelling, without a field that nobody knows: those are read in one go. Others are read in
both spellings, and brought into the first.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw, Struct, field

from fairlead.dialects.gemini.media import Blob, File
from fairlead.dialects.gemini.names import NULL, take_object
from fairlead.dialects.reading import UNREADABLE, required, take


class CallSaid(Struct, gc=False):
    name: str
    id: str | None = None
    args: Raw = NULL


class ResultPart(Struct):
    blob: Blob | None = field(default=None, name="inlineData")
    blob_: Blob | None = field(default=None, name="inline_data")
    file: File | None = field(default=None, name="fileData")
    file_: File | None = field(default=None, name="file_data")


class ResultSaid(Struct, gc=False):
    name: str
    id: str | None = None
    response: Raw = NULL
    parts: list[ResultPart] | None = None


class PartSaid(Struct, forbid_unknown_fields=True, gc=False):
    """A part; which fields are set says of what kind it is. None of them: a kind that is not read here."""

    text: str | None = None
    thought: bool | None = None
    signature: str | None = field(default=None, name="thoughtSignature")
    call: CallSaid | None = field(default=None, name="functionCall")
    result: ResultSaid | None = field(default=None, name="functionResponse")
    blob: Blob | None = field(default=None, name="inlineData")
    file: File | None = field(default=None, name="fileData")


class ContentSaid(Struct, gc=False):
    """Google's servers take one part, or one content, where a list of them is due."""

    role: str | None = None
    parts: list[PartSaid] | PartSaid | None = None

    def path(self, content: str, place: int) -> str:
        """Where a part of this content stands, which itself stands at `content`."""
        return f"{content}.parts" if isinstance(self.parts, PartSaid) else f"{content}.parts[{place}]"

    def all(self) -> Sequence[PartSaid]:
        parts = self.parts
        return (parts,) if isinstance(parts, PartSaid) else parts or ()


class _AnyPart(Struct):
    """The same in both spellings, with whatever else."""

    text: str | None = None
    thought: bool | None = None
    signature: str | None = field(default=None, name="thoughtSignature")
    signature_: str | None = field(default=None, name="thought_signature")
    call: CallSaid | None = field(default=None, name="functionCall")
    call_: CallSaid | None = field(default=None, name="function_call")
    result: ResultSaid | None = field(default=None, name="functionResponse")
    result_: ResultSaid | None = field(default=None, name="function_response")
    blob: Blob | None = field(default=None, name="inlineData")
    blob_: Blob | None = field(default=None, name="inline_data")
    file: File | None = field(default=None, name="fileData")
    file_: File | None = field(default=None, name="file_data")

    def usual(self) -> PartSaid:
        return PartSaid(
            self.text,
            self.thought,
            self.signature or self.signature_,
            self.call or self.call_,
            self.result or self.result_,
            self.blob or self.blob_,
            self.file or self.file_,
        )


class _AnyContent(Struct):
    role: str | None = None
    parts: list[_AnyPart] | _AnyPart | None = None

    def usual(self) -> ContentSaid:
        parts = self.parts
        if isinstance(parts, _AnyPart):
            return ContentSaid(self.role, parts.usual())
        return ContentSaid(self.role, None if parts is None else [part.usual() for part in parts])


_USUAL = msgspec.json.Decoder(list[ContentSaid])
_USUAL_INSTRUCTION = msgspec.json.Decoder(ContentSaid)
_PART = msgspec.json.Decoder(_AnyPart)
_CONTENTS = msgspec.json.Decoder(list[_AnyContent] | _AnyContent)
_INSTRUCTION = msgspec.json.Decoder(_AnyContent | str)
_LIST_OR_ONE = msgspec.json.Decoder(list[Raw] | dict[str, Raw])


def read_contents(raw: Raw) -> tuple[Sequence[ContentSaid], bool]:
    """(the contents, whether there may be more in their parts than is read). Raises RequestInvalid."""
    try:
        usual = _USUAL.decode(raw)
    except UNREADABLE:
        usual = []
    if usual:
        return usual, False
    try:
        contents = _CONTENTS.decode(raw)
    except UNREADABLE:
        for path, part in located(raw, "contents"):  # what is wrong, and where exactly
            take(_PART, part, path)
        contents = take(_CONTENTS, raw, "contents")
    if isinstance(contents, _AnyContent):
        return [contents.usual()], True
    if not contents:
        raise required("contents[0]")
    return [content.usual() for content in contents], True


def read_instruction(raw: Raw) -> ContentSaid | str:
    try:
        return _USUAL_INSTRUCTION.decode(raw)
    except UNREADABLE:
        said = take(_INSTRUCTION, raw, "systemInstruction")
    return said if isinstance(said, str) else said.usual()


def located(raw: Raw, path: str) -> Iterator[tuple[str, Raw]]:
    """Every part of contents, as it stands, with its path."""
    contents = take(_LIST_OR_ONE, raw, path)
    for place, content in enumerate([raw] if isinstance(contents, dict) else contents):
        at = path if path == "systemInstruction" else f"{path}[{place}]"
        if (parts := take_object(content, at).get("parts")) is None:
            continue
        found = take(_LIST_OR_ONE, parts, f"{at}.parts")
        if isinstance(found, dict):
            yield f"{at}.parts", parts
        else:
            yield from ((f"{at}.parts[{place}]", part) for place, part in enumerate(found))
