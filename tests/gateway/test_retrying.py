"""Asking again: what is, how often, how long after, and what the books and the caller are told of it."""

import asyncio
import contextlib
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.chat import Chunk, Head, Item
from fairlead.errors import (
    AllTargetsFailed,
    ConnectionStale,
    FairleadError,
    LimitExceeded,
    StreamBroken,
    TargetError,
    TargetFailed,
    TargetOverloaded,
    TargetRefused,
    TargetRejected,
    TargetTimeout,
    TargetUnclear,
    TargetUnreachable,
)
from fairlead.gateway.call import Context, Limit, Retry
from fairlead.gateway.retrying import BURST, FLOOR_PER_S, RetryBudgets
from waiting import HandClock
from world import COST, World, caller, in_turn, request, route, said, target, words

DOWN = TargetFailed("500", status=500)
BUSY = TargetOverloaded("429", status=429, retry_after_s=3.0)


def world(*lines: Any, clock: HandClock | None = None, names: str = "a", **rules: Any) -> World:
    """One target that says these in turn, or several that all do."""
    line = in_turn(*lines)
    targets = (target(name) for name in names)
    return World([route(*targets, retry=Retry(**rules))], dict.fromkeys(names, line), clock=clock or HandClock())


def purposes(made: World) -> list[str]:
    return [f"{intent.target}: {intent.purpose}" for intent in made.spool.intents()]


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


@pytest.mark.parametrize(
    "failure",
    [
        DOWN,
        TargetUnreachable("reset"),
        TargetTimeout("no connection", stage="connect"),
        TargetOverloaded("429"),
        TargetUnclear("empty"),
        StreamBroken("cut"),
    ],
    ids=lambda failure: failure.code,
)
def test_a_passing_failure_is_asked_again_and_every_try_stands_in_the_books(failure: TargetError) -> None:
    made = world(failure, failure, said())
    answer = run(made.answer())
    assert answer.cost_nusd == COST
    assert purposes(made) == ["a: primary", "a: retry", "a: retry"]
    assert [outcome.outcome for outcome in made.spool.outcomes()] == [failure.code, failure.code, "ok"]
    assert made.spool.calls()[0].status == "ok" and made.spool.calls()[0].attempts == 3


@pytest.mark.parametrize(
    "failure",
    [
        TargetRejected("bad", status=400),
        TargetRefused("401", status=401),
        TargetTimeout("slow", stage="first_token"),
        TargetTimeout("slow", stage="total"),
    ],
)
def test_what_asking_again_does_not_mend_is_asked_once(failure: TargetError) -> None:
    made = world(failure, said())
    with pytest.raises(type(failure)) as caught:
        run(made.answer())
    assert purposes(made) == ["a: primary"] and not caught.value.spent


def test_timeouts_are_asked_again_where_the_route_says_so() -> None:
    made = world(TargetTimeout("slow", stage="first_token"), said(), on=frozenset({"timeout"}))
    assert run(made.answer()).target == "a"
    made = world(DOWN, said(), on=frozenset({"timeout"}))
    with pytest.raises(TargetFailed):
        run(made.answer())


def test_after_the_last_try_the_error_says_that_ours_are_spent() -> None:
    made = world(DOWN, attempts=2)
    with pytest.raises(TargetFailed) as caught:
        run(made.answer())
    assert caught.value.spent and len(made.spool.intents()) == 3


def test_waits_grow_and_chance_spreads_them_from_nothing_to_all_of_it() -> None:
    for luck in (0.0, 0.5, 1.0):
        clock = HandClock(luck)
        with pytest.raises(TargetFailed):
            run(world(DOWN, clock=clock, attempts=4, backoff_s=0.25, max_backoff_s=1.0).answer())
        assert clock.slept == [luck * wait_s for wait_s in (0.25, 0.5, 1.0, 1.0)]


def test_a_provider_is_left_alone_for_as_long_as_it_asks_and_a_little_more() -> None:
    clock = HandClock()
    run(world(BUSY, said(), clock=clock, backoff_s=0.25).answer())
    assert clock.slept == [3.0 + 0.125]


def test_a_wait_that_is_too_long_is_the_callers_to_decide() -> None:
    clock = HandClock()
    with pytest.raises(TargetOverloaded) as caught:
        run(world(BUSY, said(), clock=clock, max_backoff_s=2.9).answer())
    assert caught.value.retry_after_s == 3.0 and not caught.value.spent and clock.slept == []


@pytest.mark.parametrize("by", ["the route", "the caller"])
def test_nobody_waits_past_the_deadline(by: str) -> None:
    clock = HandClock()
    total_s = 2.0 if by == "the route" else 600.0
    line = in_turn(BUSY, said())
    made = World([route(target("a"), retry=Retry(), total_s=total_s)], {"a": line}, clock=clock)
    context = Context(timeout_s=2.0 if by == "the caller" else None)

    async def ask() -> None:
        with made.gateway.open(caller(), request(), context) as book:
            await made.gateway.answer(book)

    with pytest.raises(TargetOverloaded):
        run(ask())
    assert clock.slept == [] and purposes(made) == ["a: primary"]


def test_what_is_left_of_the_callers_deadline_is_what_an_attempt_gets() -> None:
    made = world(said())
    context = Context(at_us=1, started=time.monotonic() - 3.0, timeout_s=5.0)

    async def ask() -> None:
        with made.gateway.open(caller(), request(), context) as book:
            await made.gateway.answer(book)

    run(ask())
    assert made.table.asked[0].target.timeouts.total_s <= 2.0


