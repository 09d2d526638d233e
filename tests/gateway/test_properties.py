"""What holds for every call, whatever is asked, answered, broken off or hung up on."""

import asyncio
import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.chat import Answer, Usage
from fairlead.errors import (
    FairleadError,
    RequestInvalid,
    StreamBroken,
    TargetFailed,
    TargetOverloaded,
    TargetRejected,
    TargetTimeout,
    TargetUnclear,
    TargetUnreachable,
)
from fairlead.gateway.call import ZONES, Call, Capabilities, Limit, Retry
from fairlead.gateway.policies import POLICIES
from fairlead.money import Price
from waiting import HandClock
from world import World, call_of, caller, copy, request, route, said, target, words

FAILURES: tuple[FairleadError, ...] = (
    TargetFailed("500", status=500),
    TargetOverloaded("429", status=429, retry_after_s=0.5),
    TargetUnreachable("reset"),
    TargetTimeout("late", stage="first_token"),
    TargetUnclear("a web page"),
    TargetRejected("400", status=400),
    RequestInvalid("it has no word for that", code="unsupported_feature"),
)
counts = st.integers(0, 5000)
usages = st.none() | st.builds(
    Usage, input=counts, output=counts, cache_read=st.integers(0, 50), reasoning=st.integers(0, 50)
)
failures = st.sampled_from(FAILURES)


def limits(amount: int) -> tuple[Limit, ...]:
    units = (("nusd", "day"), ("tokens", "minute"), ("requests", "minute"), ("concurrent", "total"))
    return tuple(Limit(f"key:k1:{unit}:{window}", "key tests", unit, amount, window) for unit, window in units)


@st.composite
def lines(draw: st.DrawFn) -> Any:
    """What a target may say: an answer, a failure; as a stream: whole, silent, broken off before or after a word."""
    usage = draw(usages)
    if draw(st.booleans()):
        return draw(failures)
    whole: list[Any] = words(*draw(st.lists(st.text("ab ", max_size=5), max_size=5)), usage=usage)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(whole)))
        whole = [*whole[:at], draw(st.sampled_from((StreamBroken("cut"), TargetTimeout("late", stage="total"))))]
    return said(usage=usage), whole


def table(drawn: dict[str, Any], stream: bool) -> dict[str, Any]:
    """The same lines for a backend, which says them whole or in pieces; each time with an error of its own."""

    def line(one: Any) -> Any:
        if isinstance(one, FairleadError):
            return lambda asked: copy(one)
        return lambda asked: [copy(x) if isinstance(x, FairleadError) else x for x in one[1]] if stream else one[0]

    return {name: line(one) for name, one in drawn.items()}


async def hang_up_after(steps: int, work: Any) -> None:
    """Run the work, and cancel it when the loop has turned so often."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, FairleadError):
        await task


@settings(max_examples=150, deadline=None)
@given(
    drawn=st.dictionaries(st.sampled_from("abc"), lines(), min_size=1),
    stream=st.booleans(),
    steps=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    amount=st.sampled_from((1, 2, 5000, 10**9)),
    attempts=st.integers(0, 2),
)
def test_whatever_happens_holds_return_to_zero_and_no_limit_is_overspent(
    drawn: dict[str, Any], stream: bool, steps: list[int], amount: int, attempts: int
) -> None:
    targets = tuple(target(name) for name in drawn)
    ruled = route(*targets, retry=Retry(attempts=attempts))
    world = World([ruled], table(drawn, stream), clock=HandClock())
    by = caller(limits=limits(amount))

    async def all_at_once() -> None:
        ask = world.stream if stream else world.answer
        await asyncio.gather(*(hang_up_after(step, ask(request(stream=stream), by)) for step in steps))

    asyncio.run(all_at_once())
    assert world.held() == 0
    intents = [intent.attempt for intent in world.spool.intents()]
    assert sorted(intents) == sorted(outcome.attempt for outcome in world.spool.outcomes())
    assert len(world.spool.calls()) == len(steps)
    spent = world.spent()
    booked = sum(outcome.cost_nusd or 0 for outcome in world.spool.outcomes())
    assert spent.get("key:k1:nusd:day", 0) == booked
    if not any(outcome.overrun for outcome in world.spool.outcomes()):
        assert booked <= amount
    assert spent.get("key:k1:concurrent:total", 0) == 0


@settings(max_examples=200, deadline=None)
@given(usage=usages, price=st.builds(Price, id=st.just("own/x"), input=st.integers(0, 10**10), output=counts))
def test_a_stream_and_its_unary_twin_settle_to_the_same_row(usage: Usage | None, price: Price) -> None:
    """Also where the target does not count: what both said is of one length then."""
    answer: Answer = said("hello", usage=usage, finish="stop")
    rows = []
    for stream, line in ((False, answer), (True, words("hel", "lo", usage=usage))):
        world = World([route(target("a", price=price))], {"a": line})
        asyncio.run(world.stream() if stream else world.answer())
        [outcome] = world.spool.outcomes()
        rows.append(outcome)
    told = ("outcome", "finish", "cost_nusd", "input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens")
    for field in (*told, "cache_write_tokens", "usage_details", "estimated", "overrun", "served_model", "shape"):
        assert getattr(rows[0], field) == getattr(rows[1], field), field


abilities = st.none() | st.builds(
    Capabilities,
    image=st.none() | st.booleans(),
    tools=st.none() | st.booleans(),
    thinking=st.none() | st.booleans(),
    context_tokens=st.none() | st.integers(1, 200),
    max_output_tokens=st.none() | st.integers(1, 200),
)
zones = st.sampled_from(ZONES)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    targets = tuple(target(f"t{n}", zone=draw(zones), can=draw(abilities)) for n in range(draw(st.integers(1, 4))))
    ruled = route(*targets, zone=draw(zones), lossy=draw(st.booleans()), limits=limits(5)[: draw(st.integers(0, 4))])
    by = caller(routes=draw(st.sampled_from((("*",), ("r",), ("other",), ()))), zone=draw(zones), limits=limits(7)[:1])
    asked = request(
        needs=frozenset(draw(st.sets(st.sampled_from(("image", "tools", "thinking"))))),
        max_output_tokens=draw(st.none() | st.integers(1, 300)),
        input_bytes=draw(st.integers(0, 3000)),
    )
    return call_of(ruled, by, asked)


@settings(max_examples=300, deadline=None)
@given(call=calls(), order=st.permutations(POLICIES))
def test_a_policy_only_narrows_in_whatever_order_they_are_asked(call: Call, order: list[Any]) -> None:
    for policy in order:
        before = call
        try:
            call = policy(call)
        except FairleadError:
            return
        assert call.targets
        assert [one for one in before.targets if one in call.targets] == list(call.targets)  # of these, in their order
        assert ZONES.index(call.zone) <= ZONES.index(before.zone)
        assert call.limits[: len(before.limits)] == before.limits
        assert call.narrowed[: len(before.narrowed)] == before.narrowed
        assert (call.id, call.caller, call.route, call.context) == (
            before.id,
            before.caller,
            before.route,
            before.context,
        )
        assert call.targets == before.targets or len(call.narrowed) > len(before.narrowed)  # and it is told
