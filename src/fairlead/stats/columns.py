"""Columns of scores as the statistics want them: numbers of one length, what is missing taken out and counted.

A column has one entry per item; NaN is a score that is missing. Clusters are any codes, weights are from 0 up. Errors
are ValueErrors that say which column is wrong. Knows nothing of what the scores mean.
"""

from typing import Self, TypeAlias

import numpy as np
from msgspec import Struct, structs
from numpy.typing import ArrayLike, NDArray

Numbers: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]


class Column(Struct, frozen=True, eq=False):
    """Values that are all there. `clusters` are codes 0 to k-1 or None (each item stands alone), `weights` None where
    all weigh the same; `missing` counts what was left out."""

    values: Numbers
    clusters: Counts | None
    weights: Numbers | None
    missing: int

    def __len__(self) -> int:
        return len(self.values)

    @property
    def units(self) -> int:
        """How many of what is independent there are: clusters, or items."""
        return len(self.values) if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def is_plain(self) -> bool:
        return self.clusters is None and self.weights is None

    def holding(self, values: Numbers) -> Self:
        return structs.replace(self, values=values)

    def sums(self) -> tuple[Numbers, Numbers]:
        """For each unit the weighted sum of its values and of its weights."""
        weights = np.ones(len(self)) if self.weights is None else self.weights
        if self.clusters is None:
            return weights * self.values, weights
        sums = np.bincount(self.clusters, weights * self.values)
        return sums.astype(np.float64), np.bincount(self.clusters, weights).astype(np.float64)


def column(values: ArrayLike, clusters: ArrayLike | None = None, weights: ArrayLike | None = None) -> Column:
    """Raises ValueError for a column with nothing in it, infinite values, or clusters or weights that do not fit."""
    found = numbers(values, "scores")
    is_there = ~np.isnan(found)
    if not is_there.any():
        raise ValueError(f"there is no score: {'all are missing' if len(found) else 'the column is empty'}")
    codes, weighing = _codes(clusters, len(found)), _weights(weights, len(found))
    if weighing is not None:
        is_there &= weighing > 0
        if not is_there.any():
            raise ValueError("no score has a weight above 0")
        weighing = weighing[is_there]
        weighing = None if (weighing == weighing[0]).all() else weighing / weighing.mean()
    if codes is not None:
        names, codes = np.unique(codes[is_there], return_inverse=True)
        codes = None if len(names) == is_there.sum() else codes.astype(np.int64)
    return Column(found[is_there], codes, weighing, int(np.isnan(found).sum()))


def numbers(values: ArrayLike, name: str) -> Numbers:
    """Raises ValueError for what is no list of numbers, or has infinite ones. NaN may be there."""
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers: {error}") from None
    if found.ndim != 1:
        raise ValueError(f"{name} must be one list of numbers, not of {found.ndim} dimensions")
    if np.isinf(found).any():
        raise ValueError(f"{name} must be finite")
    return found


def pairs(base: ArrayLike, candidate: ArrayLike) -> tuple[Numbers, Numbers]:
    """Raises ValueError for columns of different lengths."""
    before, after = numbers(base, "scores of the base"), numbers(candidate, "scores of the candidate")
    if len(before) != len(after):
        raise ValueError(f"pairs are wanted: {len(before)} scores of the base, {len(after)} of the candidate")
    return before, after


def check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence between 0 and 1 is wanted, not {confidence}")


def _codes(clusters: ArrayLike | None, length: int) -> NDArray | None:
    if clusters is None:
        return None
    found = np.asarray(clusters)
    if found.shape != (length,):
        raise ValueError(f"{length} scores, but {found.size} clusters")
    if found.dtype.kind == "f" and np.isnan(found).any():
        raise ValueError("a cluster is missing")
    return found


def _weights(weights: ArrayLike | None, length: int) -> Numbers | None:
    if weights is None:
        return None
    found = numbers(weights, "weights")
    if len(found) != length:
        raise ValueError(f"{length} scores, but {len(found)} weights")
    if not (found >= 0).all():
        raise ValueError("weights must be numbers from 0 up")
    return found
