"""Circuit breakers: who fails too often is left alone for a while, then tried by one request at a time.

There is one for each account that a target is asked at, in this process; `admit` is asked before anything is held, and
every attempt tells it how it ended. A circuit opens where too large a share of the attempts in a window fails, or where
several in a row find no connection. Then it refuses at once, for a pause that grows each time; after it one attempt
goes through as a probe, and its end decides. A 429 that names a wait only rests the account so long: it says nothing
about its health. What a caller did wrong, or hung up on, or gave no time for, says nothing about it at all.

How the other processes hear of a change is not known here (`server/`): they are told a `CircuitState`, and tell theirs.
"""

import logging
from collections.abc import Callable, Collection
from typing import Literal

from msgspec import Struct

from fairlead.errors import (
    CircuitOpen,
    ConnectionStale,
    FairleadError,
    OutputInvalid,
    TargetError,
    TargetOverloaded,
    TargetRejected,
    TargetTimeout,
    TargetUnreachable,
)
from fairlead.gateway.call import BreakerRules, Clock, Target
from fairlead.ids import now_us

log = logging.getLogger("fairlead.circuits")
SLOTS = 10  # of a window
SPREAD = 0.5  # of a pause that others wait longer than the one who opened it, so that they don't all probe at once

Shut = Literal["open", "half-open", "resting"]
Ending = Literal["answered", "failed", "unconnected", "busy", ""]


class CircuitState(Struct, frozen=True):
    """What all processes are told. `account` is the circuit's own name; times are UTC microseconds; `why` is the code
    of the error that did it. While a probe is out (`half-open`), `until_us` is when others may believe it lost."""

    account: str
    target: str
    backend: str
    state: Shut | Literal["closed"]
    since_us: int
    until_us: int = 0
    pauses: int = 0
    why: str = ""


class Window:
    """How many attempts of the last so many seconds were answered, and how many failed."""

    __slots__ = ("_answered", "_failed", "_slot", "_slot_s", "_turns_at")

    def __init__(self, window_s: float, at: float) -> None:
        self._slot_s = window_s / SLOTS
        self.clear(at)

    def clear(self, at: float) -> None:
        self._answered = [0] * SLOTS
        self._failed = [0] * SLOTS
        self._slot = 0
        self._turns_at = at + self._slot_s

    def add(self, at: float, failed: bool) -> None:
        if at >= self._turns_at:
            self._turn(at)
        (self._failed if failed else self._answered)[self._slot] += 1

    def counts(self) -> tuple[int, int]:
        """(answered, failed), as of the last one that was added."""
        return sum(self._answered), sum(self._failed)

    def _turn(self, at: float) -> None:
        passed = int((at - self._turns_at) / self._slot_s) + 1
        for _ in range(min(passed, SLOTS)):
            self._slot = (self._slot + 1) % SLOTS
            self._answered[self._slot] = self._failed[self._slot] = 0
        self._turns_at += passed * self._slot_s


