"""Bedrock's language: errors, both ways. Each kind has a name, `ThrottlingException` and the like.

The name stands in a header (`x-amzn-errortype`), in a stream in the frame's, and sometimes in the body as `__type`,
where more than the name may be around it: `com.amazon...#NAME`, `NAME:http://...`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from fairlead.dialects import failures
from fairlead.dialects.bedrock.signing import DIALECT
from fairlead.dialects.reading import UNREADABLE
from fairlead.errors import TargetError, TargetFailed, TargetOverloaded, TargetRefused, TargetRejected

# What is not in here failed on the other side. By status, so that one who reads only that decides alike.
_KINDS: dict[str, tuple[type[TargetError], int]] = {
    "accessdenied": (TargetRefused, 403),
    "expiredtoken": (TargetRefused, 403),
    "incompletesignature": (TargetRefused, 403),
    "internalserver": (TargetFailed, 500),
    "invalidclienttokenid": (TargetRefused, 403),
    "invalidsignature": (TargetRefused, 403),
    "missingauthenticationtoken": (TargetRefused, 403),
    "modelerror": (TargetFailed, 424),
    "modelnotready": (TargetOverloaded, 429),
    "modelstreamerror": (TargetFailed, 424),
    "modeltimeout": (TargetFailed, 408),
    "optinrequired": (TargetRefused, 403),
    "resourcenotfound": (TargetRefused, 404),
    "servicequotaexceeded": (TargetRefused, 400),
    "serviceunavailable": (TargetFailed, 503),
    "throttling": (TargetOverloaded, 429),
    "toomanyrequests": (TargetOverloaded, 429),
    "unknownoperation": (TargetRefused, 404),
    "unrecognizedclient": (TargetRefused, 403),
    "validation": (TargetRejected, 400),
}
_NAMES: dict[int, str] = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    502: "ModelErrorException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}
# The only kinds of errors that there are in a stream, for each of the names.
_IN_STREAMS: dict[str, str] = {
    "InternalServerException": "internalServerException",
    "ModelErrorException": "modelStreamErrorException",
    "ModelTimeoutException": "modelStreamErrorException",
    "ServiceUnavailableException": "serviceUnavailableException",
    "ThrottlingException": "throttlingException",
}
_ENCODER = msgspec.json.Encoder()


class Failure(Struct):
    """An error's body. Older services write the message with a capital."""

    message: Raw = Raw(b"null")
    big_message: Raw = field(default=Raw(b"null"), name="Message")
    type: Raw = field(default=Raw(b"null"), name="__type")
    code: Raw = Raw(b"null")
    output: Raw = field(default=Raw(b"null"), name="Output")

    @property
    def told(self) -> str:
        return _text(self.message) or _text(self.big_message)

    @property
    def name(self) -> str:
        """The kind's bare name."""
        if bytes(self.output)[:1] == b"{":  # how an unknown path is told
            return _FAILURE.decode(self.output).name
        return bare_name(_text(self.type) or _text(self.code))


_FAILURE = msgspec.json.Decoder(Failure)
_TEXT = msgspec.json.Decoder(str)


def _text(raw: Raw) -> str:
    return _TEXT.decode(raw) if bytes(raw)[:1] == b'"' else ""


def bare_name(said: str) -> str:
    return said.rpartition("#")[2].partition(":")[0]


def read_error(status: int, body: bytes) -> tuple[str, str]:
    """(message, code) of an error's body; never raises. The code is the kind's name, "" where the body has none."""
    try:
        said = _FAILURE.decode(body)
        message, name = said.told, said.name
    except UNREADABLE:
        message, name = "", ""
    if message:
        return message[: failures.LONGEST_MESSAGE], name
    message, code = failures.read_error(status, body)
    return message, name or code


def failure(name: str, body: bytes) -> TargetError:
    """The TargetError for an error in place of an answer, or as an exception of a stream. `name` is its kind."""
    message, _ = read_error(0, body)
    kind, status = _KINDS.get(_key(name), (TargetFailed, None))
    return kind(
        f"The target answered with an error: {name}{': ' if name else ''}{message if message != 'HTTP 0' else ''}",
        why="The target answered with an error.",
        status=status,
        body=body,
        dialect=DIALECT,
    )


def is_failure(event: str) -> bool:
    """Whether an event of a stream is an error: all of them are called so."""
    return event == "error" or event.endswith(("Exception", "Error"))


def _key(name: str) -> str:
    return name.removesuffix("Exception").removesuffix("Error").lower()


# --- to a caller -----------------------------------------------------------------------------------------------------


def error_type(status: int) -> str:
    """The kind's name for a status, as the header `x-amzn-errortype` tells it."""
    return _NAMES.get(status, "ValidationException" if status < 500 else "InternalServerException")


def error_body(
    *,
    status: int,
    message: str,
    type: str,
    code: str,
    param: str | None = None,
    hint: str = "",
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """An error in Bedrock's shape, with the house's `code`, `param`, `hint` and what is in `extra` beside its message.

    `__type` repeats what the header says, for who has the body alone.
    """
    error: dict[str, Any] = {"__type": error_type(status), "message": message, "code": code}
    if param is not None:
        error["param"] = param
    if hint:
        error["hint"] = hint
    return _ENCODER.encode({**(extra or {}), **error})


def exception_of(body: bytes) -> str:
    """What an error of `error_body` is called in a stream."""
    try:
        name = _FAILURE.decode(body).name
    except UNREADABLE:
        name = ""
    return _IN_STREAMS.get(name, "validationException" if name else "internalServerException")
