"""Circuits: when they open, what goes through meanwhile, how they close, and what all processes make of it."""

import asyncio
from contextlib import aclosing, suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fairlead.chat import Chunk, Head
from fairlead.errors import (
    CircuitOpen,
    ConnectionStale,
    FairleadError,
    LimitExceeded,
    StreamBroken,
    TargetFailed,
    TargetOverloaded,
    TargetRefused,
    TargetRejected,
    TargetTimeout,
    TargetUnclear,
    TargetUnreachable,
)
from fairlead.gateway.breaking import Circuit, Circuits, CircuitState, Window
from fairlead.gateway.call import BreakerRules, Context, Limit, Retry, Target
from waiting import HandClock
from world import World, caller, in_turn, request, route, said, target, words

RULES = BreakerRules(min_attempts=4, in_a_row=3, window_s=10.0, pause_s=2.0, max_pause_s=5.0)
DOWN = TargetFailed("500", status=500)


def guarded(name: str = "a", rules: BreakerRules = RULES, **changes: Any) -> Target:
    return target(name, breaker=rules, account=f"{name}@table", **changes)


def world(*lines: Any, clock: HandClock | None = None, rules: BreakerRules = RULES, **changes: Any) -> World:
    return World([route(guarded(rules=rules), **changes)], {"a": in_turn(*lines)}, clock=clock or HandClock())


async def outcomes(made: World, times: int, **how: Any) -> list[str]:
    """What each of so many calls came to."""
    found = []
    for _ in range(times):
        try:
            await made.answer(**how)
            found.append("ok")
        except FairleadError as error:
            found.append(error.code)
    return found


def ask(made: World, times: int, **how: Any) -> list[str]:
    return asyncio.run(outcomes(made, times, **how))


def test_a_target_that_fails_too_often_is_not_asked_and_nothing_is_held() -> None:
    made = world(said(), said(), DOWN)
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 10**12, "day")
    by = caller(limits=(limit,))
    assert ask(made, 6, by=by) == ["ok", "ok", "target_failed", "target_failed", "circuit_open", "circuit_open"]
    assert len(made.spool.intents()) == 4 and made.held() == 0
    assert made.spool.calls()[-1].attempts == 0 and made.spool.calls()[-1].code == "circuit_open"


def test_a_few_failures_among_many_answers_open_nothing() -> None:
    made = world(*[said(), said(), DOWN] * 20)
    assert "circuit_open" not in ask(made, 60)


def test_failures_that_lie_far_apart_open_nothing() -> None:
    clock = HandClock()
    made = world(DOWN, clock=clock)
    for _ in range(10):
        assert ask(made, 1) == ["target_failed"]
        clock.at += 4.0  # so that at most three lie in a window


def test_connections_that_fail_in_a_row_open_it_at_once() -> None:
    made = world(TargetUnreachable("refused"))
    assert ask(made, 4) == ["target_unreachable"] * 3 + ["circuit_open"]
    made = world(TargetTimeout("no connection", stage="connect"))
    assert ask(made, 4)[-1] == "circuit_open"


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (TargetFailed("500", status=500), True),
        (TargetRefused("401", status=401), True),
        (TargetUnclear("a web page"), True),
        (StreamBroken("cut"), True),
        (TargetTimeout("slow", stage="first_token"), True),
        (TargetTimeout("slow", stage="total"), True),
        (TargetRejected("bad", status=400), False),
        (TargetOverloaded("429", status=429), False),
        (ConnectionStale("closed as it was used again"), False),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_what_counts_as_a_failure(error: FairleadError, counts: bool) -> None:
    assert ("circuit_open" in ask(world(error), 8)) == counts


def test_a_caller_in_a_hurry_breaks_nothing_for_others() -> None:
    made = world(TargetTimeout("slow", stage="total"))

    async def hurry() -> None:
        with (
            suppress(TargetTimeout),
            made.gateway.open(caller(), request(), Context(timeout_s=1.0)) as book,
        ):
            await made.gateway.answer(book)

    for _ in range(8):
        asyncio.run(hurry())
    assert ask(made, 1) == ["target_timeout"]


def test_a_caller_who_hangs_up_breaks_nothing_for_others() -> None:
    made = world([Head(model="m-1"), Chunk(text="w", words=True), 10.0])

    async def hang_up() -> None:
        with made.gateway.open(caller(), request(stream=True), Context()) as book:
            async with aclosing(made.gateway.stream(book)) as items:
                async for item in items:
                    if isinstance(item, Chunk):
                        raise asyncio.CancelledError

    for _ in range(8):
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(hang_up())
    assert made.gateway.circuits.takes(guarded())