class Circuit:
    """Of one account. `shut` is all that an attempt looks at while everything is well."""

    __slots__ = ("_clock", "_now", "_pauses", "_probing", "_row", "_rules", "_since_us", "_state", "_target", "_tell",
                 "_until", "_why", "_window", "shut")  # fmt: skip

    def __init__(self, target: Target, rules: BreakerRules, clock: Clock, tell: Callable[[CircuitState], None]) -> None:
        self.shut = False
        self._target = target
        self._rules = rules
        self._clock = clock
        self._now = clock.now
        self._tell = tell
        self._window = Window(rules.window_s, clock.now())
        self._row = 0  # attempts in a row that found no connection
        self._state: Shut | Literal["closed"] = "closed"
        self._since_us = 0
        self._until = 0.0
        self._pauses = 0  # since it was closed last
        self._probing = False
        self._why = ""

    def takes(self) -> bool:
        """Whether an attempt would be let through now."""
        return not self.shut or (not self._probing and self._now() >= self._until)

    def admit(self) -> bool:
        """Whether the attempt that asks is a probe: it must tell how it ended, or `leave`. Raises CircuitOpen."""
        if not self.shut:
            return False
        if not self.takes():
            raise self._refusal()
        if self._state == "resting":
            self.shut, self._state = False, "closed"  # a rest ends by itself, everywhere
            return False
        self._probing = True
        timeouts = self._target.timeouts
        self._turn("half-open", timeouts.connect_s + timeouts.first_token_s)
        return True

    def leave(self) -> None:
        """Of a probe that came to nothing: the next one may go."""
        if self._probing:
            self._probing = False
            self._turn("open", 0.0)

    def spoke(self) -> None:
        """A probe's first word is out: its end may be minutes away."""
        self._close("a probe was answered")

    def ended(self, error: BaseException | None, *, probing: bool, hurried: bool) -> None:
        """How an attempt ended. `hurried`: it had far less time than the target usually gets."""
        if error is None and not self.shut:  # nearly always
            self._window.add(self._now(), False)
            self._row = 0
            return
        ending = "answered" if error is None else _ending(error, hurried)
        if probing and self._probing:
            self._probed(ending, error)
        elif self.shut or not ending:
            return
        elif ending == "busy":
            self._rest(error)
        else:
            self._count(ending, error)

    def told(self, state: CircuitState) -> None:
        """By another process. A probe of our own goes on, and decides."""
        if self._probing:
            return
        if state.state == "closed":
            self._reset()
            return
        left_s = max(0.0, (state.until_us - now_us()) / 1e6)
        if state.state == "open":
            left_s += left_s * SPREAD * self._clock.chance()
        self.shut = True
        self._state, self._pauses, self._why = state.state, state.pauses, state.why
        self._since_us, self._until = state.since_us, self._now() + left_s

    def state(self) -> CircuitState:
        left_us = round(max(0.0, self._until - self._now()) * 1e6) if self.shut else 0
        return CircuitState(
            account=self._target.account,
            target=self._target.name,
            backend=self._target.backend,
            state=self._state,
            since_us=self._since_us,
            until_us=now_us() + left_us if self.shut else 0,
            pauses=self._pauses,
            why=self._why,
        )

    def _count(self, ending: Ending, error: BaseException | None) -> None:
        failed = ending != "answered"
        self._window.add(self._now(), failed)
        self._row = self._row + 1 if ending == "unconnected" else 0
        if failed and (self._row >= self._rules.in_a_row or self._fails_too_often()):
            self._open(error)

    def _fails_too_often(self) -> bool:
        answered, failed = self._window.counts()
        total = answered + failed
        return total >= self._rules.min_attempts and failed >= total * self._rules.failure_rate

    def _probed(self, ending: Ending, error: BaseException | None) -> None:
        if ending in ("failed", "unconnected"):
            self._open(error)
        elif ending:
            self._close("a probe was answered")
            if ending == "busy":
                self._rest(error)
        else:
            self.leave()

    def _open(self, error: BaseException | None) -> None:
        pause_s = min(self._rules.max_pause_s, self._rules.pause_s * 2 ** min(self._pauses, 30))
        if not self.shut:
            self._since_us = now_us()
        self._pauses += 1
        self._probing = False
        self._why = error.code if isinstance(error, FairleadError) else ""
        self._turn("open", pause_s)
        log.warning("%s is left alone for %g s: %s", self._name(), pause_s, self._why)

    def _rest(self, error: BaseException | None) -> None:
        asked_s = error.retry_after_s if isinstance(error, TargetOverloaded) else None
        if asked_s and self._rules.max_rest_s:
            self._since_us, self._why = now_us(), TargetOverloaded.code
            self._turn("resting", min(asked_s, self._rules.max_rest_s))

    def _close(self, why: str) -> None:
        self._reset()
        self._tell(self.state())
        log.warning("%s is asked again: %s", self._name(), why)

    def _reset(self) -> None:
        self.shut = self._probing = False
        self._state, self._why, self._since_us, self._until = "closed", "", now_us(), 0.0
        self._pauses = self._row = 0
        self._window.clear(self._now())

    def _turn(self, state: Shut, for_s: float) -> None:
        self.shut = True
        self._state, self._until = state, self._now() + for_s
        self._tell(self.state())

    def _name(self) -> str:
        return f"target {self._target.name} at {self._target.backend}"

    def _refusal(self) -> CircuitOpen:
        left_s = max(0.0, self._until - self._now())
        state = self.state()
        how = "is resting, as it asked for" if self._state == "resting" else f"is left alone ({self._why})"
        when = "while a probe is out" if self._state == "half-open" else f"for another {left_s:.1f} s"
        return CircuitOpen(
            f"{self._name()} {how} {when}",
            hint="`fairlead status` shows which targets are left alone, and since when.",
            target=self._target.name,
            retry_after_s=min(left_s, self._rules.max_pause_s),
            state=self._state,
            backend=self._target.backend,
            why=self._why,
            since_us=state.since_us,
            until_us=state.until_us,
        )


class Circuits:
    """Of all accounts, by `Target.account`, which changes with its settings: what a reload left as it was keeps its
    state. `tell` is called at every change that others must know."""

    def __init__(self, clock: Clock) -> None:
        self.tell: Callable[[CircuitState], None] = _to_nobody
        self._clock = clock
        self._circuits: dict[str, Circuit] = {}
        self._told: dict[str, CircuitState] = {}  # of accounts that nobody asked here yet

    def of(self, target: Target) -> Circuit | None:
        """None for a target that has no breaker."""
        found = self._circuits.get(target.account)
        if found is None and target.breaker is not None:
            found = Circuit(target, target.breaker, self._clock, lambda state: self.tell(state))
            self._circuits[target.account] = found
            if target.account in self._told:
                found.told(self._told.pop(target.account))
        return found

    def takes(self, target: Target) -> bool:
        if target.accounts:
            return any(self.takes(one) for one in target.accounts)
        circuit = self.of(target)
        return circuit is None or circuit.takes()

    def told(self, state: CircuitState) -> None:
        """What another process knows."""
        circuit = self._circuits.get(state.account)
        if circuit is not None:
            circuit.told(state)
        else:
            self._told[state.account] = state

    def keep(self, accounts: Collection[str]) -> None:
        """Forget all others: a new generation names them no more."""
        self._circuits = {name: circuit for name, circuit in self._circuits.items() if name in accounts}
        self._told = {name: state for name, state in self._told.items() if name in accounts}


def _to_nobody(state: CircuitState) -> None:
    """A process of its own: an evaluation, a test."""


def _ending(error: BaseException, hurried: bool) -> Ending:
    """What an error says about the account; "" where it says nothing."""
    match error:
        case OutputInvalid() | TargetRejected():
            return "answered"
        case TargetOverloaded():
            return "busy"
        case TargetTimeout():
            stage = error.details.get("stage")
            if stage == "connect":
                return "unconnected"
            return "" if stage == "total" and hurried else "failed"
        case ConnectionStale():
            return ""  # an idle time that ended
        case TargetUnreachable():
            return "unconnected"
        case TargetError():
            return "failed"
    return ""
