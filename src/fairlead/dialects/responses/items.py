"""OpenAI's Responses: the items of a conversation and their content -> parts of the house.

Items stand in requests and in answers alike, and are read by the same functions. Which messages they make together is
known to `chat` and `answer`, not here.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from fairlead.chat import Media, Opaque, Part, Text, Thinking, ToolCall
from fairlead.dialects.media import check_base64, read_url
from fairlead.dialects.reading import UNREADABLE, is_null, required, take
from fairlead.dialects.responses.language import BETWEEN_SUMMARIES, DIALECT, PICTURE_PREFIX
from fairlead.dialects.responses.signing import Heard, hear
from fairlead.errors import RequestInvalid

NULL = Raw(b"null")
AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_LONG_LIFE = "12h"


Content: TypeAlias = str | list[Raw] | dict[str, Raw] | None  # whatever an item of tomorrow may have there


class Item(Struct):
    """One entry of `input` or `output`, as far as every kind of it has the same words. The rest stays raw."""

    type: Any = None
    role: str | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    content: Any = None
    arguments: Any = None
    output: Any = None
    summary: Any = None
    encrypted_content: str | None = None
    namespace: Any = None
    caller: Any = None


class _Lifetime(Struct):
    ttl: str | None = None


class _Sound(Struct):
    data: str
    format: Literal["wav", "mp3"]


class _OtherSound(Struct):
    data: str
    format: str


class _OtherAudio(Struct):
    input_audio: _OtherSound


class _Part(Struct, gc=False):
    """Every part of a known kind; which fields are set depends on its type."""

    type: Literal[
        "input_text", "output_text", "text", "summary_text", "reasoning_text", "refusal", "input_image", "input_file",
        "input_audio",
    ]  # fmt: skip
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


class _KnownItem(Item, gc=False):
    """What nearly all are. The fields that make others of them (a namespace, a program that calls) are empty here."""

    type: Literal["message", "function_call", "function_call_output", "reasoning"] | None = None
    content: str | list[_Part] | None = None
    arguments: str | None = None
    output: str | list[_Part] | None = None
    summary: list[_Part] | None = None
    namespace: None = None
    caller: None = None


class AnyItem(Item):
    type: str | None = None
    content: Content = None
    arguments: Content = None
    output: Content = None
    summary: Content = None
    result: Raw = NULL
    output_format: str | None = None
    namespace: Raw = NULL
    caller: Raw = NULL


class _TextSaid(Struct):
    """A part of a summary or of told reasoning, whatever it is called."""

    text: str | None = None


class _Kind(Struct):
    type: str | None = None


RAWS = msgspec.json.Decoder(list[Raw])
_KNOWN_ITEMS = msgspec.json.Decoder(list[_KnownItem])
_ITEM = msgspec.json.Decoder(AnyItem)
_PART = msgspec.json.Decoder(_Part)
_KIND = msgspec.json.Decoder(_Kind)
_ENCODER = msgspec.json.Encoder()
_STRING = msgspec.json.Decoder(str)
_TEXT = msgspec.json.Decoder(_TextSaid)
_OTHER_AUDIO = msgspec.json.Decoder(_OtherAudio)


def known_items(raw: Raw | None) -> Sequence[Item]:
    """All items of a list in one go, where all of it is known; else nothing."""
    if raw is None:
        return ()
    try:
        items = _KNOWN_ITEMS.decode(raw)
    except UNREADABLE:
        return ()
    return () if any(item.type is None and item.role is None for item in items) else items


def read_item(raw: Raw | bytes, path: str) -> AnyItem:
    return take(_ITEM, raw, path)


def is_plain(item: Item) -> bool:
    """Whether it is a call or a result of the conversation's own, not of a namespace or of a program."""
    if type(item) is _KnownItem:
        return True
    return is_null(item.namespace) and is_null(item.caller)


def read_content(said: Any, path: str) -> tuple[Part, ...]:
    """The content of a message, or the output of a tool: a string, or a list of parts."""
    if type(said) is str:
        return (Text(said),)
    parts: list[Part] = []
    for position, part in enumerate(_list(said, path)):
        if type(part) is _Part and part.type in _TEXTS and part.text is not None:
            parts.append(Text(part.text, None if part.prompt_cache_breakpoint is None else part.cache))
        else:
            parts.append(_read_part(part, f"{path}[{position}]"))
    return tuple(parts)


