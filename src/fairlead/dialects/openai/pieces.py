"""OpenAI's language: what whole answers and streams have in common: content, calls, media, ends, as providers say them.

Providers differ most in what is no part of OpenAI's own API; of that, what can't be read is left out.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Finish, Media, Part, Text, Thinking
from fairlead.dialects.failures import failure
from fairlead.dialects.media import read_url
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.openai.parts import write_image
from fairlead.dialects.openai.reasoning import EXTRA_CONTENT
from fairlead.dialects.reading import UNREADABLE, is_null
from fairlead.dialects.signatures import unwrap
from fairlead.errors import RequestInvalid, TargetError

FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}

T = TypeVar("T")


class FunctionSaid(Struct):
    """A called function. Some servers send the arguments as an object instead of its text."""

    name: str | None = None
    arguments: str | dict[str, Raw] | None = None


class CallSaid(Struct):
    id: str | None = None
    index: int | None = None
    function: FunctionSaid | None = None
    extra_content: Raw = Raw(b"null")


class _Thought(Struct):
    text: str = ""


class _ContentPart(Struct):
    type: str = ""
    text: str = ""
    thinking: str | list[_Thought] = ""


class _Url(Struct):
    url: str


class _Image(Struct):
    image_url: _Url | str


class _Audio(Struct):
    data: str | None = None
    transcript: str | None = None


_ENCODER = msgspec.json.Encoder()
_CONTENT_PART = msgspec.json.Decoder(_ContentPart)
_IMAGES = msgspec.json.Decoder(list[_Image] | None)
_AUDIO = msgspec.json.Decoder(_Audio | None)


def lenient(decoder: "msgspec.json.Decoder[T]", raw: Raw) -> T | None:
    """What a provider added to the language, None where it is not as expected."""
    try:
        return decoder.decode(raw)
    except UNREADABLE:
        return None


def read_finish(said: str | None) -> Finish | None:
    """None where there is none yet, or one that the house does not know."""
    return None if said is None else FINISHES.get(said)


def read_content(content: str | list[Raw] | None) -> list[Part]:
    """Text and thinking of a content that may come in parts, joined where they follow each other; no other kinds."""
    if not content:
        return []
    if isinstance(content, str):
        return [Text(content)]
    parts: list[Part] = []
    for raw in content:
        said = lenient(_CONTENT_PART, raw)
        if said is None:
            continue
        thought = said.thinking if isinstance(said.thinking, str) else "".join([piece.text for piece in said.thinking])
        for kind, text in ((Thinking, thought), (Text, said.text)):
            last = parts[-1] if parts else None
            if text and isinstance(last, kind):
                parts[-1] = kind(last.text + text)
            elif text:
                parts.append(kind(text))
    return parts


def read_signature(call: CallSaid, origin: str) -> tuple[str | None, str]:
    """(signature, who signed) of a tool call."""
    extra = None if is_null(call.extra_content) else lenient(EXTRA_CONTENT, call.extra_content)
    return unwrap(extra.signature, origin) if extra is not None and extra.signature else (None, "")


def read_arguments(arguments: str | dict[str, Raw] | None) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return _ENCODER.encode(arguments).decode()


def is_call(said: FunctionSaid | None) -> bool:
    """Some servers always send a `function_call`, with nothing in it where nothing is called."""
    return said is not None and bool(said.name or said.arguments)


def read_images(raw: Raw) -> list[Media]:
    """Generated images, as OpenRouter tells them."""
    found: list[Media] = []
    for image in lenient(_IMAGES, raw) or ():
        url = image.image_url if isinstance(image.image_url, str) else image.image_url.url
        try:
            found.append(read_url(url, "images", "image"))
        except RequestInvalid:
            continue
    return found


def write_images(media: list[Media]) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": write_image(image), "index": index} for index, image in enumerate(media)]


def read_audio(raw: Raw) -> tuple[str, str]:
    """(base64, what is said in it)."""
    said = lenient(_AUDIO, raw)
    return ("", "") if said is None else (said.data or "", said.transcript or "")


def read_stop(*said: str | int | None) -> str | None:
    """The stop sequence that was matched (vLLM's `stop_reason`, SGLang's `matched_stop`); a number names a token."""
    return next((word for word in said if isinstance(word, str)), None)


def choice_failure(error: Raw) -> TargetError:
    """An error that came in place of one choice."""
    return failure(b'{"error":' + bytes(error) + b"}", DIALECT)


def failed(error: Raw) -> bool:
    return not is_null(error)
