"""The same target asked twice: how much of what it answers changes by itself. Knows nothing of why."""

import numpy as np
from msgspec import Struct

from fairlead.evals.results import Numbers, Pairs, Scores
from fairlead.stats.intervals import Interval
from fairlead.stats.means import mean
from fairlead.stats.paired import paired


class Noise(Struct, frozen=True):
    """Of `cases` with two answers or more: the share of verdicts that another answer flips (None where answers are not
    right or wrong), by how much a score changes on average, and the difference of the two means, None of repeats."""

    cases: int
    flips: Interval | None
    moves: Interval
    difference: Interval | None


def between(pairs: Pairs, confidence: float = 0.95) -> Noise | None:
    """Of two runs of one target; None where no case has a score of both."""
    moved = np.abs(pairs.candidate.value - pairs.base.value)
    if np.isnan(moved).all():
        return None
    settings = {"clusters": pairs.clusters, "weights": pairs.weights, "confidence": confidence}
    found = paired(pairs.base.value, pairs.candidate.value, bounds=pairs.bounds, **settings)
    low, high = pairs.bounds
    binary = pairs.base.is_binary and pairs.candidate.is_binary
    share = mean(_flipped(pairs, low, high), **settings) if binary else None
    return Noise(found.n, share, mean(moved, bounds=(0.0, high - low), **settings), found.difference)


def of_repeats(scores: Scores, bounds: tuple[float, float], confidence: float = 0.95) -> Noise | None:
    """Of the repeats of one run, where answers are right or wrong; None where no case has two answers."""
    low, high = bounds
    repeats = scores.answers.astype(np.float64)
    share = (scores.value - low) / (high - low)
    enough = (repeats > 1) & ~np.isnan(share)
    if not enough.any() or not scores.is_binary:
        return None
    part = scores.where(enough)
    disagree = (2 * share * (1 - share) * repeats / np.maximum(repeats - 1, 1))[enough]
    found = mean(np.minimum(disagree, 1.0), clusters=part.clusters, weights=part.weights, confidence=confidence)
    moves = Interval(*((high - low) * end for end in (found.value, found.low, found.high)))
    return Noise(int(enough.sum()), found, moves, None)


def _flipped(pairs: Pairs, low: float, high: float) -> Numbers:
    before, after = ((side.value - low) / (high - low) for side in (pairs.base, pairs.candidate))
    return before * (1 - after) + after * (1 - before)
