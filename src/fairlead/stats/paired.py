"""Two candidates on the same items: the difference, how sure it is, and who won where."""

import math

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from fairlead.stats.bootstrap import bootstrap_t
from fairlead.stats.clustered import effective_size, estimate, normal, trials
from fairlead.stats.columns import Column, column, pairs
from fairlead.stats.discordant import mcnemar, tango, tango_bounds
from fairlead.stats.intervals import Interval
from fairlead.stats.means import further, usual_bounds, within
from fairlead.stats.permutation import permutation
from fairlead.stats.unconditional import exact

EXACT_BELOW = 5_000  # pairs: where Tango's test is wrong too often when few are discordant
WHOLE = (-1.0, 0.0, 1.0)  # an item is lost, tied or won


class Difference(Struct, frozen=True):
    """Candidate minus base, in the scores' own unit: an interval for each confidence that was asked for. `clusters` is
    None where each item stands alone; `missing` counts pairs that were left out."""

    n: int
    clusters: int | None
    wins: int
    losses: int
    ties: int
    intervals: tuple[Interval, ...]
    method: str
    missing: int


class Paired(Struct, frozen=True):
    """A difference with its test: `difference` has the interval of the confidence that was asked for (95 %), `inner`
    the one whose bounds are each exceeded with the probability of both of the first (90 %)."""

    n: int
    clusters: int | None
    wins: int
    losses: int
    ties: int
    difference: Interval
    inner: Interval
    p_value: float
    method: str
    missing: int = 0
    confidence: float = 0.95


class _Moved(Struct, frozen=True, eq=False):
    """Differences in parts of `unit`, which is the largest that there may be where scores are bounded."""

    column: Column
    unit: float
    is_bounded: bool

    @property
    def is_whole(self) -> bool:
        return self.is_bounded and bool(np.isin(self.column.values, WHOLE).all())


def paired(
    base: ArrayLike,
    candidate: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
) -> Paired:
    """Compare item by item; a pair of which one is missing (NaN) is left out and counted.

    Intervals are `difference`'s. The test is McNemar's exact one where items are won, lost or tied whole, else the
    paired permutation test, of clusters where there are some. Raises ValueError for columns of different lengths,
    scores outside of `bounds`, or no pair.
    """
    moved = _moved(base, candidate, clusters, weights, bounds)
    found = _measured(moved, (confidence, inner_confidence(confidence)), seed)
    is_exact = moved.is_whole and moved.column.is_plain
    return Paired(
        n=found.n,
        clusters=found.clusters,
        wins=found.wins,
        losses=found.losses,
        ties=found.ties,
        difference=found.intervals[0],
        inner=found.intervals[1],
        p_value=mcnemar(found.wins, found.losses) if is_exact else permutation(moved.column.sums()[0], seed),
        method=found.method,
        missing=found.missing,
        confidence=confidence,
    )


def difference(
    base: ArrayLike,
    candidate: ArrayLike,
    confidences: tuple[float, ...],
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
) -> Difference:
    """How far the candidate lies above the base, without a test.

    Where items are won, lost or tied whole: exact unconditional below 5,000 pairs, Tango's interval beyond, and for
    clustered or weighted pairs Tango's interval of as many independent pairs as would vary as much. Other scores:
    bootstrap-t, of clusters where there are some. Raises ValueError as `paired` does.
    """
    return _measured(_moved(base, candidate, clusters, weights, bounds), confidences, seed)


def inner_confidence(confidence: float) -> float:
    """Of the interval whose bounds are one-sided tests with the error of the whole: 90 % for 95 %."""
    if not 0.5 < confidence < 1:
        raise ValueError(f"a confidence above one half and below 1 is wanted, not {confidence}")
    return round(2 * confidence - 1, 12)


