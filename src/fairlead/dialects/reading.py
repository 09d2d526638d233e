"""Reading JSON that a caller wrote: whatever is wrong becomes a RequestInvalid that names the path.

It knows JSON and paths; which fields there are is each dialect's own knowledge.
"""

import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from fairlead.errors import RequestInvalid

T = TypeVar("T")

# A token stands for at least one byte of what was sent (a byte-level tokenizer has no smaller ones); the slack covers
# what a template adds around it, the words by which a model is told to use tools among them.
TEMPLATE_SLACK_TOKENS = 1024

# All that msgspec raises on foreign bytes: bad JSON and wrong types, bytes that are not UTF-8, nesting without end.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

NULL = Raw(b"null")
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_AT = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`\Z")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")


def read_fields(body: bytes) -> dict[str, Raw]:
    """The top level of a JSON object, its values as they stand; of a key that comes twice the last counts.

    Raises RequestInvalid: `malformed_json`, or `invalid_request` where it is JSON but no object.
    """
    try:
        if not body.isascii():
            check_utf8(body)
        return _FIELDS.decode(body)
    except msgspec.ValidationError as error:
        raise RequestInvalid(
            f"The body must be a JSON object: {_lower(str(error))}.", hint="Send an object with the request's fields."
        ) from None
    except UNREADABLE as error:
        raise malformed(error) from None


class Once(Struct, Generic[T]):
    """The full reading of a request's fields: done when first asked for, then kept."""

    reader: Callable[[dict[str, Raw]], T]
    fields: dict[str, Raw]
    kept: T | None = None

    def __call__(self) -> T:
        if self.kept is None:
            self.kept = self.reader(self.fields)
        return self.kept


def check_utf8(data: bytes) -> None:
    """Raises UnicodeDecodeError. Values that stay raw are never decoded, so what is not UTF-8 would pass unseen."""
    if not data.isascii():
        data.decode()


def take(decoder: "msgspec.json.Decoder[T]", raw: Raw | bytes, path: str) -> T:
    """Decode one value that stands at `path` of the request. Raises RequestInvalid with the exact path as `param`."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise wrong(error, path) from None
    except UNREADABLE as error:
        raise malformed(error, path) from None


def take_optional(decoder: "msgspec.json.Decoder[T]", fields: dict[str, Raw], name: str) -> T | None:
    """The same for a top-level field that may be absent."""
    raw = fields.get(name)
    return None if raw is None else take(decoder, raw, name)


def take_needed(decoder: "msgspec.json.Decoder[T]", fields: dict[str, Raw], name: str) -> T:
    """The same for one that may not be absent."""
    raw = fields.get(name)
    try:
        return decoder.decode(need(fields, name) if raw is None else raw)
    except msgspec.ValidationError as error:
        raise wrong(error, name) from None
    except UNREADABLE as error:
        raise malformed(error, name) from None


def need(fields: dict[str, Raw], name: str) -> Raw:
    """A top-level field that may not be absent."""
    raw = fields.get(name)
    if raw is None:
        raise required(name)
    return raw


def wrong(error: msgspec.ValidationError, path: str) -> RequestInvalid:
    """A value of the wrong type or outside its range, below `path`."""
    said = str(error)
    if at := _AT.search(said):
        path += at["path"].replace("[...]", "")
        said = said[: at.start()]
    if missing := _MISSING.search(said):
        return required(f"{path}.{missing['field']}".lstrip("."))
    return RequestInvalid(
        f"`{path}`: {_lower(said)}.", param=path, hint="Correct the value, or leave the field out to get its default."
    )


def required(path: str) -> RequestInvalid:
    return RequestInvalid(f"`{path}` is required.", param=path, hint=f"Add `{path}` to the request.")


def malformed(error: Exception, path: str | None = None) -> RequestInvalid:
    what = "it is nested too deeply" if isinstance(error, RecursionError) else _lower(str(error))
    return RequestInvalid(
        f"The body can't be read as JSON: {what}.",
        code="malformed_json",
        param=path,
        hint="Send one UTF-8 encoded JSON object as the body.",
    )


def unsayable(param: str, what: str, language: str, hint: str = "") -> RequestInvalid:
    """Something that the caller asked for and the language of the target has no word for."""
    return RequestInvalid(
        f"`{param}`: {what} can't be said to a target that speaks {language}.",
        code="unsupported_feature",
        param=param,
        hint=hint or "Leave it out, or ask for a route whose targets support it.",
    )


def text_of(raw: Raw | bytes) -> str:
    """A raw JSON value as text."""
    return bytes(raw).decode()


def is_null(raw: Raw | None) -> bool:
    """True where a field is absent or null: both mean that the caller did not say."""
    return raw is None or raw == NULL  # compared as it stands: to make bytes of it would copy it


def raw_json(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


def _lower(said: str) -> str:
    return said if said[:2].isupper() else said[:1].lower() + said[1:]
