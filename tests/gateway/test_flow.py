"""The life of a call over a table of answers: what is asked, what is in the books, what is settled."""

import asyncio
from contextlib import aclosing

import pytest

from fairlead.chat import Chunk, Head, Usage
from fairlead.errors import (
    AllTargetsFailed,
    BudgetExceeded,
    BudgetHeld,
    CostUnbounded,
    LimitExceeded,
    PolicyDenied,
    RouteUnknown,
    StreamBroken,
    TargetFailed,
    TargetRejected,
    TargetTimeout,
    TargetUnreachable,
    Unavailable,
)
from fairlead.gateway.call import Context, Limit
from fairlead.money import Price
from world import COST, USAGE, World, caller, request, route, said, target, words


def budget(amount: int, limit_id: str = "key:k1:nusd:day") -> Limit:
    return Limit(limit_id, "key tests", "nusd", amount, "day")


def run(coroutine):
    return asyncio.run(coroutine)


def test_an_answer_is_priced_and_stands_in_the_books() -> None:
    world = World([route(target("a"))], {"a": said()})
    answer = run(world.answer())
    assert (answer.target, answer.cost_nusd, answer.spoken) == ("a", COST, b"hello")
    [intent], [outcome], [call] = world.spool.intents(), world.spool.outcomes(), world.spool.calls()
    assert [type(record).__name__ for record in world.spool.records] == ["Intent", "Outcome", "CallClosed"]
    assert intent.attempt == outcome.attempt and intent.call == outcome.call == call.call
    assert (outcome.outcome, outcome.cost_nusd, outcome.input_tokens, outcome.output_tokens) == ("ok", COST, 100, 10)
    assert (call.status, call.target, call.cost_nusd, call.attempts, call.config) == ("ok", "a", COST, 1, "c0ffee")
    assert intent.hold_nusd == 1000 * 1000 + 50 * 2000 and intent.hold_tokens == 1050


def test_a_stream_is_booked_as_its_unary_twin() -> None:
    unary = World([route(target("a"))], {"a": said()})
    streamed = World([route(target("a"))], {"a": words("hel", "lo")})
    run(unary.answer())
    items = run(streamed.stream())
    assert [item.text for item in items if isinstance(item, Chunk) and item.words] == ["hel", "lo"]
    (one,), (two,) = unary.spool.outcomes(), streamed.spool.outcomes()
    for field in ("outcome", "cost_nusd", "input_tokens", "output_tokens", "estimated", "served_model", "overrun"):
        assert getattr(one, field) == getattr(two, field)
    assert two.first_token_us is not None and two.finish == "stop"
    assert streamed.spool.calls()[0].first_word_us is not None


def test_fallback_asks_the_next_target_and_books_both_attempts() -> None:
    world = World([route(target("a"), target("b"))], {"a": TargetFailed("500", status=500), "b": said()})
    assert run(world.answer()).target == "b"
    assert [(o.outcome, o.cost_nusd) for o in world.spool.outcomes()] == [("target_failed", 0), ("ok", COST)]
    assert [i.purpose for i in world.spool.intents()] == ["primary", "fallback"]
    assert world.spool.calls()[0].attempts == 2


def test_a_stream_falls_back_until_its_first_word_and_never_after() -> None:
    before = [Head(model="m-1"), Chunk(words=False), StreamBroken("cut")]
    world = World([route(target("a"), target("b"))], {"a": before, "b": words("hi")})
    items = run(world.stream())
    assert sum(isinstance(item, Head) for item in items) == 1  # nothing of the broken one reaches the caller
    after = [Head(model="m-1"), Chunk(text="hi", words=True), StreamBroken("cut")]
    world = World([route(target("a"), target("b"))], {"a": after, "b": words("hi")})
    with pytest.raises(StreamBroken):
        run(world.stream())
    assert [intent.target for intent in world.spool.intents()] == ["a"]
    [outcome] = world.spool.outcomes()
    assert (outcome.outcome, outcome.finish, outcome.estimated) == ("stream_broken", None, True)
    assert outcome.output_tokens == 1 and outcome.cost_nusd == 100 * 1000 + 2000  # 400 bytes of prompt, one word


def test_all_targets_in_vain_names_each_of_them() -> None:
    world = World(
        [route(target("a"), target("b"))],
        {"a": TargetUnreachable("refused"), "b": TargetTimeout("slow", stage="total")},
    )
    with pytest.raises(AllTargetsFailed, match="a: refused; b: slow") as caught:
        run(world.answer())
    assert [failure.target for failure in caught.value.failures] == ["a", "b"]
    assert world.spool.calls()[0].status == "failed"


