"""The studentised bootstrap of a mean: how far means of samples like this one lie from it, in their standard errors.

Vectorised and seeded: the same scores give the same bounds, in whatever order they come. Knows nothing of what the
scores mean.
"""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy import special

from fairlead.stats.clustered import estimate
from fairlead.stats.columns import Column, Numbers
from fairlead.stats.intervals import Interval

RESAMPLES = 1999
DRAWN_BELOW = 10_000  # units; from there on the expansion is closer than what is drawn
KEPT_UP_TO = 500  # units, whose resamples are drawn once
AT_ONCE = 4_000_000  # drawn numbers that are held in memory


def bootstrap_t(column: Column, confidences: tuple[float, ...], seed: int = 0) -> tuple[Interval, ...]:
    """An interval for each confidence (Efron and Tibshirani 1993, section 12.5), clusters drawn whole.

    Needs two units that differ; ValueError otherwise.
    """
    found = estimate(column)
    if not found.variance > 0:
        raise ValueError("a bootstrap needs scores that differ")
    sums, sizes = column.sums()
    tails = [((1 - confidence) / 2, (1 + confidence) / 2) for confidence in confidences]
    is_drawn = len(sums) < DRAWN_BELOW
    deviations = np.quantile(studentised(sums, sizes, seed), tails) if is_drawn else expanded(sums, sizes, tails)
    error, intervals = math.sqrt(found.variance), []
    for low, high in deviations:
        intervals.append(Interval(found.mean, float(found.mean - high * error), float(found.mean - low * error)))
    return tuple(intervals)


def expanded(sums: Numbers, sizes: Numbers, tails: list[tuple[float, float]]) -> Numbers:
    """What the bootstrap's quantiles come to in large samples: Cornish and Fisher's, with the sample's skewness (Hall
    1992, The Bootstrap and Edgeworth Expansion, section 3.5)."""
    residuals = sums - sums.sum() / sizes.sum() * sizes
    skewness = float((residuals**3).mean() / (residuals**2).mean() ** 1.5)
    z = special.ndtri(np.asarray(tails))
    return z - skewness / (6 * math.sqrt(len(sums))) * (2 * z * z + 1)


def studentised(sums: Numbers, sizes: Numbers, seed: int) -> Numbers:
    """(mean of a resample - mean) / standard error in the resample, for each resample that has such an error."""
    order = np.lexsort((sizes, sums))
    sums, sizes = sums[order], sizes[order]
    units, is_even = len(sums), bool((sizes == sizes[0]).all())
    residuals = sums - sums.sum() / sizes.sum() * sizes
    columns = [residuals, residuals**2] if is_even else [residuals, residuals**2, sizes, sizes * residuals, sizes**2]
    added = np.concatenate([often @ np.stack(columns, axis=1) for often in _resamples(units, seed)])
    total, squares = added[:, 0], added[:, 1]
    if is_even:
        spread = squares - total**2 / units
    else:
        shift = total / added[:, 2]
        spread = squares - 2 * shift * added[:, 3] + shift**2 * added[:, 4]
    is_spread = spread > 1e-12 * squares
    return total[is_spread] / np.sqrt(spread[is_spread] * units / (units - 1))


def _resamples(units: int, seed: int) -> Iterator[Numbers]:
    """How often each unit is in a resample: a row for each, in parts that fit into memory."""
    if units <= KEPT_UP_TO:
        yield _kept(units, seed)
        return
    rng, rows = np.random.default_rng(seed), max(1, AT_ONCE // units)
    for start in range(0, RESAMPLES, rows):
        yield _drawn(rng, min(rows, RESAMPLES - start), units)


@lru_cache(4)
def _kept(units: int, seed: int) -> Numbers:
    return _drawn(np.random.default_rng(seed), RESAMPLES, units)


def _drawn(rng: np.random.Generator, rows: int, units: int) -> Numbers:
    picked = rng.integers(0, units, (rows, units), dtype=np.int32) + units * np.arange(rows)[:, None]
    return np.bincount(picked.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)
