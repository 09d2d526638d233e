"""The mean of one column of scores, with an interval that suits them: right or wrong, shares, or any numbers."""

import math

import numpy as np
from numpy.typing import ArrayLike

from fairlead.stats.bootstrap import bootstrap_t
from fairlead.stats.clustered import Estimate, effective_size, estimate, normal, trials
from fairlead.stats.columns import Column, Numbers, check_confidence, column
from fairlead.stats.intervals import Interval, score_interval


def mean(
    scores: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
) -> Interval:
    """The (weighted) mean; NaN is left out. `bounds`: what scores may be; 0 and 1 where all lie within them.

    Right or wrong: Wilson's interval; clustered or weighted, that of as many independent trials as would vary as much
    (Korn and Graubard 1998, Survey Methodology 24). Graded scores: the further bounds of this interval and bootstrap-t.
    Scores that are all the same tell as much as trials that all came out the same. Raises ValueError for scores outside
    of `bounds`, or none.
    """
    check_confidence(confidence)
    found = column(scores, clusters, weights)
    low, high = bounds or usual_bounds(found.values)
    if found.values.min() < low or found.values.max() > high:
        raise ValueError(f"a score lies outside of {low} to {high}")
    if not np.isfinite([low, high]).all():
        return _unbounded(found, confidence, seed)
    unit = found.holding((found.values - low) / (high - low))
    interval = _bounded(unit, confidence, seed)
    return Interval(*(low + (high - low) * part for part in (interval.value, interval.low, interval.high)))


def usual_bounds(values: np.ndarray) -> tuple[float, float]:
    return (0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else (-np.inf, np.inf)


def _bounded(unit: Column, confidence: float, seed: int) -> Interval:
    """Scores from 0 to 1. Whole ones vary as trials do; graded ones get the further of two bounds, as the bootstrap is
    too sure where few scores differ, and trials are where few are far off. Where hardly any differ the bootstrap's may
    be anywhere: it counts as far as whole scores of that mean would vary, which is the most that any do."""
    found, z = estimate(unit), normal(confidence)
    count = _trials(unit, found, confidence)
    of_trials = score_interval(found.mean, count, z)
    if is_whole(unit.values) or not found.variance > 0:
        return of_trials
    (drawn,) = bootstrap_t(unit, (confidence,), seed)
    return further(of_trials, within(drawn, score_interval(found.mean, min(count, effective_size(unit)), z)))


def _trials(unit: Column, found: Estimate, confidence: float) -> float:
    """How many independent trials would vary as much."""
    if is_whole(unit.values) and unit.is_plain:
        return len(unit)
    if not found.variance > 0:
        return effective_size(unit)
    most = found.mean * (1 - found.mean)
    count = trials(found, found.cautious(most / effective_size(unit)), most, confidence)
    return min(len(unit), count) if is_whole(unit.values) else count


def _unbounded(found: Column, confidence: float, seed: int) -> Interval:
    measured = estimate(found)
    if not measured.variance > 0:
        return Interval(measured.mean, -math.inf, math.inf)
    (drawn,) = bootstrap_t(found, (confidence,), seed)
    return further(measured.interval(confidence), drawn)


def is_whole(values: Numbers) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def further(one: Interval, other: Interval) -> Interval:
    """The bound that is further off, on both sides."""
    return Interval(one.value, min(one.low, other.low), max(one.high, other.high))


def within(one: Interval, other: Interval) -> Interval:
    """The bound that is less far off, on both sides."""
    return Interval(one.value, max(one.low, other.low), min(one.high, other.high))
