"""What an HTTP status says about an attempt: the table from statuses to errors, and how long a provider asks to wait.

Pure functions. What the error's body says is the dialect's knowledge and is handed in.
"""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from fairlead.dialects.failures import is_filtered
from fairlead.errors import (
    TargetError,
    TargetFailed,
    TargetOverloaded,
    TargetRefused,
    TargetRejected,
    TargetUnclear,
)
from fairlead.ids import now_us

LONGEST_WAIT_S = 86_400.0
REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id")
LONGEST_ID = 128

_CODE = re.compile(r"[\w.:-]{1,64}\Z")

# A status that is not here: below 400 it is unclear, below 500 it is the caller's, above it is the target's.
_KINDS: dict[int, tuple[type[TargetError], str]] = {
    401: (TargetRefused, "Check the backend's key."),
    402: (TargetRefused, "The account at the provider has no credit."),
    403: (TargetRefused, "Check what the backend's key may do."),
    404: (TargetRefused, "Check the target's model and the backend's base_url."),
    408: (TargetFailed, ""),
    424: (TargetFailed, ""),  # AWS: the model failed, not the request
    429: (TargetOverloaded, ""),
}


def error_for(
    status: int, said: tuple[str, str], body: bytes, headers: Mapping[str, str], *, target: str, dialect: str
) -> TargetError:
    """The error for a status that is no success. `said` is (message, code) as the dialect read them."""
    kind, hint = _KINDS.get(status, (_kind(status), ""))
    if 400 <= status < 500 and is_filtered(body):
        kind, hint = TargetRejected, ""
    if kind is TargetUnclear:
        hint = "Is the backend's base_url the address of the API itself? Redirects are not followed."
    message, code = said
    about = f" ({code})" if code and code != str(status) else ""
    return kind(
        f"{target} answered {status}{about}: {message}",
        why=f"{target} answered {status}{about if _CODE.match(code) else ''}",
        hint=hint,
        target=target,
        status=status,
        body=body,
        dialect=dialect,
        retry_after_s=retry_after_s(headers),
        request_id=request_id(headers),
    )


def request_id(headers: Mapping[str, str]) -> str:
    """The provider's own name of a request; "" where it has none. `headers` by their names in lower case."""
    for name in REQUEST_IDS if headers else ():
        if said := headers.get(name):
            return "".join(char for char in said[:LONGEST_ID] if "!" <= char <= "~")
    return ""


def _kind(status: int) -> type[TargetError]:
    if status < 400:
        return TargetUnclear
    return TargetRejected if status < 500 else TargetFailed


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What `retry-after-ms` or `retry-after` (seconds, or a date) asks for, at most a day; None where it is no time."""
    millis = _number(headers.get("retry-after-ms", ""))
    if millis is not None:
        return min(millis / 1000, LONGEST_WAIT_S)
    after = headers.get("retry-after", "")
    seconds = _number(after)
    if seconds is None:
        try:
            seconds = max(parsedate_to_datetime(after).timestamp() - now_us() / 1e6, 0.0)
        except (TypeError, ValueError, OverflowError):
            return None
    return min(seconds, LONGEST_WAIT_S)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
