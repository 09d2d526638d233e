"""What a suite could show before anybody is asked: how probably it decides, and how many cases it would take.

For items that are won, lost or tied whole the probability is added up over every outcome with Tango's test, which the
exact one follows to a point of power; for scores it is Student's. Knows nothing of costs.
"""

import math
from typing import Literal

import numpy as np
from msgspec import Struct, structs
from scipy import special, stats

from fairlead.stats.paired import inner_confidence
from fairlead.stats.unconditional import at_least, binomial, least_wins, likely_hits

Goal = Literal["pass", "equivalent", "better"]

TARGET = 0.8
MOST = 10_000_000  # cases: not worth a number
TEETH = (1.0, 1.01, 1.02, 1.03, 1.05)  # power falls a little before it rises: so much further on it must still do


class Power(Struct, frozen=True):
    """`value` is what the test really does: added up over all outcomes where items are won, lost or tied. `formula` is
    what is usually planned with, the normal distribution's."""

    value: float
    formula: float


class Design(Struct, frozen=True, kw_only=True):
    """A comparison that is planned: how many pairs; which share of them is not tied (`discordance`), or else the
    standard deviation of their differences (`sd`); the true difference; the margin.

    `goal`: "pass", the low bound lies above -margin; "equivalent", both bounds lie within the margin; "better", the low
    bound lies above 0. Bounds are one-sided, of `confidence`. `design_effect` says by how much clusters blow up the
    variance: 1 + (items in a cluster - 1) x intra-class correlation (Kish 1965).
    """

    n: int = 1
    margin: float = 0.0
    discordance: float | None = None
    sd: float | None = None
    difference: float = 0.0
    goal: Goal = "pass"
    confidence: float = 0.95
    design_effect: float = 1.0


def power(design: Design) -> Power:
    """How probably the goal is reached. Raises ValueError for a design that can't be."""
    _check(design)
    count = design.n / design.design_effect
    if design.sd is not None:
        return Power(_of_scores(design, count), _formula(design, count, design.sd))
    assert design.discordance is not None
    spread = math.sqrt(max(design.discordance - design.difference**2, 0.0))
    pairs = max(int(count), 1)
    return Power(_of_outcomes(design, pairs), _formula(design, count, spread))


def cases_needed(design: Design, target: float = TARGET) -> int | None:
    """The fewest pairs that reach the goal with the probability `target`, whatever the design's `n` is; None where more
    than ten million would not."""
    _check_target(target)
    teeth = TEETH if design.discordance is not None else (1.0,)

    def is_enough(n: int) -> bool:
        larger = (structs.replace(design, n=math.ceil(n * tooth)) for tooth in teeth)
        return all(power(one).value >= target for one in larger)

    low, high = 1, 2
    while not is_enough(high):
        low, high = high, high * 2
        if high > MOST:
            return None
    while high - low > max(1, low // 500):
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def detectable(design: Design, target: float = TARGET) -> float | None:
    """What the design's pairs can show with the probability `target`. better: the smallest true difference. pass and
    equivalent: the smallest margin, where the true difference is the design's. None where it is above 1; with `sd`,
    above ten of these."""
    _check_target(target)
    most = 1.0 if design.sd is None else 10 * design.sd

    def is_shown(size: float) -> bool:
        if design.goal != "better":
            return power(structs.replace(design, margin=size)).value >= target
        share = None if design.discordance is None else max(design.discordance, size)
        return power(structs.replace(design, difference=size, discordance=share)).value >= target

    if not is_shown(most):
        return None
    low, high = 0.0, most
    while high - low > most * 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if is_shown(middle) else (middle, high)
    return high


def _of_outcomes(design: Design, count: int) -> float:
    """Over every number of discordant pairs, and of wins among them."""
    assert design.discordance is not None
    discordant = likely_hits(count, design.discordance, design.discordance)
    supposed = 0.0 if design.goal == "better" else -design.margin
    least = least_wins(count, supposed, float(special.ndtri(design.confidence)), discordant)
    chance = (design.discordance + design.difference) / (2 * design.discordance) if design.discordance else 0.5
    reached = at_least(least, discordant, chance)
    if design.goal == "equivalent":
        reached = np.where(discordant >= 2 * least, reached - at_least(discordant - least + 1, discordant, chance), 0.0)
    return float((binomial(count, discordant, np.array([design.discordance]))[0] * reached).sum())


def _of_scores(design: Design, count: float) -> float:
    """With the noncentral t distribution; both bounds by Phillips (1990, Journal of Pharmacokinetics 18)."""
    assert design.sd is not None
    freedom = count - 1
    if freedom <= 0:
        return 0.0
    error, t = design.sd / math.sqrt(count), special.stdtrit(freedom, design.confidence)
    low = (design.difference + (0.0 if design.goal == "better" else design.margin)) / error
    reached = float(stats.nct.sf(t, freedom, low))
    if design.goal == "equivalent":
        reached -= float(stats.nct.sf(-t, freedom, (design.difference - design.margin) / error))
    return max(0.0, reached)


def _formula(design: Design, count: float, spread: float) -> float:
    z = special.ndtri(design.confidence)
    error = spread / math.sqrt(count)
    if not error:
        return 1.0
    low = (design.difference + (0.0 if design.goal == "better" else design.margin)) / error
    reached = float(special.ndtr(low - z))
    if design.goal == "equivalent":
        reached += float(special.ndtr((design.margin - design.difference) / error - z)) - 1
    return max(0.0, reached)


def _check(design: Design) -> None:
    inner_confidence(design.confidence)
    if design.n < 1:
        raise ValueError(f"at least one pair is wanted, not {design.n}")
    if (design.discordance is None) == (design.sd is None):
        raise ValueError("either the share of discordant pairs is wanted, or the standard deviation of differences")
    if design.discordance is not None and not abs(design.difference) <= design.discordance <= 1:
        raise ValueError(
            f"a share of discordant pairs from {abs(design.difference)} (the difference) to 1 is wanted, "
            f"not {design.discordance}"
        )
    if design.sd is not None and not design.sd > 0:
        raise ValueError(f"a standard deviation above 0 is wanted, not {design.sd}")
    if not (math.isfinite(design.margin) and design.margin >= 0):
        raise ValueError(f"a margin from 0 up is wanted, not {design.margin}")
    if not design.design_effect > 0:
        raise ValueError(f"a design effect above 0 is wanted, not {design.design_effect}")


def _check_target(target: float) -> None:
    if not 0 < target < 1:
        raise ValueError(f"a probability between 0 and 1 is wanted, not {target}")