def test_the_callers_own_mistake_is_asked_of_no_other_target() -> None:
    world = World([route(target("a"), target("b"))], {"a": TargetRejected("bad", status=400), "b": said()})
    with pytest.raises(TargetRejected):
        run(world.answer())
    assert len(world.spool.intents()) == 1 and world.spool.calls()[0].status == "failed"


def test_denied_calls_have_a_row_and_no_attempt() -> None:
    world = World([route(target("a", zone="public"), name="r", zone="private")], {"a": said()})
    with pytest.raises(PolicyDenied) as caught:
        run(world.answer())
    assert caught.value.code == "zone_denied" and "route 'r'" in caught.value.message
    with pytest.raises(PolicyDenied):
        run(world.answer(by=caller(routes=("other",))))
    with pytest.raises(RouteUnknown, match="'x'"):
        run(world.answer(request(route="x")))
    assert [(call.status, call.code) for call in world.spool.calls()] == [
        ("denied", "zone_denied"),
        ("denied", "route_denied"),
        ("denied", "route_not_found"),
    ]
    assert world.spool.intents() == [] and world.table.asked == []


def test_fallback_never_leaves_the_zone_of_the_call() -> None:
    targets = (target("near"), target("far", zone="public"))
    world = World([route(*targets, zone="public")], {"near": TargetFailed("500"), "far": said()})
    with pytest.raises(TargetFailed):
        run(world.answer(by=caller(zone="private")))
    assert [asking.target.name for asking in world.table.asked] == ["near"]
    assert "leaves out far (public)" in world.spool.calls()[0].narrowed[0]


def test_money_is_held_at_its_worst_and_settled_at_its_truth() -> None:
    limit = budget(10_000_000)
    world = World([route(target("a"))], {"a": said()})
    run(world.answer(by=caller(limits=(limit,))))
    assert world.held() == 0 and world.spent() == {limit.id: COST}


def test_parallel_calls_never_overspend_together() -> None:
    worst = 1000 * 1000 + 50 * 2000
    limit = budget(3 * worst)
    world = World([route(target("a"))], {"a": said()})

    async def many() -> list[object]:
        calls = (world.answer(by=caller(limits=(limit,))) for _ in range(10))
        return await asyncio.gather(*calls, return_exceptions=True)

    results = run(many())
    assert sum(isinstance(result, BudgetHeld) for result in results) == 7
    assert world.held() == 0 and world.spent() == {limit.id: 3 * COST}


def test_a_spent_budget_is_exhausted_with_the_numbers() -> None:
    worst = 1000 * 1000 + 50 * 2000
    limit = budget(worst)
    world = World([route(target("a"))], {"a": said()})

    async def twice() -> None:
        await world.answer(by=caller(limits=(limit,)))
        await world.answer(by=caller(limits=(limit,)))

    with pytest.raises(BudgetExceeded) as caught:
        run(twice())
    assert caught.value.code == "budget_exhausted"
    assert (caught.value.details["spent_nusd"], caught.value.details["needed_nusd"]) == (COST, worst)


def test_an_unknown_price_is_refused_under_a_budget_and_unknown_without_one() -> None:
    world = World([route(target("a", price=None))], {"a": said()})
    with pytest.raises(CostUnbounded) as caught:
        run(world.answer(by=caller(limits=(budget(10**12),))))
    assert caught.value.code == "price_unknown" and "targets.a" in caught.value.hint
    assert run(world.answer()).cost_nusd is None
    assert world.spool.outcomes()[0].cost_nusd is None and world.spool.calls()[-1].cost_nusd is None


def test_the_price_of_the_moment_counts() -> None:
    dated = {False: Price(id="x@old", input=10**9, output=10**9), True: Price(id="x@new", input=10**10, output=10**9)}
    world = World([route(target("a", price=None, tariff=lambda at_us: dated[at_us > 0]))], {"a": said()})
    assert run(world.answer()).cost_nusd == 100 * 10_000 + 10 * 1000
    assert world.spool.intents()[0].price == "x@new"


def test_an_unbounded_request_needs_a_most_per_call_under_a_budget() -> None:
    world = World([route(target("a"))], {"a": said()})
    limit = budget(10**12)
    with pytest.raises(CostUnbounded) as caught:
        run(world.answer(request(input_bound=None), by=caller(limits=(limit,))))
    assert caught.value.code == "cost_unbounded"
    world = World([route(target("a"), max_cost_nusd=5_000_000)], {"a": said()})
    run(world.answer(request(input_bound=None), by=caller(limits=(limit,))))
    assert world.spool.intents()[0].hold_nusd == 5_000_000


