"""Errors become HTTP: one table from the tree in `fairlead.errors` to a status and OpenAI's error type."""

import math
from types import ModuleType

from fairlead import errors
from fairlead.dialects import bedrock, openai
from fairlead.errors import (
    AllTargetsFailed,
    BudgetHeld,
    FairleadError,
    LimitExceeded,
    TargetError,
    TargetRejected,
)

STATUS: dict[type[FairleadError], tuple[int, str]] = {
    errors.FairleadError: (500, "server_error"),
    errors.RequestInvalid: (400, "invalid_request_error"),
    errors.BodyTooLarge: (413, "invalid_request_error"),
    errors.RequestMalformed: (400, "invalid_request_error"),
    errors.HeadTooLarge: (431, "invalid_request_error"),
    errors.UrlTooLong: (414, "invalid_request_error"),
    errors.RequestTooSlow: (408, "invalid_request_error"),
    errors.ExpectationUnmet: (417, "invalid_request_error"),
    errors.RouteUnknown: (404, "invalid_request_error"),
    errors.EndpointUnsupported: (404, "invalid_request_error"),
    errors.NotFound: (404, "invalid_request_error"),
    errors.Unauthenticated: (401, "authentication_error"),
    errors.PolicyDenied: (403, "permission_error"),
    errors.LimitExceeded: (429, "rate_limit_error"),
    errors.BudgetExceeded: (402, "insufficient_quota"),
    errors.BudgetHeld: (429, "insufficient_quota"),
    errors.CostUnbounded: (402, "insufficient_quota"),
    errors.TargetError: (502, "upstream_error"),
    errors.TargetUnreachable: (502, "upstream_error"),
    errors.ConnectionStale: (502, "upstream_error"),
    errors.TargetTimeout: (504, "upstream_error"),
    errors.TargetOverloaded: (429, "upstream_error"),
    errors.TargetFailed: (502, "upstream_error"),
    errors.TargetRefused: (502, "upstream_error"),
    errors.TargetRejected: (400, "invalid_request_error"),
    errors.TargetUnclear: (502, "upstream_error"),
    errors.CircuitOpen: (503, "upstream_error"),
    errors.OutputInvalid: (502, "upstream_error"),
    errors.StreamBroken: (502, "upstream_error"),
    errors.AllTargetsFailed: (502, "upstream_error"),
    errors.Unavailable: (503, "server_error"),
    errors.OperatorError: (500, "server_error"),
    errors.ConfigInvalid: (422, "invalid_request_error"),
    errors.SecretMissing: (422, "invalid_request_error"),
    errors.ExtraMissing: (501, "server_error"),
    errors.InUse: (409, "invalid_request_error"),
    errors.EngineBroken: (500, "server_error"),
    errors.StoreMismatch: (500, "server_error"),
    errors.RemoteFailed: (502, "server_error"),
}
INTERNAL = FairleadError("something went wrong inside Fairlead", hint="the log of `fairlead serve` tells more")


def status_of(error: FairleadError) -> int:
    if isinstance(error, TargetRejected) and error.status is not None and 400 <= error.status < 500:
        return error.status
    return _row(error)[0]


def _row(error: FairleadError) -> tuple[int, str]:
    """Of its kind, or of the nearest above it: parts of the house have kinds of their own (`wire.connection.Stale`)."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_of(error: FairleadError, language: ModuleType = openai) -> bytes:
    """The provider's own body where the caller speaks its language and is to blame; else ours, in that language."""
    if isinstance(error, TargetRejected) and error.body and error.dialect == language.DIALECT:
        return error.body
    extra = {name: value for name, value in error.details.items() if value is not None}
    if isinstance(error, TargetError) and error.target:
        extra["target"] = error.target
    return language.error_body(
        status=status_of(error),
        message=error.message,
        type=_row(error)[1],
        code=error.code,
        param=error.param,
        hint=error.hint,
        extra=extra,
    )


def headers_of(error: FairleadError, language: ModuleType = openai) -> list[tuple[bytes, bytes]]:
    """`Retry-After` where we know it, rounded up to whole seconds, and exactly; whether asking again is of use, in the
    words of OpenAI's and Anthropic's clients; the error's type, where a language has it there."""
    headers: list[tuple[bytes, bytes]] = []
    if language is bedrock:
        headers.append((b"x-amzn-errortype", bedrock.error_type(status_of(error)).encode()))
    if (wait_s := _wait_s(error)) is not None:
        headers.append((b"retry-after", str(math.ceil(wait_s)).encode()))
        headers.append((b"retry-after-ms", str(math.ceil(wait_s * 1000)).encode()))
    if (helps := _asking_again_helps(error)) is not None:
        headers.append((b"x-should-retry", b"true" if helps else b"false"))
    return headers


def _wait_s(error: FairleadError) -> float | None:
    """The shortest wait that anybody asked for."""
    if isinstance(error, AllTargetsFailed):
        said = [failure.retry_after_s for failure in error.failures]
    else:
        said = [error.retry_after_s if isinstance(error, TargetError) else error.details.get("retry_after_s")]
    waits = [one for one in said if isinstance(one, int | float) and math.isfinite(one) and one >= 0]
    return min(waits, default=None)


def _asking_again_helps(error: FairleadError) -> bool | None:
    """None: whoever asked may go by the status. False where it was asked again here as often as it may be: a client
    that does the same multiplies that."""
    if isinstance(error, LimitExceeded | BudgetHeld):
        return error.details.get("retry_after_s") is not None
    last = error.failures[-1] if isinstance(error, AllTargetsFailed) else error
    return False if isinstance(last, TargetError) and last.spent else None
