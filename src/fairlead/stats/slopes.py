"""How much a score rises or falls with each step of something, such as the turns of conversations, within clusters.

The slope is that within clusters (each has a level of its own, which says nothing), by least squares. Its error is the
jackknife's, which leaves out one cluster at a time (CR3: MacKinnon, Nielsen and Webb 2023, Journal of Applied
Econometrics 38); Student's t with one degree of freedom less than there are clusters. It is on the careful side where
clusters are few.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from fairlead.stats.clustered import student
from fairlead.stats.columns import check_confidence, numbers
from fairlead.stats.intervals import Interval

FEWEST = 3  # clusters that move


def slope(scores: ArrayLike, steps: ArrayLike, clusters: ArrayLike, confidence: float = 0.95) -> Interval:
    """By step. Scores that are NaN are left out. Raises ValueError for columns of different lengths, and for fewer than
    three clusters with scores at two steps."""
    check_confidence(confidence)
    y, x = numbers(scores, "scores"), numbers(steps, "steps")
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    if not len(y) == len(x) == len(codes):
        raise ValueError(f"columns of different lengths: {len(y)} scores, {len(x)} steps, {len(codes)} clusters")
    there = ~np.isnan(y)
    y, x, codes = y[there], x[there], codes[there]
    counts = np.maximum(np.bincount(codes), 1)
    x = x - (np.bincount(codes, x) / counts)[codes]
    y = y - (np.bincount(codes, y) / counts)[codes]
    spread, shared = np.bincount(codes, x * x), np.bincount(codes, x * y)
    moves = spread > 0
    spread, shared = spread[moves], shared[moves]
    if len(spread) < FEWEST:
        raise ValueError(f"{len(spread)} clusters have scores at two steps or more: at least {FEWEST} are wanted")
    found = float(shared.sum() / spread.sum())
    without = (shared.sum() - shared) / (spread.sum() - spread)
    count = len(spread)
    error = math.sqrt((count - 1) / count * float(((without - found) ** 2).sum()))
    reach = student(confidence, count - 1) * error
    return Interval(found, found - reach, found + reach)
