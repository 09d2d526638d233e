"""Student's t distribution: its quantiles, with the standard library alone.

Up to 200 degrees of freedom the distribution's own finite series is inverted (Abramowitz and Stegun 1964, 26.7.3 and
26.7.4), beyond that its expansion around the normal one is used (Cornish and Fisher, 26.7.5), which there is off by
less than one part in a million. Knows nothing of what the quantiles are for.
"""

import math
from statistics import NormalDist

EXACT_UP_TO = 200


def student_quantile(probability: float, freedom: int) -> float:
    """The t below which `probability` (0.5 to below 1) of the distribution lies.

    Raises ValueError outside of that, or for less than one degree of freedom.
    """
    if not 0.5 <= probability < 1:
        raise ValueError(f"a probability from 0.5 to below 1 is wanted, not {probability}")
    if freedom < 1:
        raise ValueError(f"at least one degree of freedom is wanted, not {freedom}")
    if freedom > EXACT_UP_TO:
        return _expanded(NormalDist().inv_cdf(probability), freedom)
    return _inverted(2 * probability - 1, freedom)


def _inverted(central: float, freedom: int) -> float:
    """Bisect the angle arctan(t / sqrt(freedom)), which runs from 0 to a right angle, whatever the tails."""
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        if _central_share(middle, freedom) < central:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _central_share(angle: float, freedom: int) -> float:
    """How much lies between -t and t, for t = sqrt(freedom) tan(angle)."""
    cosine, sine = math.cos(angle), math.sin(angle)
    is_odd = freedom % 2 == 1
    term = cosine if is_odd else 1.0
    total = 0.0
    for step in range(freedom // 2):
        total += term
        above = 2 * step + (2 if is_odd else 1)
        term *= above / (above + 1) * cosine * cosine
    return 2 / math.pi * (angle + sine * total) if is_odd else sine * total


def _expanded(z: float, freedom: int) -> float:
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))