def test_a_429_that_names_a_wait_rests_the_target_so_long_and_no_longer() -> None:
    clock = HandClock()
    made = world(TargetOverloaded("429", retry_after_s=3.0), said(), clock=clock)
    assert ask(made, 2) == ["target_overloaded", "circuit_open"]
    clock.at += 2.9
    assert ask(made, 1) == ["circuit_open"]
    clock.at += 0.2
    assert ask(made, 2) == ["ok", "ok"]
    made = world(TargetOverloaded("429", retry_after_s=3600.0), said(), clock=clock)
    assert ask(made, 2) == ["target_overloaded", "circuit_open"]
    clock.at += RULES.max_rest_s + 0.1
    assert ask(made, 1) == ["ok"]


def test_a_rest_is_waited_for_where_there_is_nobody_else() -> None:
    clock = HandClock()
    made = world(TargetOverloaded("429", retry_after_s=3.0), said(), clock=clock, retry=Retry())
    assert ask(made, 1) == ["ok"] and clock.slept == [3.125]


def test_an_open_circuit_tells_how_long_and_why() -> None:
    made = world(DOWN)
    ask(made, 4)
    with pytest.raises(CircuitOpen, match=r"target a at table is left alone \(target_failed\)") as caught:
        asyncio.run(made.answer())
    assert caught.value.retry_after_s == 2.0 and caught.value.details["state"] == "open"
    since_us, until_us = int(caught.value.details["since_us"]), int(caught.value.details["until_us"])
    assert until_us - since_us == pytest.approx(2e6, abs=1e6)


def test_a_strategy_goes_on_to_the_next_target() -> None:
    made = World([route(guarded(), guarded("b"))], {"a": DOWN, "b": said()}, clock=HandClock())
    assert ask(made, 8) == ["ok"] * 8
    assert [intent.target for intent in made.spool.intents()].count("a") == 4


def test_the_same_target_is_asked_again_where_the_others_are_left_alone() -> None:
    lines = {"a": in_turn(*[DOWN] * 5, said()), "b": TargetUnreachable("refused")}
    made = World([route(target("a"), guarded("b"), retry=Retry(attempts=1))], lines, clock=HandClock())
    ask(made, 2)  # with two tries each, the circuit of b opens
    made.spool.records.clear()
    assert ask(made, 1)[0] in ("all_targets_failed", "target_failed")
    assert [intent.target for intent in made.spool.intents()] == ["a", "a"]


def test_who_was_asked_again_hears_the_failure_and_not_that_its_circuit_has_opened() -> None:
    made = world(TargetUnreachable("refused"), retry=Retry(attempts=5))
    with pytest.raises(TargetUnreachable) as caught:
        asyncio.run(made.answer())
    assert caught.value.retry_after_s is not None and len(made.spool.intents()) == 3


def test_after_a_pause_one_probe_goes_and_its_answer_closes_the_circuit() -> None:
    clock = HandClock()
    made = world(*[DOWN] * 4, said(), clock=clock)

    async def at_once() -> list[str]:
        return sorted(code for [code] in await asyncio.gather(*(outcomes(made, 1) for _ in range(5))))

    ask(made, 4)
    clock.at += 2.0
    assert asyncio.run(at_once()) == ["circuit_open"] * 4 + ["ok"]
    assert ask(made, 5) == ["ok"] * 5


def test_pauses_grow_with_each_probe_that_fails_up_to_a_bound() -> None:
    clock = HandClock()
    made = world(DOWN, clock=clock)
    ask(made, 4)
    for pause_s in (2.0, 4.0, 5.0, 5.0):
        clock.at += pause_s - 0.1
        assert ask(made, 1) == ["circuit_open"]
        clock.at += 0.1
        assert ask(made, 2) == ["target_failed", "circuit_open"]


def test_the_first_word_of_a_probe_closes_the_circuit_before_its_end() -> None:
    clock = HandClock()
    made = world(*[DOWN] * 4, words("one", "two"), clock=clock)
    ask(made, 4)
    clock.at += 2.0

    async def probe() -> None:
        with made.gateway.open(caller(), request(stream=True), Context()) as book:
            async with aclosing(made.gateway.stream(book)) as items:
                async for item in items:
                    if isinstance(item, Chunk) and item.words:
                        assert made.gateway.circuits.takes(guarded())

    asyncio.run(probe())


