"""Intervals of a share: so many of so many independent trials. Knows nothing of what was tried."""

from scipy import special

from fairlead.stats.columns import check_confidence
from fairlead.stats.intervals import Interval, wilson

METHODS = ("wilson", "clopper-pearson")


def proportion(hits: int, count: int, confidence: float = 0.95, method: str = "wilson") -> Interval:
    """`hits` of `count`. Raises ValueError for what is no share, and for a method that is none.

    wilson: holds the truth in 95 % of cases on average. clopper-pearson: in 95 % at least, whatever the truth is.
    """
    check_confidence(confidence)
    if method == "wilson":
        return wilson(hits, count, confidence)
    if method == "clopper-pearson":
        return clopper_pearson(hits, count, confidence)
    raise ValueError(f"there is no method {method!r}: {', '.join(METHODS)}")


def clopper_pearson(hits: int, count: int, confidence: float = 0.95) -> Interval:
    """Clopper and Pearson 1934 (Biometrika 26), by quantiles of the beta distribution. Raises ValueError."""
    check_confidence(confidence)
    if not 0 <= hits <= count or count < 1:
        raise ValueError(f"{hits} of {count} is no share")
    tail = (1 - confidence) / 2
    low = special.betaincinv(hits, count - hits + 1, tail) if hits else 0.0
    high = special.betaincinv(hits + 1, count - hits, 1 - tail) if hits < count else 1.0
    return Interval(hits / count, float(low), float(high))
