"""Bounds that hold whatever the scores are like, so long as they are bounded, and however often one looks.

Someone who bets against a supposed mean gets rich only if it is wrong: a mean is refused when the bets against it have
made 1 into 1 / error. It needs no large sample, no shape, and no plan of when to look (Waudby-Smith and Ramdas 2024,
Estimating means of bounded random variables by betting, JRSS B 86). Knows nothing of what the scores mean.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from fairlead.stats.columns import Column, Numbers, check_confidence, column, pairs
from fairlead.stats.intervals import Interval

STAKE = 0.75  # the most of one's capital that one outcome may cost
PRECISION = 1e-6


def guaranteed(
    base: ArrayLike,
    candidate: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
) -> Interval:
    """The difference, candidate minus base, with bounds that hold for scores of any distribution within `bounds`.

    Wider than what `paired` gives. Bets depend on the order of cases, so they are shuffled with the seed. Raises
    ValueError as `paired` does.
    """
    before, after = pairs(base, candidate)
    low, high = bounds
    _check_within(np.concatenate([before, after]), low, high)
    found = column((after - before) / (high - low), clusters)
    interval = _shuffled(found.holding((found.values + 1) / 2), confidence, seed)
    return Interval(*((high - low) * (2 * part - 1) for part in (interval.value, interval.low, interval.high)))


def guaranteed_mean(
    scores: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
) -> Interval:
    """The mean of one column, as `guaranteed` has it for a difference."""
    found = column(scores, clusters)
    low, high = bounds
    _check_within(found.values, low, high)
    interval = _shuffled(found.holding((found.values - low) / (high - low)), confidence, seed)
    return Interval(*(low + (high - low) * part for part in (interval.value, interval.low, interval.high)))


def _shuffled(unit: Column, confidence: float, seed: int) -> Interval:
    """Scores from 0 to 1. The largest cluster is what one outcome can be at most."""
    check_confidence(confidence)
    sums, sizes = unit.sums()
    order = np.random.default_rng(seed).permutation(np.lexsort((sizes, sums)))
    sums, sizes = sums[order], sizes[order]
    largest, error = sizes.max(), (1 - confidence) / 2
    low = lower_bound(sums / largest, sizes / largest, error, len(sums))
    high = 1 - lower_bound((sizes - sums) / largest, sizes / largest, error, len(sums))
    mean = float(sums.sum() / sizes.sum())
    return Interval(mean, min(low, mean), max(high, mean))


def lower_bound(sums: Numbers, sizes: Numbers, error: float, horizon: int | None = None) -> float:
    """The smallest mean from 0 to 1 that is not refused after these units, in the order in which they came.

    A unit has `sizes` (at most 1) of items, whose scores sum up to `sums`. Over all the times at which one may look,
    the bound lies above the true mean with a probability of at most `error`. `horizon`: the number of units at which
    the bets are meant to be best. It must be the same at every look; any number is as valid.
    """
    stakes = _stakes(sums, sizes, error, horizon)
    enough = math.log(1 / error)

    def lacking(mean: float) -> float:
        bets = np.minimum(stakes, STAKE / mean) if mean > 0 else stakes
        return enough - float(np.log1p(bets * (sums - mean * sizes)).sum())

    seen = float(sums.sum() / sizes.sum())
    if lacking(0.0) > 0:
        return 0.0
    root = optimize.brentq(lacking, 0.0, seen, xtol=PRECISION)
    return max(0.0, float(np.asarray(root)) - PRECISION)


def _stakes(sums: Numbers, sizes: Numbers, error: float, horizon: int | None) -> Numbers:
    """What is bet on each unit, from what was seen before it (equations 15 and 26, one-sided)."""
    units = np.arange(1, len(sums) + 1)
    means = (0.5 + np.cumsum(sums)) / (1 + np.cumsum(sizes))
    spread = (0.25 + np.cumsum((sums - means * sizes) ** 2)) / (units + 1)
    before = np.concatenate([[0.25], spread[:-1]])
    unplanned = units * special.log1p(units)
    plan = unplanned if horizon is None else np.where(units <= horizon, horizon, unplanned)
    return np.sqrt(2 * math.log(1 / error) / (before * plan))


def _check_within(values: Numbers, low: float, high: float) -> None:
    there = values[~np.isnan(values)]
    if len(there) and not (low <= there.min() and there.max() <= high):
        raise ValueError(f"a score lies outside of {low} to {high}")
    if not (math.isfinite(low) and low < high < math.inf):
        raise ValueError(f"bounds that are numbers are wanted, the smaller first, not {low} and {high}")
