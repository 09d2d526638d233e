"""Bounds that hold whatever the scores are like, so long as they are bounded, and however often one looks.

Someone who bets against a supposed mean gets rich only if it is wrong: a mean is refused when the bets against it have
made 1 into 1 / error. It needs no large sample, no shape, and no plan of when to look (Waudby-Smith and Ramdas 2024,
Estimating means of bounded random variables by betting, JRSS B 86). Knows nothing of what the scores mean.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from fairlead.stats.columns import Column, Numbers, check_confidence, column, pairs
from fairlead.stats.intervals import Interval

STAKE = 0.75  # the most of one's capital that one outcome may cost
BETTORS = 10  # each stakes half of what the one before does
PRECISION = 1e-6


def guaranteed(
    base: ArrayLike,
    candidate: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """The difference, candidate minus base, with bounds that hold for scores of any distribution within `bounds`, and
    at all the times together at which somebody looks while cases come.

    Wider than what `paired` gives. Raises ValueError as `paired` does, and for bounds that are none.
    """
    before, after = pairs(base, candidate)
    low, high = bounds
    _check_within(np.concatenate([before, after]), low, high)
    found = column((after - before) / (high - low), clusters)
    interval = _interval(found.holding((found.values + 1) / 2), confidence)
    return Interval(*((high - low) * (2 * part - 1) for part in (interval.value, interval.low, interval.high)))


def guaranteed_mean(
    scores: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """The mean of one column, as `guaranteed` has it for a difference."""
    found = column(scores, clusters)
    low, high = bounds
    _check_within(found.values, low, high)
    interval = _interval(found.holding((found.values - low) / (high - low)), confidence)
    return Interval(*(low + (high - low) * part for part in (interval.value, interval.low, interval.high)))


def _interval(unit: Column, confidence: float) -> Interval:
    """Scores from 0 to 1."""
    check_confidence(confidence)
    sums, sizes = unit.sums()
    error, mean = (1 - confidence) / 2, float(sums.sum() / sizes.sum())
    low, high = lower_bound(sums, sizes, error), 1 - lower_bound(sizes - sums, sizes, error)
    return Interval(mean, min(low, mean), max(high, mean))


def lower_bound(sums: Numbers, sizes: Numbers, error: float) -> float:
    """The smallest mean from 0 to 1 that is not refused after these units.

    A unit has `sizes` of items, whose scores, from 0 to 1, sum up to `sums`. Over all the times at which one may look,
    the bound lies above the true mean with a probability of at most `error`. Several bettors share the capital; each
    stakes the same on every unit (Cover's portfolio; Orabona and Jun 2024, IEEE Transactions on Information Theory 70),
    so that it does not matter in which order units came. Whoever might lose more than all on a unit of that size has
    lost it.
    """
    units, often = np.unique(np.stack([sums, sizes]), axis=1, return_counts=True)
    sum_, size = units
    stakes = STAKE * 0.5 ** np.arange(BETTORS)
    stakes = stakes[stakes * size.max() < 1]
    enough = math.log(1 / error) + math.log(BETTORS)

    def lacking(mean: float) -> float:
        gains = np.log1p(stakes[:, None] * (sum_ / mean - size)) @ often
        return enough - float(np.logaddexp.reduce(gains))

    seen, least = float(sums.sum() / sizes.sum()), PRECISION
    if not len(stakes) or seen <= least or lacking(least) > 0:
        return 0.0
    root = optimize.brentq(lacking, least, seen, xtol=PRECISION)
    return max(0.0, float(np.asarray(root)) - PRECISION)


def _check_within(values: Numbers, low: float, high: float) -> None:
    there = values[~np.isnan(values)]
    if len(there) and not (low <= there.min() and there.max() <= high):
        raise ValueError(f"a score lies outside of {low} to {high}")
    if not (math.isfinite(low) and low < high < math.inf):
        raise ValueError(f"bounds that are numbers are wanted, the smaller first, not {low} and {high}")
