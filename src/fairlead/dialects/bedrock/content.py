"""Bedrock's language: blocks of content -> parts of the house, in requests and in answers.

A block is an object with one field, which says what it is. What the house has no word for stays whole, as an `Opaque`
named like its field. Marks of the cache stand between the blocks here; what they do to the part before them is the
business of whoever reads a whole content (`with_mark`).
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field
from msgspec.structs import replace

from fairlead.chat import Media, Modality, Opaque, Part, Text, Thinking, ToolCall
from fairlead.dialects.bedrock.formats import S3, UNNAMED, media_type_of
from fairlead.dialects.bedrock.signing import DIALECT, CallSignature, read_signed
from fairlead.dialects.reading import is_null, text_of
from fairlead.errors import RequestInvalid

SERVER_TOOL = "server_tool_use"
_NULL = Raw(b"null")


class S3Location(Struct):
    uri: str
    owner: str | None = field(default=None, name="bucketOwner")


class Source(Struct):
    data: str | None = field(default=None, name="bytes")
    s3: S3Location | None = field(default=None, name="s3Location")
    text: str | None = None
    content: Raw = _NULL


class Citations(Struct):
    enabled: bool = False


class MediaSaid(Struct):
    format: str = ""
    source: Source | None = None
    name: str | None = None
    context: str | None = None
    citations: Citations | None = None


class ToolUse(Struct, rename="camel", gc=False):
    tool_use_id: str
    name: str
    input: Raw = Raw(b"{}")
    type: str | None = None


class ResultBlock(Struct, rename="camel", gc=False):
    text: str | None = None
    json: Raw | UnsetType = UNSET  # null is a result too
    image: MediaSaid | None = None
    document: MediaSaid | None = None
    video: MediaSaid | None = None


class ToolResult(Struct, rename="camel", gc=False):
    tool_use_id: str
    content: list[ResultBlock] | None = None
    status: str | None = None


class ReasoningText(Struct):
    text: str = ""
    signature: str | None = None


class Reasoning(Struct, rename="camel"):
    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class CachePoint(Struct):
    ttl: str | None = None


class Block(Struct, rename="camel", gc=False):
    text: str | None = None
    tool_use: ToolUse | None = None
    tool_result: ToolResult | None = None
    reasoning_content: Reasoning | None = None
    cache_point: CachePoint | None = None
    image: MediaSaid | None = None
    document: MediaSaid | None = None
    video: MediaSaid | None = None
    audio: MediaSaid | None = None


_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_RAWS = msgspec.json.Decoder(list[Raw])


class Whole:
    """The blocks of one content as they stood, looked up only where one of them must be kept whole."""

    __slots__ = ("_find", "_raws")

    def __init__(self, find: Callable[[], Raw]) -> None:
        self._find = find
        self._raws: list[Raw] | None = None

    def block(self, position: int) -> Raw:
        if self._raws is None:
            self._raws = _RAWS.decode(self._find())
        return self._raws[position]

    def inside(self, position: int) -> "Whole":
        """The content of the tool's result at that position."""
        return Whole(lambda: _OBJECT.decode(_OBJECT.decode(self.block(position))["toolResult"])["content"])


Check = Callable[[str, str], str]  # (base64, its path) -> the same; raises RequestInvalid


def unchecked(data: str, path: str) -> str:
    """What a provider sends is believed to be base64."""
    return data


def read_part(block: Block, whole: Whole, position: int, path: str, origin: str, check: Check) -> Part | CallSignature:
    """The part that a block is; marks and results are not for here. `path` is the content's.

    `origin` is who signed what is signed and not wrapped.
    """
    if block.text is not None:
        return Text(block.text)
    if block.tool_use is not None and block.tool_use.type != SERVER_TOOL:
        call = block.tool_use
        return ToolCall(call.tool_use_id, call.name, text_of(call.input))
    if block.reasoning_content is not None:
        return read_thinking(block.reasoning_content, origin)
    for kind in ("image", "document", "video", "audio"):
        said = getattr(block, kind)
        if said is not None:
            found = read_media(kind, said, path, position, check)
            return found or Opaque(kind, whole.block(position), DIALECT)
    raw = whole.block(position)
    kind = next((name for name, value in _OBJECT.decode(raw).items() if not is_null(value)), None)
    if kind is None:
        raise RequestInvalid(
            f"`{path}[{position}]`: the block holds nothing.",
            param=f"{path}[{position}]",
            hint='Say what it is, like {"text": "..."}.',
        )
    return Opaque(SERVER_TOOL if kind == "toolUse" else kind, raw, DIALECT)


def read_thinking(said: Reasoning, origin: str) -> Thinking | CallSignature:
    if said.redacted_content is not None:
        return Thinking("", said.redacted_content, origin, redacted=True)
    reasoning = said.reasoning_text or ReasoningText()
    if not reasoning.signature:
        return Thinking(reasoning.text)
    return read_signed(reasoning.text, reasoning.signature, origin)


def read_media(kind: Modality, said: MediaSaid, path: str, position: int, check: Check) -> Media | None:
    """None where more is said of it than the house has words for."""
    source = said.source
    if source is None or said.context or (said.citations and said.citations.enabled):
        return None
    name = said.name
    if name is not None and UNNAMED.match(name):
        name = None
    media_type = media_type_of(kind, said.format)
    if source.data is not None:
        data = check(source.data, f"{path}[{position}].{kind}.source.bytes")
        return Media(kind=kind, media_type=media_type, data=data, name=name)
    if source.text is not None:
        data = b64encode(source.text.encode()).decode()
        return Media(kind=kind, media_type=media_type or "text/plain", data=data, name=name)
    if source.s3 is not None and source.s3.owner is None and source.s3.uri.startswith(S3):
        return Media(kind=kind, media_type=media_type, url=source.s3.uri, name=name)
    return None


def read_result(said: ToolResult, whole: Whole, position: int, path: str, check: Check) -> tuple[Part, ...]:
    """What a tool gave: texts, media, and JSON as the text that it is. `position` and `path`
    are the result's."""
    inside = whole.inside(position)
    content = enumerate(said.content or ())
    return tuple([_read_given(block, inside, at, f"{path}.content", check) for at, block in content])


def _read_given(block: ResultBlock, whole: Whole, position: int, path: str, check: Check) -> Part:
    if block.text is not None:
        return Text(block.text)
    if block.json is not UNSET:
        return Text(text_of(block.json))
    plain = Block(image=block.image, document=block.document, video=block.video)
    return _plain(read_part(plain, whole, position, path, DIALECT, check))


def _plain(part: Part | CallSignature) -> Part:
    """Where no reasoning stands, there are no signatures."""
    assert not isinstance(part, CallSignature)
    return part


def with_mark(parts: list[Any], ttl: str) -> None:
    """Mark what stands before a cache point: the last part that can bear a mark. Where there is none, none is set."""
    for at in range(len(parts) - 1, -1, -1):
        part = parts[at]
        if isinstance(part, Text | Media | ToolCall):
            parts[at] = replace(part, cache=ttl)
            return
