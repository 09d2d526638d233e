"""The same target asked twice: how much of what it answers changes by itself. Knows nothing of why."""

import numpy as np
from msgspec import Struct

from fairlead.evals.results import Pairs, Scores
from fairlead.stats.flips import differing, differing_again
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
    before, after = ((side.value - low) / (high - low) for side in (pairs.base, pairs.candidate))
    share = mean(differing(before, after), **settings) if binary else None
    return Noise(found.n, share, mean(moved, bounds=(0.0, high - low), **settings), found.difference)


def of_repeats(scores: Scores, bounds: tuple[float, float], confidence: float = 0.95) -> Noise | None:
    """Of the repeats of one run, where answers are right or wrong; None where no case has two answers."""
    low, high = bounds
    disagree = differing_again((scores.value - low) / (high - low), scores.answers)
    enough = ~np.isnan(disagree)
    if not enough.any() or not scores.is_binary:
        return None
    found = mean(disagree, clusters=scores.clusters, weights=scores.weights, confidence=confidence)
    moves = Interval(*((high - low) * end for end in (found.value, found.low, found.high)))
    return Noise(int(enough.sum()), found, moves, None)
