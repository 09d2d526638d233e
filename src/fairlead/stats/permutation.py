"""The paired permutation test: if nothing differs, each difference might as well have the other sign.

Every sign is tried where there are few differences; where there are more, signs are drawn with a seed; where there are
hundreds, the distribution is expanded, which then is closer than drawing. Knows nothing of what the scores mean.
"""

import math

import numpy as np
from scipy import special

from fairlead.stats.columns import Numbers

EXACT_UP_TO = 16  # differences: 65,536 signs
DRAWN_UP_TO = 300  # differences
DRAWN = 9_999
AT_ONCE = 4_000_000


def permutation(differences: Numbers, seed: int = 0) -> float:
    """The two-sided p-value of no difference (Fisher 1935, section 21); one difference per item, or a cluster's sum."""
    moved = np.sort(differences[differences != 0])
    if not len(moved):
        return 1.0
    if len(moved) <= EXACT_UP_TO:
        return _all_signs(moved)
    return _drawn_signs(moved, seed) if len(moved) <= DRAWN_UP_TO else _expanded(moved)


def _all_signs(moved: Numbers) -> float:
    signs = 1 - 2 * (np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1)
    return float((np.abs(signs @ moved) >= _seen(moved)).mean())


def _drawn_signs(moved: Numbers, seed: int) -> float:
    """What was seen counts as one that was drawn, so that p is never 0 (Phipson and Smyth 2010)."""
    rng, further, seen = np.random.default_rng(seed), 0, _seen(moved)
    rows = AT_ONCE // len(moved)
    for start in range(0, DRAWN, rows):
        drawn = min(rows, DRAWN - start)
        bits = np.unpackbits(rng.integers(0, 256, (drawn, -(-len(moved) // 8)), dtype=np.uint8), axis=1)
        signs = bits[:, : len(moved)].astype(np.float64)
        further += int((np.abs(2 * (signs @ moved) - moved.sum()) >= seen).sum())
    return (further + 1) / (DRAWN + 1)


def _expanded(moved: Numbers) -> float:
    """Edgeworth's expansion (Hall 1992, section 2.3): the normal distribution and its correction for kurtosis; skewness
    there is none, as a sign and its opposite are equally likely."""
    squares = moved**2
    z = abs(moved.sum()) / math.sqrt(squares.sum())
    kurtosis = -2 * (squares**2).sum() / squares.sum() ** 2
    tail = float(special.ndtr(-z)) + math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * kurtosis / 24 * (z**3 - 3 * z)
    return float(np.clip(2 * tail, 0.0, 1.0))


def _seen(moved: Numbers) -> float:
    """Sums that differ by rounding alone are the same."""
    return abs(moved.sum()) - 1e-12 * np.abs(moved).sum()
