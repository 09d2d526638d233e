"""The exact unconditional test and interval of a difference between paired outcomes that are right or wrong.

No approximation stands behind them: the probability of what was seen, or of what lies further off, is added up over
every possible outcome, and is taken at the worst of the shares of discordant pairs that are plausible. Knows nothing of
who won.
"""

from functools import lru_cache

import numpy as np
from msgspec import Struct
from scipy import special, stats

from fairlead.stats.clustered import normal
from fairlead.stats.columns import Numbers, check_confidence
from fairlead.stats.discordant import check_counts, score, tango_bounds
from fairlead.stats.intervals import Interval

IMPLAUSIBLE = 5e-4  # how surely the share of discordant pairs lies in the range that is searched; added to p
SHARES = 48  # looked at within that range; the probability changes slowly there
UNSEEN = 1e-10  # of outcomes that are too rare to be added up
PRECISION = 1e-5
SAME = 1e-9  # scores that differ by less are the same


class Plausible(Struct, frozen=True, eq=False):
    """What is plausible after so many discordant pairs of so many: their share, and their number next time."""

    shares: Numbers
    discordant: Numbers


def p_above(wins: int, losses: int, count: int, difference: float) -> float:
    """How probable it is to see as much or more in favour if the true difference is at most `difference`.

    Outcomes are ordered by Tango's statistic (Tang, Tang and Chan 2003, Statistics in Medicine 22), the share of
    discordant pairs is searched as Berger and Boos (1994, JASA 89) do. Raises ValueError for counts that are none.
    """
    check_counts(wins, losses, count)
    plausible = _plausible(wins + losses, count)
    return _p_above(wins, losses, count, difference, plausible)


def exact(wins: int, losses: int, count: int, confidence: float = 0.95) -> Interval:
    """The differences that are refused by neither of the two one-sided tests. Raises ValueError."""
    check_confidence(confidence)
    check_counts(wins, losses, count)
    return Interval(
        (wins - losses) / count,
        _lower_bound(int(wins), int(losses), int(count), confidence),
        -_lower_bound(int(losses), int(wins), int(count), confidence),
    )


@lru_cache(4096)
def _lower_bound(wins: int, losses: int, count: int, confidence: float) -> float:
    """Between -1, and the difference that was seen, where p is too large. Tango's bound is close, so the search begins
    there."""
    if losses == count:
        return -1.0
    tail, plausible = (1 - confidence) / 2, _plausible(wins + losses, count)

    def is_refused(difference: float) -> bool:
        return _p_above(wins, losses, count, difference, plausible) <= tail

    seen = (wins - losses) / count
    near = float(tango_bounds(wins, losses, count, normal(confidence))[0])
    step = max((seen - near) / 8, PRECISION)
    low = near
    while low > -1 and not is_refused(low):
        low, step = low - step, step * 2
    if low <= -1:
        return -1.0
    high, step = low + step, max((seen - low) / 8, PRECISION)
    while high < seen and is_refused(high):
        low, high = high, high + step
    high = min(high, seen)
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if is_refused(middle) else (low, middle)
    return low


@lru_cache(256)
def _plausible(discordant: int, count: int) -> Plausible:
    tail = IMPLAUSIBLE / 2
    low = float(special.betaincinv(discordant, count - discordant + 1, tail)) if discordant else 0.0
    high = float(special.betaincinv(discordant + 1, count - discordant, 1 - tail)) if discordant < count else 1.0
    angles = np.linspace(np.arcsin(np.sqrt(low)), np.arcsin(np.sqrt(high)), SHARES)
    return Plausible(np.sin(angles) ** 2, likely_hits(count, low, high))


def _p_above(wins: int, losses: int, count: int, difference: float, plausible: Plausible) -> float:
    shares = np.unique(np.clip(plausible.shares, min(abs(difference), 1.0), 1.0))
    seen = float(score(wins, losses, count, difference))
    found = tail_probability(count, difference, seen, shares, _discordant(count, shares, plausible))
    return min(1.0, float(found.max()) + IMPLAUSIBLE)


def _discordant(count: int, shares: Numbers, plausible: Plausible) -> Numbers:
    """A supposed difference needs as many discordant pairs at least, so the range may have to reach further up."""
    is_beyond = shares[-1] > plausible.shares[-1]
    return likely_hits(count, shares[0], shares[-1]) if is_beyond else plausible.discordant


def tail_probability(count: int, difference: float, seen: float, shares: Numbers, discordant: Numbers) -> Numbers:
    """For each share of discordant pairs, how probable a score of `seen` or above is where `difference` is true.

    Given their number, outcomes with that score are those from some number of wins on, so that a tail of a binomial
    distribution is all that is left to add for each number of discordant pairs.
    """
    least = least_wins(count, difference, seen, discordant)
    chance = np.clip((shares + difference) / np.maximum(2 * shares, 1e-300), 0, 1)[:, None]
    return (binomial(count, discordant, shares) * at_least(least, discordant, chance)).sum(axis=1)


def at_least(least: Numbers, of: Numbers, chance: Numbers | float) -> Numbers:
    """The probability of `least` hits or more among so many (the binomial tail as an incomplete beta function)."""
    tail = special.betainc(np.maximum(least, 1), np.maximum(of - least + 1, 1), chance)
    return np.where(least > of, 0.0, np.where(least <= 0, 1.0, tail))


def least_wins(count: int, difference: float, seen: float, discordant: Numbers) -> Numbers:
    """For each number of discordant pairs how many of them must be won for a score of `seen`; one more than there are
    where none is enough."""
    low, high = np.zeros(len(discordant)), discordant + 1
    while (low < high).any():
        middle = np.floor((low + high) / 2)
        is_enough = score(middle, discordant - middle, count, difference) >= seen - SAME
        is_enough |= middle > discordant
        low, high = np.where(is_enough | (low >= high), low, middle + 1), np.where(is_enough, middle, high)
    return low


def likely_hits(count: int, low: float, high: float) -> Numbers:
    """The numbers of hits that are not too rare to be added up, for shares from `low` to `high`."""
    few, many = float(stats.binom.ppf(UNSEEN, count, low)), float(stats.binom.isf(UNSEEN, count, high))
    return np.arange(max(few - 1, 0), min(many + 1, count) + 1)


def binomial(count: int, hits: Numbers, shares: Numbers) -> Numbers:
    """The probability of each number of hits (columns) for each share (rows)."""
    ways = special.gammaln(count + 1) - special.gammaln(hits + 1) - special.gammaln(count - hits + 1)
    share = shares[:, None]
    return np.exp(ways + special.xlogy(hits, share) + special.xlog1py(count - hits, -share))