def _moved(
    base: ArrayLike,
    candidate: ArrayLike,
    clusters: ArrayLike | None,
    weights: ArrayLike | None,
    bounds: tuple[float, float] | None,
) -> _Moved:
    before, after = pairs(base, candidate)
    found = column(after - before, clusters, weights)
    there = np.concatenate([before, after])
    there = there[~np.isnan(there)]
    low, high = bounds or usual_bounds(there)
    if there.min() < low or there.max() > high:
        raise ValueError(f"a score lies outside of {low} to {high}")
    is_bounded = math.isfinite(high - low)
    unit = high - low if is_bounded else 1.0
    return _Moved(found.holding(found.values / unit), unit, is_bounded)


def _measured(moved: _Moved, levels: tuple[float, ...], seed: int) -> Difference:
    found, unit = moved.column, moved.unit
    method, intervals = _whole(found, levels) if moved.is_whole else _graded(found, levels, moved.is_bounded, seed)
    wins, losses = int((found.values > 0).sum()), int((found.values < 0).sum())
    return Difference(
        n=len(found),
        clusters=None if found.clusters is None else found.units,
        wins=wins,
        losses=losses,
        ties=len(found) - wins - losses,
        intervals=tuple(Interval(unit * one.value, unit * one.low, unit * one.high) for one in intervals),
        method=method,
        missing=found.missing,
    )


def _whole(found: Column, levels: tuple[float, ...]) -> tuple[str, tuple[Interval, ...]]:
    """Differences of -1, 0 and 1."""
    wins, losses = int((found.values > 0).sum()), int((found.values < 0).sum())
    if found.is_plain:
        method, interval = ("exact unconditional", exact) if len(found) < EXACT_BELOW else ("Tango", tango)
        return method, tuple(interval(wins, losses, len(found), level) for level in levels)
    return "Tango, effective size", tuple(one for one, _ in _of_pairs(found, levels))


def _of_pairs(found: Column, levels: tuple[float, ...]) -> list[tuple[Interval, Interval]]:
    """For each confidence Tango's interval of as many independent pairs as would vary as much (as Korn and Graubard
    1998 do for shares), and the widest that differences of this mean and size could have, were all of them whole."""
    measured, size = estimate(found), effective_size(found)
    discordant = estimate(found.holding(np.abs(found.values))).mean
    wins, losses = (discordant + measured.mean) / 2, (discordant - measured.mean) / 2
    counts = np.full(len(levels), size)
    if measured.variance > 0:
        is_whole, most = np.isin(found.values, WHOLE).all(), discordant - measured.mean**2
        variance = measured.variance if is_whole else measured.cautious(most / size)
        counts = np.array([trials(measured, variance, most, level) for level in levels])
        counts = np.minimum(len(found), counts) if is_whole else counts
    both = np.stack([counts, np.minimum(counts, size)])
    bounds = np.stack(tango_bounds(wins * both, losses * both, both, [normal(level) for level in levels]))
    near, widest = ([Interval(measured.mean, *ends) for ends in part.T.tolist()] for part in bounds.swapaxes(0, 1))
    return list(zip(near, widest, strict=True))


def _graded(found: Column, levels: tuple[float, ...], is_bounded: bool, seed: int) -> tuple[str, tuple[Interval, ...]]:
    """Differences of any size: bootstrap-t, but no closer than pairs that vary as much, or Student's where there are no
    bounds: the bootstrap is too sure where few scores differ. Nor further off than whole differences would be."""
    measured = estimate(found)
    if not measured.variance > 0:
        near = [one for one, _ in _of_pairs(found, levels)] if is_bounded else []
        return "all the same", tuple(near or [Interval(measured.mean, -math.inf, math.inf)] * len(levels))
    method, drawn = (
        "bootstrap-t" if found.clusters is None else "bootstrap-t of clusters",
        bootstrap_t(found, levels, seed),
    )
    if not is_bounded:
        return method, tuple(further(measured.interval(level), one) for level, one in zip(levels, drawn, strict=True))
    of_pairs = zip(_of_pairs(found, levels), drawn, strict=True)
    return method, tuple(further(near, within(one, widest)) for (near, widest), one in of_pairs)
