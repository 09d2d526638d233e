"""Two candidates on the same items: the difference, how sure it is, and who won where."""

import math

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from fairlead.stats.bootstrap import bootstrap_t
from fairlead.stats.clustered import effective_size, estimate, normal, student
from fairlead.stats.columns import Column, column, pairs
from fairlead.stats.discordant import mcnemar, tango, tango_bounds
from fairlead.stats.intervals import Interval
from fairlead.stats.means import further, usual_bounds
from fairlead.stats.permutation import permutation
from fairlead.stats.unconditional import exact

EXACT_BELOW = 5_000  # pairs: where Tango's test is wrong too often when few are discordant
WHOLE = (-1.0, 0.0, 1.0)  # an item is lost, tied or won


class Paired(Struct, frozen=True):
    """`difference` is candidate minus base, in the scores' own unit, with the interval of the confidence that was asked
    for (95 %); `inner` is the same with the interval whose bounds are each exceeded with the probability of both of the
    first (90 %). `clusters` is None where each item stands alone; `missing` counts pairs that were left out."""

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

    Where items are won, lost or tied whole: exact unconditional below 5,000 pairs, Tango's interval beyond, and for
    clustered or weighted pairs Tango's interval of as many independent pairs as would vary as much; McNemar's exact
    test. Other scores: bootstrap-t and the paired permutation test, of clusters where there are some. Raises ValueError
    for columns of different lengths, scores outside of `bounds`, or no pair.
    """
    levels = (confidence, inner_confidence(confidence))
    before, after = pairs(base, candidate)
    found = column(after - before, clusters, weights)
    there = np.concatenate([before, after])
    there = there[~np.isnan(there)]
    low, high = bounds or usual_bounds(there)
    if there.min() < low or there.max() > high:
        raise ValueError(f"a score lies outside of {low} to {high}")
    unit = high - low if math.isfinite(high - low) else 1.0
    scaled = found.holding(found.values / unit)
    if math.isfinite(high - low) and np.isin(scaled.values, WHOLE).all():
        method, intervals, p_value = _whole(scaled, levels, seed)
    else:
        method, intervals, p_value = _graded(scaled, levels, math.isfinite(high - low), seed)
    intervals = tuple(Interval(unit * one.value, unit * one.low, unit * one.high) for one in intervals)
    wins, losses = int((found.values > 0).sum()), int((found.values < 0).sum())
    return Paired(
        n=len(found),
        clusters=None if found.clusters is None else found.units,
        wins=wins,
        losses=losses,
        ties=len(found) - wins - losses,
        difference=intervals[0],
        inner=intervals[1],
        p_value=p_value,
        method=method,
        missing=found.missing,
        confidence=confidence,
    )


def inner_confidence(confidence: float) -> float:
    """Of the interval whose bounds are one-sided tests with the error of the whole: 90 % for 95 %."""
    if not 0.5 < confidence < 1:
        raise ValueError(f"a confidence above one half and below 1 is wanted, not {confidence}")
    return round(2 * confidence - 1, 12)


def _whole(found: Column, levels: tuple[float, ...], seed: int) -> tuple[str, tuple[Interval, ...], float]:
    """Differences of -1, 0 and 1."""
    wins, losses = int((found.values > 0).sum()), int((found.values < 0).sum())
    if found.is_plain:
        method, interval = ("exact unconditional", exact) if len(found) < EXACT_BELOW else ("Tango", tango)
        return method, tuple(interval(wins, losses, len(found), level) for level in levels), mcnemar(wins, losses)
    intervals = tuple(_of_pairs(found, level) for level in levels)
    return "Tango, effective size", intervals, permutation(found.sums()[0], seed)


def _of_pairs(found: Column, confidence: float) -> Interval:
    """Tango's interval of as many independent pairs as would vary as much (as Korn and Graubard 1998 do for shares)."""
    measured = estimate(found)
    discordant = estimate(found.holding(np.abs(found.values))).mean
    wins, losses = (discordant + measured.mean) / 2, (discordant - measured.mean) / 2
    count = effective_size(found)
    if measured.variance > 0:
        few = (normal(confidence) / student(confidence, measured.freedom)) ** 2
        is_whole = np.isin(found.values, WHOLE).all()
        count = (discordant - measured.mean**2) / (measured.variance if is_whole else measured.cautious) * few
        count = min(len(found), count) if is_whole else count
    low, high = tango_bounds(wins * count, losses * count, count, normal(confidence))
    return Interval(measured.mean, float(low), float(high))


def _graded(
    found: Column, levels: tuple[float, ...], is_bounded: bool, seed: int
) -> tuple[str, tuple[Interval, ...], float]:
    """Differences of any size: bootstrap-t, but no closer than pairs that vary as much, or Student's where there are no
    bounds; the bootstrap is too sure where few scores differ."""
    p_value, measured = permutation(found.sums()[0], seed), estimate(found)
    if not measured.variance > 0:
        wide = (
            _of_pairs(found, level) if is_bounded else Interval(measured.mean, -math.inf, math.inf) for level in levels
        )
        return "all the same", tuple(wide), p_value
    drawn = bootstrap_t(found, levels, seed)
    other = (_of_pairs(found, level) if is_bounded else measured.interval(level) for level in levels)
    bounds = (-1.0, 1.0) if is_bounded else (-math.inf, math.inf)
    intervals = tuple(further(one, two, bounds) for one, two in zip(drawn, other, strict=True))
    return "bootstrap-t" if found.clusters is None else "bootstrap-t of clusters", intervals, p_value
