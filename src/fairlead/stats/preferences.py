"""Which of two answers a judge prefers, asked in both orders. Knows nothing of judges.

A preference is 1 where the candidate's answer is preferred, 0 where the base's is, one half where neither is; NaN is
missing. What is preferred in one order and not in the other is no preference.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from fairlead.stats.columns import Numbers, column, numbers
from fairlead.stats.intervals import Interval
from fairlead.stats.paired import Paired, paired
from fairlead.stats.shares import proportion

TIE = 0.5


class Preference(Struct, frozen=True):
    """`share` is how often the candidate is preferred, ties as one half: even at 0.5. `paired` has wins, losses, ties
    and the p-value of evenness."""

    share: Interval
    inner: Interval
    paired: Paired


def preferred(first: ArrayLike, second: ArrayLike) -> Numbers:
    """One preference per pair of answers, of two verdicts: `first` with the base's answer shown first, `second` with
    the candidate's. Both say how far the *candidate* is preferred. Raises ValueError for what is no preference."""
    one, two = (_preferences(part) for part in (first, second))
    if len(one) != len(two):
        raise ValueError(f"pairs are wanted: {len(one)} verdicts in one order, {len(two)} in the other")
    agreed = np.where(one == two, one, TIE)
    return np.where(np.isnan(one) | np.isnan(two), np.nan, agreed)


def consistency(first: ArrayLike, second: ArrayLike, confidence: float = 0.95) -> Interval:
    """How often both orders gave the same verdict. Raises ValueError as `preferred` does, and for no pair."""
    one, two = (_preferences(part) for part in (first, second))
    if len(one) != len(two):
        raise ValueError(f"pairs are wanted: {len(one)} verdicts in one order, {len(two)} in the other")
    is_there = ~(np.isnan(one) | np.isnan(two))
    return proportion(int((one == two)[is_there].sum()), int(is_there.sum()), confidence)


def preference(
    scores: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Preference:
    """How often the candidate is preferred. Raises ValueError for what is no preference, or none at all."""
    values = _preferences(scores)
    column(values)
    found = paired(1 - values, values, clusters=clusters, weights=weights, confidence=confidence, bounds=(0.0, 1.0))
    share, inner = (
        Interval((1 + one.value) / 2, (1 + one.low) / 2, (1 + one.high) / 2) for one in (found.difference, found.inner)
    )
    return Preference(share, inner, found)


def _preferences(values: ArrayLike) -> Numbers:
    found = numbers(values, "preferences")
    there = found[~np.isnan(found)]
    if not ((there >= 0) & (there <= 1)).all():
        raise ValueError("a preference lies between 0 (the base) and 1 (the candidate)")
    return found