def _list(said: Any, path: str) -> list[Any]:
    """Parts as structs, or as they stand."""
    if isinstance(said, list):
        return said
    if said is None:
        return []
    raise RequestInvalid(
        f"`{path}`: expected a string or an array, got an object.", param=path, hint="Send a string or content parts."
    )


def _read_part(said: _Part | Raw, path: str) -> Part:
    part = said if isinstance(said, _Part) else _known_part(said, path)
    if isinstance(part, Opaque):
        return part
    if part.type in _TEXTS:
        return Text(_needed(part.text, f"{path}.text"), part.cache)
    return _READERS[part.type](part, path)


def _known_part(raw: Raw, path: str) -> _Part | Opaque:
    try:
        return _PART.decode(raw)
    except UNREADABLE:
        kind = take(_KIND, raw, path).type
    if kind is None:
        raise required(f"{path}.type")
    if (kind not in _TEXTS and kind not in _READERS) or (kind == "input_audio" and _is_other_sound(raw)):
        return Opaque(kind, raw, DIALECT)
    return take(_PART, raw, path)  # tells what is wrong with it


def _read_refusal(part: _Part, path: str) -> Part:
    return Text(_needed(part.refusal, f"{path}.refusal"))


def _read_image(part: _Part, path: str) -> Part:
    if part.image_url is not None:
        return read_url(part.image_url, f"{path}.image_url", "image", detail=part.detail, cache=part.cache)
    file = _needed(part.file_id, f"{path}.image_url")
    return Media(kind="image", file=file, origin=DIALECT, detail=part.detail, cache=part.cache)


def _read_file(part: _Part, path: str) -> Part:
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


def _read_audio(part: _Part, path: str) -> Part:
    if part.input_audio is None:
        raise required(f"{path}.input_audio")
    data = check_base64(part.input_audio.data, f"{path}.input_audio.data")
    return Media(kind="audio", media_type=AUDIO_TYPES[part.input_audio.format], data=data, cache=part.cache)


def _is_other_sound(raw: Raw) -> bool:
    """Whether it is in a format that the house can't name."""
    try:
        return _OTHER_AUDIO.decode(raw).input_audio.format not in AUDIO_TYPES
    except UNREADABLE:
        return False


_READERS: dict[str, Callable[[_Part, str], Part]] = {
    "refusal": _read_refusal,
    "input_image": _read_image,
    "input_file": _read_file,
    "input_audio": _read_audio,
}


def _needed(value: str | None, path: str) -> str:
    if value is None:
        raise required(path)
    return value


# --- what an assistant says besides text -----------------------------------------------------------------------------


def read_call(item: Item, path: str) -> ToolCall:
    return ToolCall(
        _needed(item.call_id, f"{path}.call_id"),
        _needed(item.name, f"{path}.name"),
        read_arguments(item.arguments),
    )


def read_arguments(said: Any) -> str:
    """Some servers send an object instead of its text."""
    return said if isinstance(said, str) else "" if said is None else _ENCODER.encode(said).decode()


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
        return Thinking(text, heard.signature, DIALECT, redacted=not text, id=heard.name if heard.kind else item.id)
    return Thinking(text, heard.signature, heard.origin, redacted=heard.kind == "redacted", id=heard.name)


def has_picture(item: AnyItem) -> bool:
    return item.type == "image_generation_call" and bytes(item.result)[:1] == b'"'


def is_retold(item: AnyItem) -> bool:
    """Whether it is a picture that we told: of another provider's making, so that its own language can hold it."""
    return has_picture(item) and (item.id or "").startswith(PICTURE_PREFIX)


def read_picture(item: AnyItem, path: str) -> Media:
    data = check_base64(take(_STRING, item.result, f"{path}.result"), f"{path}.result")
    return Media(kind="image", media_type=f"image/{item.output_format or 'png'}", data=data)


def _texts(said: Any, path: str) -> list[str]:
    if isinstance(said, str):
        return [said]
    return [(part if type(part) is _Part else take(_TEXT, part, path)).text or "" for part in _list(said, path)]


def unknown_value(path: str, value: str, allowed: tuple[str, ...]) -> RequestInvalid:
    return RequestInvalid(
        f"`{path}`: {value!r} is not one of {', '.join(allowed)}.", param=path, hint=f"Use one of {', '.join(allowed)}."
    )
