"""What a provider says when it fails: error bodies of any shape, and errors inside an answer or a stream.

Providers of one language disagree most about their errors, so reading is lenient here: a message and a code come out of
whatever came. It does not know HTTP's statuses beyond an error body that repeats one; those are `backends/`' to judge.
"""

from typing import Any

import msgspec

from fairlead.dialects.reading import UNREADABLE
from fairlead.errors import TargetError, TargetFailed, TargetOverloaded, TargetRefused, TargetRejected, TargetUnclear

LONGEST_MESSAGE = 500

# What a filter says of a prompt or an answer, whatever status that comes with. It is an answer: nobody else is asked.
_FILTERS = ("content_filter", "content_policy", "responsibleaipolicy", "data_inspection", "moderation")
_FILTERED = "violates usage guidelines"  # xAI tells it by the message alone
_FLAGS = frozenset({"flagged_input"})  # OpenRouter, beside the error

# The first row whose word is in the error's code or type decides. Quota and unknown models come before the broader
# words, since providers send them as rate limits and invalid requests.
_KINDS: tuple[tuple[str, type[TargetError]], ...] = (
    ("quota", TargetRefused),
    ("billing", TargetRefused),
    ("api_key", TargetRefused),
    ("authentication", TargetRefused),
    ("permission", TargetRefused),
    ("not_found", TargetRefused),
    ("rate_limit", TargetOverloaded),
    ("too_many_requests", TargetOverloaded),
    ("overloaded", TargetOverloaded),
    ("context_length", TargetRejected),
    ("invalid_request", TargetRejected),
    ("bad_request", TargetRejected),
    ("badrequest", TargetRejected),
    ("invalid_prompt", TargetRejected),
    ("image", TargetRejected),  # invalid_image_url, image_too_large, failed_to_download_image, ...
    ("_policy", TargetRejected),
)
_STATUSES: dict[int, type[TargetError]] = {
    400: TargetRejected,
    401: TargetRefused,
    402: TargetRefused,
    403: TargetRefused,
    404: TargetRefused,
    413: TargetRejected,
    422: TargetRejected,
    429: TargetOverloaded,
    529: TargetOverloaded,
}


def read_error(status: int, body: bytes) -> tuple[str, str]:
    """(message, code) of a provider's error body; never raises. The code is "" where none was given."""
    try:
        error = msgspec.json.decode(body)
    except UNREADABLE:
        plain = " ".join(body.decode("utf-8", "replace").split())
        readable = bool(plain) and not plain.startswith("<")  # a page of HTML helps nobody
        return (plain[:LONGEST_MESSAGE] if readable else f"HTTP {status}"), ""
    message, words = _look(error)
    return message or f"HTTP {status}", words[0] if words else ""


def is_filtered(body: bytes) -> bool:
    """Whether an error body says that a filter would not have the prompt, or the answer."""
    try:
        error = msgspec.json.decode(body)
    except UNREADABLE:
        return False
    return _is_filtered(error)


def failure(body: bytes, dialect: str) -> TargetError:
    """The TargetError for an error that came in place of an answer, or as an event of a stream."""
    try:
        error = msgspec.json.decode(body)
        message, words = _look(error)
    except UNREADABLE:
        return unclear("an error that can't be read", body, dialect)
    status = next((int(word) for word in words if len(word) == 3 and word.isdecimal()), None)
    kind = TargetRejected if _is_filtered(error) else _kind(words, status)
    return kind(
        f"The target answered with an error: {message or ', '.join(words) or 'it gave no reason'}",
        why="The target answered with an error.",
        status=status,
        body=body,
        dialect=dialect,
    )


def unclear(what: str, body: bytes, dialect: str) -> TargetUnclear:
    """An answer that is none."""
    return TargetUnclear(
        f"The target's answer can't be read: {what}.",
        hint="Check that the backend's base_url points at the API and speaks the language of its kind.",
        body=body,
        dialect=dialect,
    )


def _kind(words: tuple[str, ...], status: int | None) -> type[TargetError]:
    said = " ".join(words).lower()
    for needle, kind in _KINDS:
        if needle in said:
            return kind
    return _STATUSES.get(status or 0, TargetFailed)


def _is_filtered(error: Any) -> bool:
    message, words = _look(error)
    said = " ".join(words).lower()
    if any(word in said for word in _FILTERS) or _FILTERED in message:
        return True
    inner = error.get("error") if isinstance(error, dict) else None
    told = inner.get("metadata") if isinstance(inner, dict) else None
    return isinstance(told, dict) and not _FLAGS.isdisjoint(told)


def _look(error: Any) -> tuple[str, tuple[str, ...]]:
    """(message, the words that name the kind: code before type) of a decoded error of any known shape."""
    for _ in range(4):  # {"error": {"error": ...}}: some wrap another provider's error, none deeper than this
        if isinstance(error, list) and error:
            error = error[0]
        if not isinstance(error, dict):
            break
        inner = error.get("error") or error.get("errors")
        if isinstance(inner, str):
            return inner[:LONGEST_MESSAGE], _words(error)
        if not inner:
            return _message(error)[:LONGEST_MESSAGE], _words(error)
        error = inner
    return (error[:LONGEST_MESSAGE] if isinstance(error, str) else ""), ()


def _message(error: dict[str, Any]) -> str:
    message = next((error[key] for key in ("message", "detail", "msg") if error.get(key)), "")
    return message if isinstance(message, str) else msgspec.json.encode(message).decode()


def _words(error: dict[str, Any]) -> tuple[str, ...]:
    values = (error.get(key) for key in ("code", "type", "status"))
    return tuple(
        str(value) for value in values if isinstance(value, str | int) and not isinstance(value, bool) and value
    )
