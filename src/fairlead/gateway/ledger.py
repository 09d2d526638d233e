"""The books: what one call was, from its arrival to its end, whatever happens in between.

`Ledger.open` gives a `Book`, a context manager around everything that a call does; leaving it appends the call's
record, also when the caller was denied, hung up, or every target failed. Attempts write their own records
(`attempt.py`) and tell the book. How records reach the store is not known here.
"""

import asyncio
import time
from types import TracebackType

from msgspec.structs import replace

from fairlead.chat import Request
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

    def open(self, caller: Caller, request: Request, context: Context) -> "Book":
        return Book(self, caller, request, context)


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

    def __init__(self, ledger: Ledger, caller: Caller, request: Request, context: Context) -> None:
        self.ledger = ledger
        self.caller = caller
        self.request = request
        self.context = context if context.at_us else replace(context, at_us=now_us(), started=time.monotonic())
        self.id = new_id(self.context.at_us)

    def __enter__(self) -> "Book":
        self.ledger.open_calls += 1
        return self

    def elapsed_us(self) -> int:
        return round((time.monotonic() - self.context.started) * 1_000_000)

    def attempted(self, outcome: Outcome) -> None:
        """An attempt of this call has ended."""
        self.estimated |= outcome.estimated
        if self.cost_nusd is None or outcome.cost_nusd is None:
            self.cost_nusd = None
        else:
            self.cost_nusd += outcome.cost_nusd

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ledger.open_calls -= 1
        call, context = self.call, self.context
        status, code, why = ("ok", "", "") if error is None else _ending(error)
        self.ledger.spool.append(
            CallClosed(
                call=self.id,
                at_us=context.at_us,
                key=self.caller.key,
                team=self.caller.team,
                route=call.route.name if call else self.request.route[:128],
                task=self.request.task,
                stream=self.request.stream,
                status=status,
                code=code,
                why=why,
                narrowed=call.narrowed if call else (),
                attempts=self.attempts,
                target=self.target if status != "denied" else "",
                cost_nusd=self.cost_nusd,
                estimated=self.estimated,
                duration_us=self.elapsed_us(),
                first_word_us=self.first_word_us,
                cache=self.cache,
                request_hash=context.request_hash,
                config=call.config if call else self.ledger.config,
                parent=context.parent,
                session=context.session,
                trace=context.trace,
                tags=context.tags,
            )
        )


def _ending(error: BaseException) -> tuple[str, str, str]:
    """How a call ended: status, the error's code, and why."""
    if isinstance(error, HANG_UPS):
        return "cancelled", "cancelled", "the caller hung up"
    code = error.code if isinstance(error, FairleadError) else "internal_error"
    why = error.why if isinstance(error, FairleadError) else type(error).__name__
    return ("denied" if isinstance(error, DENIALS) else "failed"), code, why