@pytest.mark.parametrize("how", ["a caller hangs up", "no limit has room", "the disk is full"])
def test_a_probe_that_comes_to_nothing_leaves_its_place_to_the_next(how: str) -> None:
    clock = HandClock()
    made = world(*[DOWN] * 4, said(), clock=clock)
    ask(made, 4)
    clock.at += 2.0
    full = Limit("key:k1:tokens:minute", "key tests", "tokens", 1, "minute")

    async def in_vain() -> None:
        if how == "a caller hangs up":
            asking = asyncio.create_task(made.answer())
            await asyncio.sleep(0)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
        elif how == "no limit has room":
            with suppress(LimitExceeded):
                await made.answer(by=caller(limits=(full,)))
        else:
            made.spool.full = True
            with suppress(FairleadError):
                await made.answer()
            made.spool.full = False

    asyncio.run(in_vain())
    assert ask(made, 1) == ["ok"]


def told() -> tuple[Circuits, list[CircuitState], HandClock]:
    clock = HandClock()
    circuits, heard = Circuits(clock), list[CircuitState]()
    circuits.tell = heard.append
    return circuits, heard, clock


def fail(circuits: Circuits, times: int, error: FairleadError = DOWN) -> None:
    for _ in range(times):
        circuit = circuits.of(guarded())
        assert circuit is not None
        circuit.ended(error, probing=circuit.admit(), hurried=False)


def test_what_one_process_finds_out_the_others_know() -> None:
    here, heard, _ = told()
    fail(here, 4)
    assert [state.state for state in heard] == ["open"] and heard[0].why == "target_failed"
    there, echo, clock = told()
    there.told(heard[-1])  # before anybody asked for it there
    assert not there.takes(guarded()) and echo == []
    clock.at += 2.0
    assert not there.takes(guarded())  # who opened it probes first
    clock.at += 1.0
    assert there.takes(guarded())


def test_a_probe_in_one_process_holds_the_others_back_and_its_answer_frees_them() -> None:
    here, heard, clock = told()
    there, _, clock_there = told()
    fail(here, 4)
    clock.at += 2.0
    clock_there.at += 2.0
    circuit = here.of(guarded())
    assert circuit is not None and circuit.admit()
    for state in heard:
        there.told(state)
    clock_there.at += 60.0
    assert heard[-1].state == "half-open" and not there.takes(guarded())
    clock_there.at += 600.0
    assert there.takes(guarded())  # its process may be dead
    circuit.ended(None, probing=True, hurried=False)
    there.told(heard[-1])
    assert heard[-1].state == "closed" and there.takes(guarded())


def test_settings_that_a_reload_changed_begin_anew_and_others_go_on() -> None:
    circuits, _, _ = told()
    fail(circuits, 4)
    circuits.keep({"a@table", "b@table"})
    assert not circuits.takes(guarded())
    circuits.keep({"a@table, changed"})
    assert circuits.takes(guarded())


def test_a_window_forgets_what_is_older_than_itself() -> None:
    window = Window(10.0, 0.0)
    for at in range(100):
        window.add(float(at), at % 2 == 0)
        answered, failed = window.counts()
        assert answered + failed <= 10
    window.add(1e6, True)
    assert window.counts() == (0, 1)


class Probing(RuleBasedStateMachine):
    """Attempts come and end in any order, while time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.states: list[CircuitState] = []
        self.circuit = Circuit(guarded(), RULES, self.clock, self.states.append)
        self.running: list[bool] = []  # whether each is a probe
        self.shut_at: float | None = None

    @rule()
    def begin(self) -> None:
        takes = self.circuit.takes()
        try:
            self.running.append(self.circuit.admit())
            assert takes
        except CircuitOpen:
            assert not takes

    @precondition(lambda self: self.running)
    @rule(
        error=st.sampled_from([None, DOWN, TargetUnreachable("refused"), TargetOverloaded("429", retry_after_s=1.0)])
        | st.just(asyncio.CancelledError()),
        first=st.booleans(),
    )
    def end(self, error: BaseException | None, first: bool) -> None:
        probing = self.running.pop(0 if first else -1)
        self.circuit.ended(error, probing=probing, hurried=False)

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.clock.at += seconds

    @invariant()
    def at_most_one_probe_is_out(self) -> None:
        assert sum(self.running) <= 1

    @invariant()
    def it_is_asked_again_some_day(self) -> None:
        self.clock.at += 1000.0
        free = self.circuit.takes()
        self.clock.at -= 1000.0
        assert free or any(self.running)


Probing.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestProbing = Probing.TestCase