def test_another_target_is_asked_before_the_same_one_again() -> None:
    made = world(DOWN, names="ab")
    with pytest.raises(AllTargetsFailed) as caught:
        run(made.answer())
    assert purposes(made) == ["a: primary", "b: fallback", "b: retry", "b: retry"]
    assert [failure.spent for failure in caught.value.failures][-1]


def test_who_says_soon_is_waited_for_though_there_is_another() -> None:
    made = world(TargetOverloaded("429", retry_after_s=0.2), said(), names="ab")
    assert run(made.answer()).target == "a"
    assert purposes(made) == ["a: primary", "a: retry"]


def test_a_lost_race_is_asked_again_at_once_at_the_same_target_and_costs_no_budget() -> None:
    clock = HandClock()
    made = world(*[ConnectionStale("closed"), said()] * 3 * int(BURST), clock=clock, names="ab")
    for _ in range(3 * int(BURST)):
        assert run(made.answer()).target == "a"
    assert purposes(made)[:2] == ["a: primary", "a: retry"]
    assert set(clock.slept) == {0.0}
    with pytest.raises(ConnectionStale):
        run(world(ConnectionStale("closed"), attempts=0).answer())


def test_a_stream_is_asked_again_until_its_first_word_and_never_after() -> None:
    early: list[Any] = [Head(model="m-0"), Chunk(words=False), StreamBroken("cut")]
    made = world(early, words("hi"))
    items: list[Item] = run(made.stream())
    assert [item.model for item in items if isinstance(item, Head)] == ["m-1"]  # nothing of the first one is told
    assert purposes(made) == ["a: primary", "a: retry"]
    made = world([Head(model="m-0"), Chunk(text="h", words=True), StreamBroken("cut")], words("hi"))
    with pytest.raises(StreamBroken):
        run(made.stream())
    assert purposes(made) == ["a: primary"]


def test_a_filtered_answer_is_an_answer() -> None:
    made = world(said(finish="content_filter"), said("other"))
    assert run(made.answer()).finish == "content_filter"
    made = world([Head(model="m-0"), Chunk(finish="content_filter")], words("hi"))
    assert len(run(made.stream())) == 2 and purposes(made) == ["a: primary"]


def test_what_is_held_comes_back_before_anybody_waits() -> None:
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 1000 * 1000 + 50 * 2000, "day")  # room for one attempt
    made = world(DOWN, said())
    run(made.answer(by=caller(limits=(limit,))))
    assert made.held() == 0 and made.spent() == {limit.id: COST}


def test_a_try_that_no_limit_has_room_for_leaves_the_first_failure() -> None:
    worst = 1000 + 50
    limit = Limit("key:k1:tokens:minute", "key tests", "tokens", worst, "minute")
    broken = [Head(model="m-0"), StreamBroken("cut")]  # was read, so its prompt counts
    made = world(broken, words("hi"))
    with pytest.raises(StreamBroken) as caught:
        run(made.stream(by=caller(limits=(limit,))))
    assert "rate_limited" in caught.value.hint and purposes(made) == ["a: primary"]
    full = Limit("key:k1:tokens:minute", "key tests", "tokens", worst - 1, "minute")
    with pytest.raises(LimitExceeded):
        run(world(said()).answer(by=caller(limits=(full,))))


def test_a_target_that_is_down_is_not_asked_much_more_than_one_that_is_up() -> None:
    made = world(DOWN, backoff_s=0.0)
    hints: list[str] = []

    async def many() -> None:
        for _ in range(100):
            try:
                await made.answer()
            except TargetFailed as error:
                hints.append(error.hint)
                assert error.spent

    run(many())
    retries = purposes(made).count("a: retry")
    assert BURST <= retries <= BURST + 0.2 * 100
    assert "share of its requests" in hints[-1]


@given(
    st.lists(st.sampled_from(["request", "retry", "second"]), max_size=300),
    st.floats(0, 1),
)
def test_retries_never_exceed_their_share(events: list[str], share: float) -> None:
    clock = HandClock()
    requests = taken = seconds = 0
    budget = RetryBudgets(clock).of("a")
    for event in events:
        seconds += event == "second"
        clock.at += event == "second"
        if event == "request":
            budget.deposit(share)
            requests += 1
        elif event == "retry":
            taken += budget.withdraw(clock.now())
    assert taken <= BURST + share * requests + FLOOR_PER_S * seconds + 1e-6


FAILURES: dict[str, Any] = {
    "failed": TargetFailed("500"),
    "soon": TargetOverloaded("429", retry_after_s=0.1),
    "late": TargetOverloaded("429", retry_after_s=100.0),
    "rejected": TargetRejected("bad", status=400),
    "broken": StreamBroken("cut"),
}


@settings(max_examples=60, deadline=None)
@given(
    plan=st.lists(st.sampled_from([*FAILURES, "ok"]), min_size=1, max_size=8),
    names=st.sampled_from(["a", "ab", "abc"]),
    attempts=st.integers(0, 4),
    stream=st.booleans(),
)
def test_no_call_makes_more_attempts_than_it_has_targets_and_retries(
    plan: list[str], names: str, attempts: int, stream: bool
) -> None:
    good: Any = words("hi") if stream else said()
    made = world(*(FAILURES.get(one, good) for one in plan), names=names, attempts=attempts)
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 10**12, "day")
    with contextlib.suppress(FairleadError):
        run((made.stream if stream else made.answer)(by=caller(limits=(limit,))))
    assert len(made.spool.intents()) <= len(names) + attempts
    assert len(made.spool.outcomes()) == len(made.spool.intents()) and len(made.spool.calls()) == 1
    assert made.held() == 0
