"""One asking for all who ask the same at once: who hears what, who pays, and what happens when somebody leaves."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.chat import Answer, Item
from fairlead.errors import (
    BudgetExceeded,
    LimitExceeded,
    TargetFailed,
    TargetRejected,
    TargetTimeout,
)
from fairlead.gateway import sharing
from fairlead.gateway.call import Context, Limit
from gateway.repeats import asked, cached, gated, hear, how, pieces, text, until, whole
from world import COST, World, caller


@pytest.fixture(autouse=True)
def _nothing_is_left(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    yield
    assert not [one for one in recwarn if "never awaited" in str(one.message)]


# --- one asking for many ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl_s", [0.0, 60.0])
@pytest.mark.parametrize("stream", [False, True])
def test_those_who_ask_the_same_at_once_share_one_asking(stream: bool, ttl_s: float) -> None:
    line = pieces("one ", "two") if stream else whole("one two")
    world, table = gated(cached(rules={"ttl_s": ttl_s}), line)

    async def all_at_once() -> list[Any]:
        calls = [hear(world, asked(stream=True)) if stream else world.answer(asked()) for _ in range(10)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        await until(lambda: world.gateway.ledger.open_calls == 10 and table.begun.is_set())
        await asyncio.sleep(0)
        table.let()
        return await asyncio.gather(*tasks)

    came = asyncio.run(all_at_once())
    assert {text(one) if stream else one.said[0].text for one in came} == {"one two"}
    assert len(table.asked) == 1 and sorted(how(world)) == ["miss"] + ["shared"] * 9
    assert sum(call.cost_nusd or 0 for call in world.spool.calls()) == COST
    assert sum(call.attempts for call in world.spool.calls()) == 1
    assert {call.target for call in world.spool.calls()} == {"a"}


def test_followers_of_a_stream_hear_it_as_it_comes_also_those_who_come_late_and_their_unary_twins() -> None:
    world, table = gated(cached(), pieces("one ", "two ", "three"))

    async def play() -> tuple[list[Item], list[Item], Answer]:
        first: list[Item] = []
        late: list[Item] = []
        tasks = [asyncio.ensure_future(hear(world, asked(stream=True), came=first))]
        table.let(2)
        await until(lambda: text(first) == "one ")
        tasks.append(asyncio.ensure_future(hear(world, asked(stream=True), came=late)))
        await until(lambda: text(late) == "one ")
        twin = asyncio.ensure_future(world.answer(asked()))
        table.let(1)
        await until(lambda: text(first) == text(late) == "one two ")
        assert not twin.done()
        table.let()
        await asyncio.gather(*tasks)
        return first, late, await twin

    first, late, twin = asyncio.run(play())
    assert text(first) == text(late) == twin.said[0].text == "one two three"
    assert len(table.asked) == 1 and how(world).count("shared") == 2


def test_a_stream_may_follow_a_whole_answer() -> None:
    world, table = gated(cached(), whole("one two"))

    async def play() -> list[Item]:
        first = asyncio.ensure_future(world.answer(asked()))
        await table.begun.wait()
        second = asyncio.ensure_future(hear(world, asked(stream=True)))
        await until(lambda: world.gateway.ledger.open_calls == 2)
        table.let()
        await first
        return await second

    assert text(asyncio.run(play())) == "one two" and sorted(how(world)) == ["miss", "shared"]


@pytest.mark.parametrize("stream", [False, True])
def test_whoever_hangs_up_leaves_the_asking_to_the_others_and_pays_for_it_all_the_same(stream: bool) -> None:
    world, table = gated(cached(), pieces("one ", "two") if stream else whole("one two"))

    async def play() -> Any:
        def call() -> Any:
            return asyncio.ensure_future(hear(world, asked(stream=True)) if stream else world.answer(asked()))

        leader = call()
        await table.begun.wait()
        follower = call()
        await until(lambda: world.gateway.ledger.open_calls == 2)
        await asyncio.sleep(0)
        leader.cancel()
        await asyncio.sleep(0)
        table.let()
        came = await follower
        with pytest.raises(asyncio.CancelledError):
            await leader
        return came

    came = asyncio.run(play())
    assert (text(came) if stream else came.said[0].text) == "one two"
    assert len(table.asked) == 1 and table.cancelled == 0
    told = {call.cache: call for call in world.spool.calls()}
    assert (told["miss"].status, told["miss"].cost_nusd) == ("cancelled", COST)
    assert (told["shared"].status, told["shared"].cost_nusd) == ("ok", 0)
    assert [outcome.outcome for outcome in world.spool.outcomes()] == ["ok"]


@pytest.mark.parametrize("last", ["leader", "follower"])
def test_when_nobody_is_left_the_asking_ends_and_is_settled(last: str) -> None:
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 10_000_000, "day")
    world, table = gated(cached(), pieces("one"))

    async def play() -> None:
        def call() -> Any:
            return asyncio.ensure_future(hear(world, asked(stream=True), caller(limits=(limit,))))

        leader = call()
        await table.begun.wait()
        follower = call()
        await until(lambda: world.gateway.ledger.open_calls == 2)
        await asyncio.sleep(0)
        for one in (leader, follower) if last == "follower" else (follower, leader):
            one.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(leader, follower, return_exceptions=True)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(play())
    assert table.cancelled == 1 and world.held() == 0
    assert [call.status for call in world.spool.calls()] == ["cancelled", "cancelled"]
    assert [outcome.outcome for outcome in world.spool.outcomes()] == ["cancelled"]


def test_a_worker_that_is_drained_ends_what_was_left_to_others() -> None:
    world, table = gated(cached(), whole())

    async def play() -> None:
        tasks = [asyncio.ensure_future(world.answer(asked())) for _ in range(2)]
        await until(lambda: world.gateway.ledger.open_calls == 2)
        await table.begun.wait()
        tasks[0].cancel()
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(play())
    assert table.cancelled == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_of_the_target_is_everybodys_and_kept_by_nobody(stream: bool) -> None:
    world, table = gated(cached(), TargetFailed("500"))

    async def play() -> list[Any]:
        tasks = [
            asyncio.ensure_future(hear(world, asked(stream=True)) if stream else world.answer(asked())) for _ in "abc"
        ]
        await until(lambda: world.gateway.ledger.open_calls == 3 and table.begun.is_set())
        await asyncio.sleep(0)
        table.let()
        came = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(world.answer(asked()), return_exceptions=True)
        return came

    assert [type(one) for one in asyncio.run(play())] == [TargetFailed] * 3
    assert len(table.asked) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_of_the_leaders_own_is_taken_over_by_one_of_the_others(stream: bool) -> None:
    late = TargetTimeout("no time is left", stage="total")
    lines: list[Any] = [late, pieces("one") if stream else whole("one")]
    world, table = gated(cached(), lambda request: lines.pop(0))

    async def play() -> list[Any]:
        def call() -> Any:
            return hear(world, asked(stream=True)) if stream else world.answer(asked())

        tasks = [asyncio.ensure_future(call()) for _ in range(4)]
        await until(lambda: world.gateway.ledger.open_calls == 4 and table.begun.is_set())
        await asyncio.sleep(0)
        table.let()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = asyncio.run(play())
    assert isinstance(first, TargetTimeout)
    assert {text(one) if stream else one.said[0].text for one in others} == {"one"}
    assert len(table.asked) == 2 and how(world).count("miss") == 2 and how(world).count("shared") == 2


def test_a_budget_of_the_leaders_denies_nobody_else() -> None:
    poor = Limit("key:poor:nusd:day", "key poor", "nusd", 1, "day")
    requests = Limit("key:rich:requests:minute", "key rich", "requests", 1, "minute")
    world = World([cached(rules={"scope": "route"})], {"a": whole()})

    async def both() -> list[Any]:
        calls = (
            world.answer(asked(), by=caller(key="poor", limits=(poor,))),
            world.answer(asked(), by=caller(key="rich", limits=(requests,))),
        )
        return list(await asyncio.gather(*calls, return_exceptions=True))

    denied, answered = asyncio.run(both())
    assert isinstance(denied, BudgetExceeded) and answered.said[0].text == "hello"
    assert world.spent()[requests.id] == 1 and world.held() == 0


def test_a_follower_waits_no_longer_than_its_own_deadline() -> None:
    world, table = gated(cached(), whole())

    async def play() -> None:
        leader = asyncio.ensure_future(world.answer(asked()))
        await table.begun.wait()
        hurried = world.gateway.open(caller(), asked(), Context(timeout_s=0.05))
        with pytest.raises(TargetTimeout) as caught, hurried as book:
            await world.gateway.answer(book)
        assert caught.value.details["stage"] == "total"
        assert not leader.done()
        table.let()
        await leader

    asyncio.run(play())
    assert {call.cache: call.status for call in world.spool.calls()} == {"": "failed", "miss": "ok"}


def test_what_is_too_long_to_share_is_streamed_at_the_pace_of_the_slowest_and_forgotten() -> None:
    line = pieces(*["x" * 1000] * 50)
    world, table = gated(cached(rules={"most_bytes": 10_000}), line)

    async def play() -> None:
        with world.gateway.open(caller(), asked(stream=True), Context()) as book:
            slow = world.gateway.stream(book)
            table.let(1)
            came = [await anext(slow)]
            quick: list[Item] = []
            task = asyncio.ensure_future(hear(world, asked(stream=True), came=quick))
            await until(lambda: quick)
            table.let()
            for _ in range(200):
                await asyncio.sleep(0)
            assert 5 <= len(quick) < 15  # no further ahead than may be kept
            late = asyncio.ensure_future(hear(world, asked(stream=True)))  # too late to share
            async for item in slow:
                came.append(item)
            await task
            assert len(came) == len(quick) == len(line) and text(came) == text(quick)
            assert text(await late) == text(came)

    asyncio.run(play())
    assert len(table.asked) == 2
    asyncio.run(hear(world, asked(stream=True)))
    assert how(world).count("hit") == 0


def test_what_is_somebodys_own_failure() -> None:
    own = (BudgetExceeded("b"), LimitExceeded("l"), TargetTimeout("t", stage="total"), asyncio.CancelledError())
    others = (TargetFailed("f"), TargetRejected("r"), TargetTimeout("t", stage="first_token"), ValueError())
    assert all(map(sharing.is_own, own)) and not any(map(sharing.is_own, others))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.booleans()),
        st.tuples(st.just("leave"), st.integers(0, 9)),
        st.tuples(st.just("let"), st.integers(1, 3)),
        st.tuples(st.just("turn"), st.integers(1, 4)),
    ),
    max_size=40,
)


@given(steps=STEPS, streams=st.booleans(), ttl_s=st.sampled_from([0.0, 60.0]))
@settings(deadline=None, max_examples=150)
def test_whoever_comes_and_goes_everybody_else_hears_all_of_it_and_nothing_is_left(
    steps: list[Any], streams: bool, ttl_s: float
) -> None:
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 10**12, "day")
    places = Limit("key:k1:concurrent", "key tests", "concurrent", 100, "total")
    by = caller(limits=(limit, places))
    world, table = gated(
        cached(rules={"ttl_s": ttl_s}), lambda request: pieces("a", "b", "c") if request.stream else whole("abc")
    )

    async def play() -> None:
        calls: list[asyncio.Future[Any]] = []
        for step, much in steps:
            if step == "ask":
                call = hear(world, asked(stream=True), by) if much and streams else world.answer(asked(), by)
                calls.append(asyncio.ensure_future(call))
            elif step == "leave" and calls:
                calls[much % len(calls)].cancel()
            elif step == "let":
                table.let(much)
            for _ in range(much if step == "turn" else 1):
                await asyncio.sleep(0)
        table.let()
        came = await asyncio.gather(*calls, return_exceptions=True)
        for one in came:
            if not isinstance(one, asyncio.CancelledError):
                assert (text(one) if isinstance(one, list) else one.said[0].text) == "abc"
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(play())
    told = world.spool.calls()
    assert world.held() == 0 and sum(call.attempts for call in told) == len(table.asked)
    assert sum(call.cost_nusd or 0 for call in told) == sum(one.cost_nusd or 0 for one in world.spool.outcomes())
    assert all(call.cost_nusd == 0 for call in told if call.cache in ("hit", "shared"))
    assert world.spent().get(limit.id, 0) == sum(call.cost_nusd or 0 for call in told)
