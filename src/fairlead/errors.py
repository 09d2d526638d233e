"""Every error that Fairlead raises. Errors know no HTTP: `server/errors.py` maps them.

FairleadError
├─ RequestInvalid                what the caller sent can't be understood or done
│  ├─ BodyTooLarge
│  ├─ RequestMalformed           it is no HTTP/1.1 as it should be, or two readers could read it differently
│  ├─ HeadTooLarge
│  ├─ UrlTooLong
│  ├─ RequestTooSlow
│  ├─ ExpectationUnmet
│  ├─ RouteUnknown
│  ├─ EndpointUnsupported
│  └─ NotFound                   a call, key or engine that was asked about does not exist
├─ Unauthenticated               no key, an unknown one, a revoked or expired one
├─ PolicyDenied                  a rule of the house says no (access, zone)
├─ LimitExceeded                 requests, tokens or concurrency: try again later
├─ BudgetExceeded                money
│  ├─ BudgetHeld                 what is left is reserved by calls in flight: try again
│  └─ CostUnbounded              the price is unknown or the worst case has no bound
├─ TargetError                   one target, asked once, did not answer
│  ├─ TargetUnreachable          refused, reset, DNS, TLS: nothing was answered
│  │  └─ ConnectionStale         a kept connection closed as it was used again
│  ├─ TargetTimeout              a deadline passed; `stage` says which
│  ├─ TargetOverloaded           429 from the target
│  ├─ TargetFailed               5xx from the target
│  ├─ TargetRefused              4xx: our credential, our model name
│  ├─ TargetRejected             4xx: the caller's request; no other target is asked
│  ├─ TargetUnclear              an answer that can't be read: HTML, empty, broken JSON
│  ├─ CircuitOpen                not asked: it failed too often, or asked to be left alone
│  ├─ OutputInvalid              the answer has not the form that was asked for
│  └─ StreamBroken               the stream ended before its end
├─ AllTargetsFailed              every target that the call allowed was asked in vain
├─ Unavailable                   this process can't take the call now (draining, spool full, steward gone)
└─ OperatorError                 what an operator did or must do
   ├─ ConfigInvalid              a file, a path in it, what is wrong
   │  ├─ SecretMissing
   │  └─ SuiteInvalid            a folder of an evaluation: its settings, a case, a prompt
   ├─ ExtraMissing               an optional part of the installation
   ├─ InUse                      the data directory or the port belongs to another process
   ├─ EngineBroken               an engine can't start
   ├─ StoreMismatch              the store's schema is not this program's
   ├─ RemoteFailed               the running server answered a command with an error
   └─ ResultsUnreadable          a file of evaluation results is not what it should be
"""

import re
import traceback
from typing import Any, ClassVar

LONGEST_TEXT = 2000
LONGEST_PARAM = 300


_QUOTED = re.compile(r"""(['"]).*\1""", re.DOTALL)  # from the first quote to the last of its kind


def _bounded(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most * 2 // 3]} … {text[-most // 3 :]}"


def trail(error: BaseException) -> str:
    """Where a bug is: its kind and the way to it, without its words, which may be somebody's."""
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"


class FairleadError(Exception):
    """A message says what, which and why; `hint` says what to do next, or else `advice`, which is the same for all of a
    class; `code` is stable across releases.

    Errors repeat what somebody sent, so what they say is bounded: of a longer text both ends are told. A message is for
    whoever asked; `why` is what may be written down, and repeats nobody: it is the message without what stands there in
    quotes, or what was given for it.
    """

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False
    advice: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        param: str | None = None,
        why: str | None = None,
        **details: Any,
    ) -> None:
        self._why = why
        self.message = _bounded(message, LONGEST_TEXT)
        super().__init__(self.message)
        self.hint = _bounded(hint or self.advice, LONGEST_TEXT)
        self.param = None if param is None else _bounded(param, LONGEST_PARAM)
        self.details = {name: _bounded(of, LONGEST_TEXT) if type(of) is str else of for name, of in details.items()}
        if code is not None:
            self.code = code  # type: ignore[misc]  # an instance may be more exact than its class

    @property
    def why(self) -> str:
        """For the books and the log."""
        return _QUOTED.sub("'…'", self.message) if self._why is None else self._why


class RequestInvalid(FairleadError):
    """`param` is the path in the request that is wrong, where there is one."""

    code = "invalid_request"


class BodyTooLarge(RequestInvalid):
    code = "body_too_large"


class RequestMalformed(RequestInvalid):
    code = "malformed_request"


class HeadTooLarge(RequestInvalid):
    code = "head_too_large"


class UrlTooLong(RequestInvalid):
    code = "url_too_long"


class RequestTooSlow(RequestInvalid):
    code = "request_too_slow"


class ExpectationUnmet(RequestInvalid):
    code = "expectation_unmet"


class RouteUnknown(RequestInvalid):
    code = "route_not_found"


class EndpointUnsupported(RequestInvalid):
    code = "unsupported_endpoint"


