"""What a measurement of calibration leaves: rows, the goals that they are held to, and how work is shared out."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

SIGMAS = 2.0  # standard errors of a simulation within which it can't tell
FEWEST = 20  # runs of a simulation

_fraction = 1.0


class Row(Struct, frozen=True):
    """`error` is the standard error of a simulated `value`, 0 where outcomes were added up. A row that is not `counted`
    is shown beside a goal, and not held to it."""

    part: str
    what: str
    value: float
    error: float = 0.0
    counted: bool = True


class Goal(Struct, frozen=True):
    name: str
    goal: str
    value: float
    error: float
    met: bool
    is_clear: bool  # also without regard to the error
    worst: str  # where


class Task(Struct, frozen=True):
    """`run(*arguments)` gives rows. It goes to another process, so it is a function of a module, and so is what it
    gets."""

    part: str
    run: Callable[..., list[Row]]
    arguments: tuple[Any, ...]


def set_fraction(fraction: float) -> None:
    """In a process, before its first task: of the runs of each simulation, so many are made."""
    global _fraction
    _fraction = fraction


def times(runs: int) -> int:
    return max(FEWEST, round(runs * _fraction))


def share(part: str, what: str, hits: int, runs: int, counted: bool = True) -> Row:
    """Of simulated runs."""
    value = hits / runs
    spread = max(value * (1 - value), 0.5 / runs)
    return Row(part, what, value, math.sqrt(spread / runs), counted)


def at_least(name: str, rows: Iterable[Row], bound: float) -> Goal:
    return _goal(name, f"at least {100 * bound:g} %", [row for row in rows if row.counted], bound, 1)


def at_most(name: str, rows: Iterable[Row], bound: float) -> Goal:
    return _goal(name, f"at most {100 * bound:g} %", [row for row in rows if row.counted], bound, -1)


def _goal(name: str, text: str, rows: list[Row], bound: float, sign: int) -> Goal:
    """The worst row decides; a simulated one may lie beyond the bound by chance, and is then not clear. It is missed
    where any row lies beyond it by more than its own error."""
    if not rows:
        return Goal(name, text, math.nan, 0.0, False, False, "nothing was measured")

    def beyond(row: Row, sigmas: float = 0.0) -> bool:
        return sign * (row.value - bound) + sigmas * row.error < -1e-9

    worst = min([row for row in rows if beyond(row, SIGMAS)] or rows, key=lambda row: sign * (row.value - bound))
    met, is_clear = not beyond(worst, SIGMAS), not beyond(worst)
    return Goal(name, text, worst.value, worst.error, met, is_clear, worst.what)
