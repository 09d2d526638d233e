"""How far a judge and people say the same: agreement, Cohen's kappa, and what sways a judge that should not.

Arrays have one entry for each item that both spoke of; of a pair, 1 is for the first answer, 0 for the second and a
half for neither. Knows nothing of who judged what.
"""

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import special

from fairlead.stats.intervals import Interval, mean_share, wilson

Array = NDArray[np.float64]


def agreement(first: Array, second: Array, confidence: float = 0.95) -> Interval:
    """The share of items of which both say the same, with Wilson's interval. Raises ValueError for no items."""
    first, second = _aligned(first, second, 1)
    return wilson(int(np.sum(first == second)), len(first), confidence)


def kappa(first: Array, second: Array, *, ordered: bool = False, confidence: float = 0.95) -> Interval:
    """Cohen's kappa: agreement beyond what chance gives, 1 for all of it (Cohen 1960); `ordered` weighs how far two
    steps of a scale lie apart, by squares (1968).

    The interval is of the logarithm of 1 - kappa, with the standard error of Fleiss, Cohen and Everitt (1969), so that
    it never leaves what kappa can be. Of raters who never differ, or who know one word only, nothing is known: from -1
    to 1 where there is nothing to go by. Raises ValueError for fewer than two items.
    """
    first, second = _aligned(first, second, 2)
    steps, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    size = len(steps)
    shares = np.bincount(codes[: len(first)] * size + codes[len(first) :], minlength=size * size).reshape(size, size)
    shares = shares / len(first)
    weights = _weights(steps, ordered)
    of_first, of_second = shares.sum(1), shares.sum(0)
    seen, chance = float((weights * shares).sum()), float(of_first @ weights @ of_second)
    if chance >= 1:
        return Interval(math.nan, -1.0, 1.0)
    value = (seen - chance) / (1 - chance)
    t = float(special.stdtrit(len(first) - 1, (1 + confidence) / 2))
    if value >= 1:  # as wide as what so many items without a difference allow
        missed = 1 - wilson(len(first), len(first), confidence).low
        return Interval(1.0, 1 - missed / (1 - chance), 1.0)
    reach = t * _error(shares, weights, of_first, of_second, seen, chance) / math.sqrt(len(first)) / (1 - value)
    return Interval(value, max(-1.0, 1 - (1 - value) * math.exp(reach)), 1 - (1 - value) * math.exp(-reach))


class LengthBias(Struct, frozen=True):
    """`longer` is by how much oftener the judge prefers the longer answer than people do of the same pairs."""

    pairs: int
    judge: Interval
    people: Interval
    longer: Interval


def length_bias(judged: Array, people: Array, lengths_first: Array, lengths_second: Array) -> LengthBias:
    """Of pairs whose answers differ in length. Raises ValueError for fewer than two."""
    judged, people = _aligned(judged, people, 2)
    apart = np.asarray(lengths_first, float) - lengths_second
    use = apart != 0
    if use.sum() < 2:
        raise ValueError("two pairs of different lengths are wanted at least")
    for_longer = [np.where(apart[use] > 0, column[use], 1 - column[use]) for column in (judged, people)]
    return LengthBias(
        int(use.sum()), _mean(for_longer[0]), _mean(for_longer[1]), _mean(for_longer[0] - for_longer[1], low=-1.0)
    )


def length_slope(judged: Array, people: Array, lengths: Array, confidence: float = 0.95) -> Interval:
    """What twice the length adds to what the judge gives above people, by least squares with the heteroscedastic errors
    HC3 (MacKinnon and White 1985). Raises ValueError for fewer than three answers, or of one length only."""
    judged, people = _aligned(judged, people, 3)
    doublings = np.log2(np.maximum(np.asarray(lengths, float), 1))
    x = doublings - doublings.mean()
    spread = float(x @ x)
    if not spread:
        raise ValueError("answers of different lengths are wanted")
    above = judged - people
    slope = float(x @ above) / spread
    left = above - above.mean() - slope * x
    leverage = np.minimum(1 / len(x) + x * x / spread, 1 - 1e-9)
    error = math.sqrt(float(np.sum((x * left / (1 - leverage)) ** 2))) / spread
    reach = float(special.stdtrit(len(x) - 2, (1 + confidence) / 2)) * error
    return Interval(slope, slope - reach, slope + reach)


class PositionBias(Struct, frozen=True):
    """`consistent` is the share of pairs that keep their verdict when the answers change places, `first` how often what
    stands first is preferred, over both orders: a half where places don't matter."""

    pairs: int
    consistent: Interval
    first: Interval


def position_bias(as_given: Array, swapped: Array) -> PositionBias:
    """Verdicts on the *same* answer in both orders: 1 where it was preferred as it stood first, or as it stood second.
    Raises ValueError for no pairs."""
    as_given, swapped = _aligned(as_given, swapped, 1)
    same = np.sign(as_given - 0.5) == np.sign(swapped - 0.5)
    return PositionBias(len(as_given), wilson(int(same.sum()), len(same)), _mean((as_given + 1 - swapped) / 2))


def both_orders(as_given: Array, swapped: Array) -> Array:
    """The verdict of a pair that was asked in both orders: what both say, and a half where they differ."""
    as_given, swapped = _aligned(as_given, swapped, 0)
    return np.where(np.sign(as_given - 0.5) == np.sign(swapped - 0.5), (as_given + swapped) / 2, 0.5)


def _aligned(first: Array, second: Array, fewest: int) -> tuple[Array, Array]:
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"two columns of one length are wanted: {first.shape}, {second.shape}")
    if len(first) < fewest:
        raise ValueError(f"{len(first)} items say nothing: {fewest} at least are wanted")
    return first, second


def _weights(steps: Array, ordered: bool) -> Array:
    if not ordered or len(steps) < 2:
        return np.eye(len(steps))
    return 1 - ((steps[:, None] - steps[None, :]) / (steps[-1] - steps[0])) ** 2


def _error(shares: Array, weights: Array, of_first: Array, of_second: Array, seen: float, chance: float) -> float:
    """Fleiss, Cohen and Everitt 1969, equation 13, times the root of the number of items."""
    around = (weights @ of_second)[:, None] + (weights.T @ of_first)[None, :]
    square = float((shares * (weights * (1 - chance) - around * (1 - seen)) ** 2).sum())
    return math.sqrt(max(square - (seen * chance - 2 * chance + seen) ** 2, 0.0)) / (1 - chance) ** 2


def _mean(values: Array, low: float = 0.0) -> Interval:
    """Of values from `low` to 1."""
    share = mean_share(((values - low) / (1 - low)).tolist())
    return Interval(*(low + (1 - low) * one for one in (share.value, share.low, share.high)))
