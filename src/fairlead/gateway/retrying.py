"""Asking the same target once more where that is safe and likely to help.

`Retrying` stands around the Ask of one call. What it asks again is a failure of the target's before any word is out,
of a kind that the route names; never a caller's own mistake, and never a refusal, which is an answer. While the call
has another target that would take it, that one is asked first: only a provider who says "soon" is waited for.
A target that has another account is asked there, at once.

How often: `attempts` further times for a whole call, whatever its targets and repairs, so that a call makes at most as
many attempts as it has targets, and these. How often over all calls: `RetryBudgets`, so that a target that is down is
not asked three times as much as one that is up.
"""

from collections.abc import Callable
from contextlib import aclosing

from fairlead.chat import Answer, Chunk, Item, Request, Stream
from fairlead.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConnectionStale,
    FairleadError,
    LimitExceeded,
    StreamBroken,
    TargetError,
    TargetFailed,
    TargetOverloaded,
    TargetTimeout,
    TargetUnclear,
    TargetUnreachable,
    Unavailable,
)
from fairlead.gateway.allowance import Allowance
from fairlead.gateway.breaking import Circuits
from fairlead.gateway.call import Ask, Call, Clock, Form, Retry, Target
from fairlead.gateway.spreading import Spreading, moves_on

SOON_S = 1.0  # a provider that names no longer wait is asked again before another target is
BURST = 10.0  # retries of one target that are there at once,
FLOOR_PER_S = 1.0  # and that come back with time alone, where there are few requests

_KINDS: tuple[tuple[type[TargetError], str], ...] = (
    (TargetUnreachable, "unreachable"),
    (TargetOverloaded, "overloaded"),
    (TargetFailed, "failed"),
    (TargetTimeout, "timeout"),
    (TargetUnclear, "unclear"),
    (StreamBroken, "broken"),
)
SPENT = "retries of this target are spent for now: too large a share of its requests fails"


class RetryBudgets:
    """By target, for all calls of this process; a reload leaves them as they are."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._budgets: dict[str, Allowance] = {}

    def of(self, target: str) -> Allowance:
        found = self._budgets.get(target)
        if found is None:
            found = Allowance(most=BURST, start=BURST, per_s=FLOOR_PER_S, at=self.clock.now())
            self._budgets[target] = found
        return found


class Retrying:
    """An Ask around the Ask. A try again is an attempt of its own in the books, with the purpose `retry`."""

    def __init__(
        self,
        ask: Ask,
        call: Call,
        rules: Retry,
        budgets: RetryBudgets,
        circuits: Circuits,
        spreading: Spreading | None,
        elapsed_us: Callable[[], int],
    ) -> None:
        self._ask = ask
        self._call = call
        self._rules = rules
        self._budgets = budgets
        self._circuits = circuits
        self._spreading = spreading
        self._clock = budgets.clock
        self._elapsed_us = elapsed_us
        self._made = 0

    async def answer(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Answer:
        self._budgets.of(target.name).deposit(self._rules.budget)
        failed: TargetError | None = None
        try:
            while True:
                try:
                    return await self._ask.answer(target, request, purpose, form)
                except TargetError as error:
                    wait_s = self._wait_s(target, error)
                    failed = _telling(failed, error)
                except (BudgetExceeded, LimitExceeded, Unavailable) as error:
                    raise _unaffordable(failed, error) from error
                if wait_s is None:
                    raise failed
                await self._clock.sleep(wait_s)
                purpose, form = "retry", form and form.anew()
        finally:
            failed = None  # it holds this frame, and with it all that the call held: a cycle

    async def stream(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Stream:
        self._budgets.of(target.name).deposit(self._rules.budget)
        failed: TargetError | None = None
        try:
            while True:
                async with aclosing(self._ask.stream(target, request, purpose, form)) as items:
                    early: list[Item] = []
                    try:
                        async for item in items:
                            early.append(item)
                            if type(item) is Chunk and item.words:
                                break
                        wait_s = None
                    except TargetError as error:
                        wait_s = self._wait_s(target, error)
                        failed = _telling(failed, error)
                        if wait_s is None:
                            raise failed from None
                    except (BudgetExceeded, LimitExceeded, Unavailable) as error:
                        raise _unaffordable(failed, error) from error
                    if wait_s is None:
                        for item in early:
                            yield item
                        async for item in items:
                            yield item
                        return
                await self._clock.sleep(wait_s)
                purpose, form = "retry", form and form.anew()
        finally:
            failed = None  # as in `answer`

    def _wait_s(self, target: Target, error: TargetError) -> float | None:
        """How long to wait before the same target is asked again; None: it is not."""
        rules, asked = self._rules, error.retry_after_s
        if self._spreading is not None and moves_on(error) and self._spreading.has_another(target):
            return 0.0 if self._may_ask_again(target, error, 0.0) else None
        if kind_of(error) not in rules.on:
            return None
        if isinstance(error, ConnectionStale) and self._made < rules.attempts:
            self._made += 1
            return 0.0  # a lost race says nothing about the target's health: no wait, no budget, no other target
        if (asked is None or asked > SOON_S) and self._another_would_take_it(target):
            return None
        if asked is not None and asked > rules.max_backoff_s and self._made < rules.attempts:
            return None  # the caller is told how long, and may wait for it or ask elsewhere
        wait_s = min(rules.max_backoff_s, rules.backoff_s * 2**self._made) * self._clock.chance() + (asked or 0.0)
        return wait_s if self._may_ask_again(target, error, wait_s) else None

    def _may_ask_again(self, target: Target, error: TargetError, wait_s: float) -> bool:
        """Whether one of the call's further attempts, its time and the target's budget allow it. Takes one."""
        if self._made >= self._rules.attempts:
            error.spent = True
            return False
        if wait_s >= self._call.route.total_s - self._elapsed_us() / 1_000_000:
            return False
        if not self._budgets.of(target.name).withdraw(self._clock.now()):
            error.spent = True
            error.hint = f"{error.hint} {SPENT}".strip()
            return False
        self._made += 1
        return True

    def _another_would_take_it(self, target: Target) -> bool:
        """Whether one is left that the call has not come to."""
        left = iter(self._call.targets)
        for one in left:
            if one.name == target.name:
                break
        return any(self._circuits.takes(one) for one in left)


def kind_of(error: TargetError) -> str:
    """What a failure is called in the configuration; "" for one that asking again does not mend."""
    if isinstance(error, CircuitOpen):
        return "overloaded" if error.details.get("state") == "resting" else ""
    kind = next((name for of, name in _KINDS if isinstance(error, of)), "")
    if kind == "timeout" and error.details.get("stage") == "connect":
        return "unreachable"  # nothing was sent
    return kind


def _telling(failed: TargetError | None, error: TargetError) -> TargetError:
    """What the caller hears: that a target is now left alone says less than why."""
    if failed is None or not isinstance(error, CircuitOpen):
        return error
    failed.retry_after_s = error.retry_after_s
    return failed


def _unaffordable(failed: TargetError | None, error: FairleadError) -> FairleadError:
    """What stopped a try: the first as it is; of a further one the failure that it was to mend says more."""
    if failed is None:
        return error
    failed.hint = f"{failed.hint} It could not be asked again: {error.code}.".strip()
    return failed
