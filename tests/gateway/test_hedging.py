"""Late first words: who is asked as well, who is heard, what is closed and booked, and how seldom it may happen."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.chat import Answer, Chunk, Head, Item, Request, Stream
from fairlead.errors import FairleadError, TargetFailed, TargetRejected
from fairlead.gateway.call import Asking, BreakerRules, Context, Hedge, Limit, Target
from fairlead.gateway.hedging import LATE, Latencies
from waiting import HandClock
from world import Line, Table, World, caller, in_turn, request, route, said, target, words

NOW = Hedge(after_s=1.0, max_share=1.0)


class Slow(Table):
    """Whom the test calls slow says nothing before `goes_on`; with a stream, nothing but its head."""

    def __init__(self, lines: dict[str, Line | Any], slow: str = "") -> None:
        super().__init__(lines)
        self.slow = slow
        self._may_go_on = {name: asyncio.Event() for name in lines}
        self.closed: list[str] = []

    async def _until_it_goes_on(self, name: str) -> None:
        try:
            if name in self.slow:
                await self._may_go_on[name].wait()
        except asyncio.CancelledError:
            self.closed.append(name)
            raise

    def go_on(self, *names: str) -> None:
        for name in names or tuple(self._may_go_on):
            self._may_go_on[name].set()

    def wait_again(self) -> None:
        for event in self._may_go_on.values():
            event.clear()

    async def answer(self, request: Request, asking: Asking) -> Answer:
        await self._until_it_goes_on(asking.target.name)
        return await super().answer(request, asking)

    async def stream(self, request: Request, asking: Asking) -> Stream:
        yield Head(model=f"of {asking.target.name}")
        await self._until_it_goes_on(asking.target.name)
        async for item in super().stream(request, asking):
            if not isinstance(item, Head):
                yield item


def world(slow: str = "", rules: Hedge = NOW, clock: Any = None, **lines: Any) -> World:
    """The targets that have lines, in their order; `slow` names some of them."""
    targets = tuple(target(name) for name in lines)
    made = World([route(*targets, hedge=rules)], {}, clock=clock or HandClock())
    made.table = Slow(lines, slow)
    backends: Any = made.gateway.generation.backends
    backends["table"] = made.table
    return made


def table(made: World) -> Slow:
    assert isinstance(made.table, Slow)
    return made.table


def booked(made: World) -> list[tuple[str, str, str]]:
    """Target, purpose and outcome of each attempt, in the order of their beginnings."""
    ended = {outcome.attempt: outcome.outcome for outcome in made.spool.outcomes()}
    return [(intent.target, intent.purpose, ended[intent.attempt]) for intent in made.spool.intents()]


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def test_whoever_answers_first_is_heard_and_the_other_is_closed_and_booked() -> None:
    made = world(slow="a", a=said("slow"), b=said("fast"))

    async def ask() -> Answer:
        with made.gateway.open(caller(), request(), Context()) as book:
            answer = await made.gateway.answer(book)
            assert book.target == "b"
            assert table(made).closed == ["a"] and len(made.spool.outcomes()) == 2
        return answer

    assert run(ask()).spoken == b"fast"
    assert booked(made) == [("a", "primary", "cancelled"), ("b", "hedge", "ok")]
    late = made.spool.outcomes()[1]
    assert late.why == LATE and late.estimated and late.cost_nusd and made.held() == 0
    assert made.spool.calls()[0].target == "b" and made.spool.calls()[0].status == "ok"


def test_a_stream_is_hedged_until_its_first_word_and_one_voice_is_heard() -> None:
    made = world(slow="a", a=words("slow"), b=words("fa", "st"))
    items: list[Item] = run(made.stream())
    assert [item.model for item in items if isinstance(item, Head)] == ["of b"]
    assert [item.text for item in items if isinstance(item, Chunk) and item.words] == ["fa", "st"]
    assert booked(made) == [("a", "primary", "cancelled"), ("b", "hedge", "ok")]
    assert made.spool.calls()[0].target == "b"


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_attempt_may_still_win(stream: bool) -> None:
    good: Any = words("hi") if stream else said()
    made = world(slow="ab", a=good, b=good)

    async def ask() -> None:
        asking = asyncio.create_task(made.stream() if stream else made.answer())
        while len(made.spool.intents()) < 2:
            await asyncio.sleep(0)
        table(made).go_on("a")
        await asking

    run(ask())
    assert [purpose for _, purpose, _ in booked(made)] == ["primary", "hedge"]
    assert sorted(outcome for _, _, outcome in booked(made)) == ["cancelled", "ok"]
    assert made.held() == 0


class NeverLate(HandClock):
    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


def test_who_is_in_time_is_not_hedged() -> None:
    made = world(a=said(), b=said(), clock=NeverLate())
    run(made.answer())
    assert booked(made) == [("a", "primary", "ok")]


def test_no_more_than_a_share_of_the_requests_is_hedged() -> None:
    made = world(slow="a", a=said(), b=said(), rules=Hedge(after_s=1.0, max_share=0.1))

    async def many() -> None:
        for _ in range(100):
            table(made).wait_again()
            asking = asyncio.create_task(made.answer())
            for _ in range(10):
                await asyncio.sleep(0)
            table(made).go_on()
            await asking

    run(many())
    assert 9 <= [purpose for _, purpose, _ in booked(made)].count("hedge") <= 10


def test_a_hedge_that_no_limit_has_room_for_is_just_not_made() -> None:
    limit = Limit("key:k1:concurrent", "key tests", "concurrent", 1, "total")
    made = world(slow="a", a=said("slow"), b=said("fast"))

    async def ask() -> Answer:
        asking = asyncio.create_task(made.answer(by=caller(limits=(limit,))))
        for _ in range(20):
            await asyncio.sleep(0)
        table(made).go_on()
        return await asking

    assert run(ask()).spoken == b"slow"
    assert booked(made) == [("a", "primary", "ok")] and made.held() == 0


def test_where_both_fail_the_first_ones_error_is_told() -> None:
    first, second = TargetFailed("500 of a", status=500), TargetFailed("500 of b", status=500)
    made = world(slow="a", a=first, b=second)

    async def ask() -> None:
        asking = asyncio.create_task(made.answer())
        while len(made.spool.outcomes()) < 1:
            await asyncio.sleep(0)
        table(made).go_on()
        await asking

    with pytest.raises(FairleadError, match="500 of a"):
        run(ask())
    assert ("b", "hedge", "target_failed") in booked(made)


def test_the_callers_own_mistake_waits_for_nobody() -> None:
    made = world(slow="ab", a=TargetRejected("bad", status=400), b=said())

    async def ask() -> None:
        asking = asyncio.create_task(made.answer())
        while len(made.spool.intents()) < 2:
            await asyncio.sleep(0)
        table(made).go_on("a")
        await asking

    with pytest.raises(TargetRejected):
        run(ask())
    assert made.held() == 0 and len(made.spool.outcomes()) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_who_hangs_up_leaves_nothing_running(stream: bool) -> None:
    good: Any = words("hi") if stream else said()
    made = world(slow="ab", a=good, b=good)

    async def hang_up() -> None:
        asking = asyncio.create_task(made.stream() if stream else made.answer())
        while len(made.spool.intents()) < 2:
            await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        assert len(asyncio.all_tasks()) == 1

    run(hang_up())
    assert [outcome.why for outcome in made.spool.outcomes()] == ["the caller hung up"] * 2
    assert made.spool.calls()[0].status == "cancelled" and made.held() == 0


def test_another_account_is_asked_before_another_target() -> None:
    accounts = tuple(
        target("a", backend=name, account=f"a@{name}", breaker=BreakerRules()) for name in ("table", "there")
    )
    one: Target = target("a", accounts=accounts)
    made = World([route(one, target("b"), hedge=NOW, spreads=True)], {}, clock=HandClock(0.0))
    backends: Any = made.gateway.generation.backends
    backends["table"], backends["there"] = Slow({"a": said("slow"), "b": said()}, "a"), Slow({"a": said("fast")})
    by_embedding = request(task="embed")  # no conversation: the first of the least busy
    assert run(made.answer(by_embedding)).spoken == b"fast"
    assert [(intent.backend, intent.purpose) for intent in made.spool.intents()] == [
        ("table", "primary"),
        ("there", "hedge"),
    ]


def test_a_percentile_is_waited_for_until_enough_is_known() -> None:
    known = Latencies()
    for number in range(99):
        known.add(float(number))
    assert known.percentile(95, 100) is None
    known.add(99.0)
    assert known.percentile(95, 100) == 95.0 and known.percentile(50, 100) == 50.0
    for _ in range(600):
        known.add(1000.0)
    assert known.percentile(50, 100) == 1000.0  # only the latest count


def test_the_delay_is_what_the_target_takes_lately() -> None:
    clock = HandClock()
    made = world(a=said(), b=said(), clock=clock, rules=Hedge(after_percentile=90, min_samples=5, max_share=1.0))
    known = made.gateway._lateness.of("a", stream=False)  # pyright: ignore[reportPrivateUsage]
    run(made.answer())
    assert clock.slept == []  # nothing is known, so nothing is hedged
    for seconds in (1.0, 2.0, 3.0, 4.0, 5.0):
        known.add(seconds)
    run(made.answer())
    assert clock.slept == [5.0]


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.sampled_from(["ok", "failed", "rejected"]), min_size=1, max_size=5),
    slow=st.sampled_from(["", "a", "b", "ab"]),
    stream=st.booleans(),
)
def test_nothing_is_held_or_running_afterwards_and_attempts_are_bounded(
    lines: list[str], slow: str, stream: bool
) -> None:
    failures: dict[str, Any] = {"failed": TargetFailed("500"), "rejected": TargetRejected("bad", status=400)}
    good: Any = words("hi") if stream else said()
    line = in_turn(*(failures.get(one, good) for one in lines))
    made = world(slow=slow, a=line, b=line)
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 10**12, "day")

    async def ask() -> None:
        by = caller(limits=(limit,))
        asking = asyncio.create_task(made.stream(by=by) if stream else made.answer(by=by))
        for _ in range(30):
            await asyncio.sleep(0)
        table(made).go_on()
        with suppress(FairleadError):
            await asking
        assert len(asyncio.all_tasks()) == 1

    run(ask())
    assert made.held() == 0 and len(made.spool.intents()) == len(made.spool.outcomes()) <= 3
