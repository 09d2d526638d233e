"""The books: what one call was, from its arrival to its end, whatever happens in between.

A `Book` is a context manager around everything that a call does; leaving it appends the call's record, also when the
caller was denied, hung up, or every target failed. Attempts write their own intents (`attempt.py`) and tell the book
how they ended. How records reach the store is not known here.
"""

import asyncio
import time
from types import TracebackType

from msgspec.structs import replace

from fairlead.chat import Relay, Request
from fairlead.errors import (
    BudgetExceeded,
    FairleadError,
    LimitExceeded,
    PolicyDenied,
    RequestInvalid,
)
from fairlead.gateway.call import Call, Caller, Context, Spool
from fairlead.ids import new_id, now_us
from fairlead.records import CallClosed, Outcome

DENIALS = (PolicyDenied, BudgetExceeded, LimitExceeded, RequestInvalid)
HANG_UPS = (asyncio.CancelledError, GeneratorExit)


class Ledger:
    def __init__(self, spool: Spool, config: str = "") -> None:
        self.spool = spool
        self.config = config
        self.open_calls = 0


class Book:
    """One call's page. `call` is set as soon as there is one; `attempts` counts what was asked of targets."""

    call: Call | None = None
    attempts = 0
    target = ""  # that answered, or is answering
    request_id = ""  # the provider's own name of the last attempt
    cost_nusd: int | None = 0
    estimated = False
    first_word_us: int | None = None
    cache = ""  # hit, shared, miss; "": nothing was looked up
    relay: Relay | None = None  # of the stream that is being asked for, where it has one
    _ended: Outcome | None = None  # of an attempt, which is still to be written
    _is_open = False

    def __init__(self, ledger: Ledger, caller: Caller, request: Request, context: Context) -> None:
        self.ledger = ledger
        self.caller = caller
        self.request = request
        self.context = context if context.at_us else replace(context, at_us=now_us(), started=time.monotonic())
        self.id = new_id(self.context.at_us)

    def __enter__(self) -> "Book":
        self.ledger.open_calls += 1
        self._is_open = True
        return self

    def elapsed_us(self) -> int:
        return round((time.monotonic() - self.context.started) * 1_000_000)

    def attempted(self, outcome: Outcome, *, soon: bool = False) -> None:
        """An attempt of this call has ended. `soon`: nothing is awaited before the call ends, with whose record the
        outcome is written then."""
        self.estimated |= outcome.estimated
        if self.cost_nusd is None or outcome.cost_nusd is None:
            self.cost_nusd = None
        else:
            self.cost_nusd += outcome.cost_nusd
        if soon and self._is_open and self._ended is None:
            self._ended = outcome
        else:
            self.ledger.spool.append(outcome)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ledger.open_calls -= 1
        self._is_open = False
        ended, self._ended = self._ended, None
        closed = self._closed(error)
        if ended is None:
            self.ledger.spool.append(closed)
        else:
            self.ledger.spool.append(ended, closed)

    def write_down(self) -> None:
        """Something is awaited before the call ends: what is to be written is written now."""
        ended, self._ended = self._ended, None
        if ended is not None:
            self.ledger.spool.append(ended)

    def _closed(self, error: BaseException | None) -> CallClosed:
        call, context = self.call, self.context
        status, code, why = ("ok", "", "") if error is None else _ending(error)
        closed = CallClosed(  # no more names than these, as in `attempt.py`
            call=self.id,
            at_us=context.at_us,
            key=self.caller.key,
            team=self.caller.team,
            route=call.route.name if call else self.request.route[:128],
            task=self.request.task,
            stream=self.request.stream,
            status=status,
            attempts=self.attempts,
            target=self.target if status != "denied" else "",
            cost_nusd=self.cost_nusd,
            duration_us=self.elapsed_us(),
            request_hash=context.request_hash,
            config=call.config if call else self.ledger.config,
            trace=context.trace,
        )
        beside = self.estimated or self.cache or context.parent or context.session or context.tags
        if error is None and not beside and self.first_word_us is None and call and not call.narrowed:
            return closed
        return replace(
            closed,
            code=code,
            why=why,
            narrowed=call.narrowed if call else (),
            estimated=self.estimated,
            first_word_us=self.first_word_us,
            cache=self.cache,
            parent=context.parent,
            session=context.session,
            tags=context.tags,
        )


def _ending(error: BaseException) -> tuple[str, str, str]:
    """How a call ended: status, the error's code, and why."""
    if isinstance(error, HANG_UPS):
        return "cancelled", "cancelled", "the caller hung up"
    code = error.code if isinstance(error, FairleadError) else "internal_error"
    why = error.why if isinstance(error, FairleadError) else type(error).__name__
    return ("denied" if isinstance(error, DENIALS) else "failed"), code, why
