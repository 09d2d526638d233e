"""Intervals: between which bounds a measured share or difference may really lie.

A share of single trials gets Wilson's interval. The fields of one document are right or wrong together, so wherever a
document holds several of them the document is the unit, not the field. Knows nothing of what was measured.
"""

import math
import statistics
from collections.abc import Sequence
from statistics import NormalDist

from msgspec import Struct

from fairlead.stats.student import student_quantile


class Interval(Struct, frozen=True):
    """A measured value and the bounds of its interval, in the value's own unit."""

    value: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        return not self.low <= value <= self.high


def wilson(hits: int, count: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval (Wilson 1927) of a share: `hits` of `count` independent trials. Raises ValueError."""
    if not 0 <= hits <= count or count < 1:
        raise ValueError(f"{hits} of {count} is no share")
    return score_interval(hits / count, count, _normal_quantile(confidence))


def mean_share(shares: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean of shares (0 to 1), one per document, with documents as the independent units. Raises ValueError.

    Wilson's interval for the number of independent trials that would vary as much as the documents' mean does, made
    smaller for the documents being few by the ratio of the normal to Student's quantile (Korn and Graubard 1998). So it
    stays within 0 and 1 and keeps its width near them. Where no two documents differ, each counts as one trial.
    """
    if not shares or not all(0 <= share <= 1 for share in shares):
        raise ValueError("shares from 0 to 1 are wanted, at least one")
    mean, count, z = statistics.fmean(shares), len(shares), _normal_quantile(confidence)
    variance = statistics.variance(shares, mean) / count if count > 1 else 0.0
    if not variance:
        return score_interval(mean, count, z)
    t = student_quantile((1 + confidence) / 2, count - 1)
    return score_interval(mean, mean * (1 - mean) / variance * (z / t) ** 2, z)


def paired_difference(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean of `second - first`, pair by pair (the same document, two answers), with Student's interval (1908).

    Raises ValueError for sequences of different lengths, or of less than two pairs.
    """
    differences = [after - before for before, after in zip(first, second, strict=True)]
    if len(differences) < 2:
        raise ValueError("at least two pairs are wanted")
    mean = statistics.fmean(differences)
    t = student_quantile((1 + confidence) / 2, len(differences) - 1)
    reach = t * statistics.stdev(differences, mean) / math.sqrt(len(differences))
    return Interval(mean, mean - reach, mean + reach)


def score_interval(share: float, count: float, z: float) -> Interval:
    """Wilson's, `z` standard errors to each side; `count` may be fractional. The share itself is never outside."""
    square = z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return Interval(share, max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach)))


def _normal_quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence between 0 and 1 is wanted, not {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)
