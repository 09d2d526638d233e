"""Verdicts that changed from right to wrong or back, and whether more of them did than do when nothing was changed.

A model update or a quantised host may keep its score and still answer otherwise; and the same target, asked twice,
flips some answers by itself. That noise floor is measured, and what lies above it is told. A verdict is right (1) or
wrong (0), or the share of an item's repeats that are right. Knows nothing of who was asked.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from fairlead.stats.columns import Numbers, pairs
from fairlead.stats.intervals import Interval
from fairlead.stats.means import mean
from fairlead.stats.paired import difference

CONFIDENCE = 0.95


class Flips(Struct, frozen=True):
    """The share of cases whose verdict changed, right to wrong or back; `noise` is the share when the same target is
    asked twice, where that was measured, and `above` what is more than noise."""

    cases: int
    flipped: float
    share: Interval
    noise: Interval | None = None
    above: Interval | None = None


def flips(
    flipped: ArrayLike,
    noise: Numbers | None = None,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Flips:
    """Of each item, how probably its verdict changed, and how probably the base's does when it is asked again: NaN
    where that is not known. Raises ValueError where nothing is."""
    changed = np.asarray(flipped, np.float64)
    cases, total = int((~np.isnan(changed)).sum()), float(np.nansum(changed))
    share = mean(changed, clusters=clusters, weights=weights)
    if noise is None or np.isnan(changed + noise).all():
        return Flips(cases, total, share)
    floor = mean(noise, clusters=clusters, weights=weights)
    measured = difference(noise, changed, (CONFIDENCE,), clusters=clusters, weights=weights, bounds=(0.0, 1.0))
    return Flips(cases, total, share, floor, measured.intervals[0])


def differing(first: ArrayLike, second: ArrayLike) -> Numbers:
    """How probably a verdict of one side is another than one of the other's, item by item. Raises ValueError."""
    before, after = pairs(first, second)
    return before * (1 - after) + after * (1 - before)


def differing_again(shares: ArrayLike, answers: ArrayLike) -> Numbers:
    """How probably two of an item's repeats differ; NaN where it has no two."""
    share, count = pairs(shares, answers)
    return np.where(count > 1, np.minimum(2 * share * (1 - share) * count / np.maximum(count - 1, 1), 1.0), np.nan)