class NotFound(RequestInvalid):
    code = "not_found"


class Unauthenticated(FairleadError):
    """Codes: key_missing, key_unknown, key_revoked, key_expired."""

    code = "key_unknown"


class PolicyDenied(FairleadError):
    """`details["rule"]` names the policy that said no. Codes: route_denied, zone_denied."""

    code = "policy_denied"


class LimitExceeded(FairleadError):
    """`details`: limit, unit, amount, used, retry_after_s."""

    code = "rate_limited"
    retryable = True


class BudgetExceeded(FairleadError):
    """`details`: budget, amount_nusd, spent_nusd, held_nusd, needed_nusd, resets_us."""

    code = "budget_exhausted"


class BudgetHeld(BudgetExceeded):
    code = "budget_held"
    retryable = True


class CostUnbounded(BudgetExceeded):
    """Codes: price_unknown, cost_unbounded."""

    code = "price_unknown"


class TargetError(FairleadError):
    """One attempt that did not end well.

    `target` is its name; `status` the HTTP status that came, if any; `body` the provider's own error body and
    `dialect` the language that it is in, so that it can be passed on to a caller who speaks the same;
    `retry_after_s` what the provider asked for; `request_id` its own name of the request; `usage` what was used until
    then (a `chat.Usage`), once the attempt is in the books.
    `spent`: it was asked again as often as it may be, so whoever called should not begin anew at once.
    """

    code = "target_error"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        target: str = "",
        status: int | None = None,
        body: bytes | None = None,
        dialect: str = "",
        retry_after_s: float | None = None,
        request_id: str = "",
        **details: Any,
    ) -> None:
        super().__init__(message, hint=hint, code=code, **details)
        self.request_id = request_id
        self.target = target
        self.status = status
        self.body = body
        self.dialect = dialect
        self.retry_after_s = retry_after_s
        self.spent = False
        self.usage: Any = None


class TargetUnreachable(TargetError):
    code = "target_unreachable"
    advice = "Is the target's server up, and is anything between here and there closing connections?"


class ConnectionStale(TargetUnreachable):
    """Before anything came: a race that was lost against the end of an idle time (see `wire/pool.py`)."""

    code = "connection_stale"


class TargetTimeout(TargetError):
    """`details["stage"]`: connect, first_token, between_tokens or total."""

    code = "target_timeout"
    advice = "`timeouts` in the target's settings say how long it may take."


class TargetOverloaded(TargetError):
    code = "target_overloaded"
    advice = "Ask again later, or give the route another target."


class TargetFailed(TargetError):
    code = "target_failed"
    advice = "The provider is in trouble: ask again later, or give the route another target."


class TargetRefused(TargetError):
    code = "target_refused"


class TargetRejected(TargetError):
    code = "target_rejected"
    advice = "The request itself is refused there: the message says why."
    retryable = False


class TargetUnclear(TargetError):
    code = "target_unclear"
    advice = "Is the backend's base_url the address of the API itself, with nothing in between?"


class CircuitOpen(TargetError):
    """Nothing was asked. `details`: state (open, half-open, resting), backend, why, since_us, until_us."""

    code = "circuit_open"


class OutputInvalid(TargetError):
    """`said` is the answer, `problem` what is wrong with it in words: for asking again, and for nobody else to read.
    `cost_nusd` is what it cost. `details`: rule and schema_path, the place in the schema that it breaks."""

    code = "output_invalid"

    def __init__(self, message: str, *, hint: str = "", said: str = "", problem: str = "", **details: Any) -> None:
        super().__init__(message, hint=hint, **details)
        self.said = said
        self.problem = problem
        self.cost_nusd: int | None = 0


class StreamBroken(TargetError):
    code = "stream_broken"
    advice = "What came is not the whole answer: ask again, or set `on_break` on the route."


class AllTargetsFailed(FairleadError):
    """`failures` holds one TargetError per attempt, in the order in which they were made."""

    code = "all_targets_failed"
    retryable = True

    def __init__(
        self, message: str, failures: tuple[TargetError, ...], *, hint: str = "", why: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, why=why)
        self.failures = failures


class Unavailable(FairleadError):
    code = "unavailable"
    retryable = True


class OperatorError(FairleadError):
    code = "operator_error"


class ConfigInvalid(OperatorError):
    """`details`: file, path."""

    code = "config_invalid"


class SecretMissing(ConfigInvalid):
    code = "secret_missing"


class SuiteInvalid(ConfigInvalid):
    """`details`: file, and path (of a setting) or line (of a case)."""

    code = "suite_invalid"


class ExtraMissing(OperatorError):
    code = "extra_missing"


class InUse(OperatorError):
    code = "in_use"


class EngineBroken(OperatorError):
    code = "engine_broken"


class StoreMismatch(OperatorError):
    code = "store_mismatch"


class RemoteFailed(OperatorError):
    code = "remote_failed"


class ResultsUnreadable(OperatorError):
    """`details`: file."""

    code = "results_unreadable"
