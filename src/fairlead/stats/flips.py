"""Answers that changed from right to wrong or back, and whether more of them did than do when nothing was changed.

A model update or a quantised host may keep its score and still answer otherwise; and the same target, asked twice,
flips some answers by itself. That noise floor is measured, and what lies above it is told. Knows nothing of who was
asked.
"""

import math

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from fairlead.stats.columns import Numbers, check_confidence, column, pairs
from fairlead.stats.intervals import Interval, wilson
from fairlead.stats.paired import Paired, paired


class Flips(Struct, frozen=True):
    """Of `n` items on which both sides have a score, `lost` fell and `won` rose; `share` is both of them together."""

    n: int
    lost: int
    won: int
    share: Interval
    missing: int


def flips(first: ArrayLike, second: ArrayLike, *, tolerance: float = 0.0, confidence: float = 0.95) -> Flips:
    """How many scores changed by more than `tolerance`. Raises ValueError as `paired` does."""
    changed = column(_changes(first, second, tolerance))
    lost, won = int((changed.values < 0).sum()), int((changed.values > 0).sum())
    return Flips(len(changed), lost, won, wilson(lost + won, len(changed), confidence), changed.missing)


def beyond_noise(
    base: ArrayLike,
    again: ArrayLike,
    candidate: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    tolerance: float = 0.0,
    confidence: float = 0.95,
) -> Paired:
    """The share of answers that the candidate flips minus the share that the base flips when it is asked again, item by
    item. Raises ValueError as `paired` does."""
    noise = np.abs(_changes(base, again, tolerance))
    moved = np.abs(_changes(base, candidate, tolerance))
    return paired(noise, moved, clusters=clusters, confidence=confidence, bounds=(0.0, 1.0))


def above_floor(found: Flips, floor: Flips, confidence: float = 0.95) -> Interval:
    """The share of flips minus that of a floor that was measured on other items: Wilson's intervals of both, combined
    (Newcombe 1998, Statistics in Medicine 17, 873, method 10)."""
    check_confidence(confidence)
    one, two = (wilson(side.lost + side.won, side.n, confidence) for side in (found, floor))
    difference = one.value - two.value
    return Interval(
        difference,
        difference - math.hypot(one.value - one.low, two.high - two.value),
        difference + math.hypot(one.high - one.value, two.value - two.low),
    )


def _changes(first: ArrayLike, second: ArrayLike, tolerance: float) -> Numbers:
    """-1, 0 or 1 for each item; NaN where a score is missing."""
    if not tolerance >= 0:
        raise ValueError(f"a tolerance from 0 up is wanted, not {tolerance}")
    before, after = pairs(first, second)
    moved = after - before
    return np.where(np.isnan(moved), np.nan, np.sign(moved) * (np.abs(moved) > tolerance))
