"""Retries, breakers, several accounts, hedges, rescues and fallback at once: what holds whatever fails."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.chat import Answer, Chunk, Head, Request, Stream
from fairlead.errors import (
    FairleadError,
    StreamBroken,
    TargetFailed,
    TargetOverloaded,
    TargetRefused,
    TargetRejected,
    TargetTimeout,
    TargetUnreachable,
)
from fairlead.gateway.call import Asking, BreakerRules, Hedge, Limit, Retry, Route, Target
from waiting import HandClock
from world import USAGE, Table, World, caller, request, route, said, target

FAULTS: dict[str, Any] = {
    "failed": lambda: TargetFailed("500", status=500),
    "gone": lambda: TargetUnreachable("refused"),
    "busy": lambda: TargetOverloaded("429", retry_after_s=0.5),
    "later": lambda: TargetOverloaded("429", retry_after_s=100.0),
    "refused": lambda: TargetRefused("401", status=401),
    "rejected": lambda: TargetRejected("400", status=400),
    "slow": lambda: TargetTimeout("slow", stage="first_token"),
    "broken": lambda: StreamBroken("cut"),
}
KINDS = st.sampled_from(["ok", "ok", "late", "cut", *FAULTS])
RULES = BreakerRules(min_attempts=3, in_a_row=2, pause_s=1.0)


class Fickle(Table):
    """Does what the plan says next, whoever asks; then it is well."""

    def __init__(self, plan: list[str]) -> None:
        super().__init__({})
        self.plan: Iterator[str] = iter(plan)
        self.open = 0

    async def answer(self, request: Request, asking: Asking) -> Answer:
        self.open += 1
        try:
            await self._begin(fault := next(self.plan, "ok"))
            if fault == "cut":
                raise StreamBroken("cut")
            return said()
        finally:
            self.open -= 1

    async def stream(self, request: Request, asking: Asking) -> Stream:
        self.open += 1
        try:
            yield Head(model="m-1")
            await self._begin(fault := next(self.plan, "ok"))
            yield Chunk(text="one ", words=True)
            if fault == "cut":
                raise StreamBroken("cut")
            yield Chunk(text="two", words=True)
            yield Chunk(finish="stop")
            yield USAGE
        finally:
            self.open -= 1

    async def _begin(self, fault: str) -> None:
        for _ in range(8 if fault == "late" else 1):
            await asyncio.sleep(0)
        if fault in FAULTS:
            raise FAULTS[fault]()


def guarded(name: str, backend: str = "table") -> Target:
    return target(name, backend=backend, breaker=RULES, account=f"{name}@{backend}")


def made_of(plan: list[str], **changes: Any) -> tuple[World, Fickle, Route]:
    """Two targets, the first of them at two accounts."""
    accounts = (guarded("a", "x"), guarded("a", "y"))
    several = target("a", backend="x", accounts=accounts, breaker=RULES, account="a@x")
    one = route(several, guarded("b"), spreads=True, **changes)
    made, table = World([one], {}, clock=HandClock()), Fickle(plan)
    backends: Any = made.gateway.generation.backends
    backends.update(dict.fromkeys(("table", "x", "y"), table))
    return made, table, one


@settings(max_examples=100, deadline=None)
@given(
    plan=st.lists(KINDS, max_size=14),
    attempts=st.integers(0, 3),
    hedged=st.booleans(),
    on_break=st.sampled_from(["error", "buffer"]),
    stream=st.booleans(),
    hangs_up_after=st.none() | st.integers(1, 12),
    calls=st.integers(1, 4),
)
def test_whatever_fails_the_books_are_whole_and_nothing_goes_on(
    plan: list[str],
    attempts: int,
    hedged: bool,
    on_break: str,
    stream: bool,
    hangs_up_after: int | None,
    calls: int,
) -> None:
    made, table, one = made_of(
        plan,
        retry=Retry(attempts=attempts) if attempts else None,
        hedge=Hedge(after_s=1.0, max_share=1.0) if hedged else None,
        on_break=on_break,
    )
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 10**12, "day")
    by = caller(limits=(limit, Limit("key:k1:concurrent", "key tests", "concurrent", 50, "total")))

    async def ask() -> None:
        asked = request(stream=stream)
        asking = [
            asyncio.create_task(made.stream(asked, by) if stream else made.answer(asked, by)) for _ in range(calls)
        ]
        if hangs_up_after is not None:
            for _ in range(hangs_up_after):
                await asyncio.sleep(0)
            asking[0].cancel()
        for one in asking:
            with suppress(FairleadError, asyncio.CancelledError):
                await one
        assert len(asyncio.all_tasks()) == 1 and table.open == 0

    asyncio.run(ask())
    intents, outcomes = made.spool.intents(), made.spool.outcomes()
    assert sorted(intent.attempt for intent in intents) == sorted(outcome.attempt for outcome in outcomes)
    assert len(made.spool.calls()) == calls and made.held() == 0
    assert made.spent()[limit.id] == sum(outcome.cost_nusd or 0 for outcome in outcomes)
    most = (len(one.targets) + attempts) * (2 if hedged else 1)
    for call in made.spool.calls():
        ended = [outcome.outcome for outcome in outcomes if outcome.call == call.call]
        assert len(ended) == call.attempts <= most
        assert call.status != "ok" or "ok" in ended
    loads = made.gateway._loads  # pyright: ignore[reportPrivateUsage]
    assert [loads.of(f"a@{name}") for name in "xy"] == [0, 0]
    made.gateway._clock.at += 1000.0  # type: ignore[attr-defined]
    assert all(made.gateway.circuits.takes(each) for each in one.targets)  # no probe was lost