def test_requests_tokens_and_places_in_flight_are_holds_too() -> None:
    requests = Limit("key:k1:requests:minute", "key tests", "requests", 2, "minute")
    world = World([route(target("a"), target("b"))], {"a": TargetFailed("500"), "b": said()})

    async def thrice() -> None:
        for _ in range(3):
            await world.answer(by=caller(limits=(requests,)))

    with pytest.raises(LimitExceeded) as caught:
        run(thrice())
    assert len(world.spool.calls()) == 3 and len(world.spool.intents()) == 4  # a fallback is no second request
    assert 0 < caught.value.details["retry_after_s"] <= 60
    places = Limit("key:k1:concurrent", "key tests", "concurrent", 1, "total")
    world = World([route(target("a"))], {"a": said()})

    async def both() -> list[object]:
        calls = (world.answer(by=caller(limits=(places,))) for _ in range(2))
        return await asyncio.gather(*calls, return_exceptions=True)

    assert sorted(type(result).__name__ for result in run(both())) == ["Answer", "LimitExceeded"]
    assert world.held() == 0 and world.spent() == {places.id: 0}


def test_a_caller_who_hangs_up_is_billed_for_what_came() -> None:
    limit = budget(10_000_000)
    world = World([route(target("a"))], {"a": [Head(model="m-1"), *[Chunk(text="w", words=True)] * 3, 10.0]})

    async def hang_up() -> None:
        with world.gateway.open(caller(limits=(limit,)), request(stream=True), Context()) as book:
            async with aclosing(world.gateway.stream(book)) as items:
                async for item in items:
                    if isinstance(item, Chunk):
                        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(hang_up())
    [outcome], [call] = world.spool.outcomes(), world.spool.calls()
    assert (outcome.outcome, outcome.estimated, outcome.output_tokens) == ("cancelled", True, 1)
    assert call.status == "cancelled" and call.cost_nusd == outcome.cost_nusd == 100 * 1000 + 2000
    assert world.held() == 0 and world.spent() == {limit.id: outcome.cost_nusd}


def test_a_target_that_does_not_count_is_estimated_and_marked() -> None:
    world = World([route(target("a"))], {"a": words("one ", "two ", usage=None)})
    run(world.stream())
    [outcome] = world.spool.outcomes()
    assert (outcome.input_tokens, outcome.output_tokens, outcome.estimated) == (100, 2, True)
    assert world.spool.calls()[0].estimated


def test_an_attempt_dearer_than_its_hold_is_booked_and_flagged() -> None:
    world = World([route(target("a"))], {"a": said(usage=Usage(input=9000, output=10))})
    run(world.answer())
    assert world.spool.outcomes()[0].overrun


def test_a_full_spool_denies_before_anything_is_sent_and_frees_the_hold() -> None:
    limit = budget(10_000_000)
    world = World([route(target("a"))], {"a": said()})
    world.spool.full = True
    with pytest.raises(Unavailable):
        run(world.answer(by=caller(limits=(limit,))))
    assert world.table.asked == [] and world.held() == 0 and world.spent() == {limit.id: 0}


def test_what_is_waited_for_a_lease_is_time_of_the_route() -> None:
    limit = budget(10**9)
    world = World([route(target("a"), total_s=0.05)], {"a": said()})
    grant = world.broker.lease

    async def slowly(*asked):
        await asyncio.sleep(0.1)
        return await grant(*asked)

    world.broker.lease = slowly
    with pytest.raises(TargetTimeout):
        run(world.answer(by=caller(limits=(limit,))))
    assert world.table.asked == [] and world.spool.intents() == [] and world.held() == 0


def test_the_route_caps_the_output_and_shares_its_deadline_among_attempts() -> None:
    world = World([route(target("a"), target("b"), total_s=5.0)], {"a": TargetFailed("500"), "b": said()})
    run(world.answer(request(max_output_tokens=500)))
    assert {asking.max_output_tokens for asking in world.table.asked} == {50}
    assert all(asking.target.timeouts.total_s <= 5.0 for asking in world.table.asked)
    assert "500 output tokens asked for" in world.spool.calls()[0].narrowed[0]


def test_limits_of_a_team_and_of_everything_count_beside_the_keys() -> None:
    everything, team, other = (budget(10**9, name) for name in ("all/all:nusd:day", "team:t/x:nusd:day", "team:u/y"))
    world = World([route(target("a"))], {"a": said()}, (("", everything), ("t", team), ("u", other)))
    run(world.answer(by=caller(team="t", limits=(budget(10**9),))))
    assert world.spent() == {everything.id: COST, team.id: COST, "key:k1:nusd:day": COST}
    assert USAGE.input == 100
