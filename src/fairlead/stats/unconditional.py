"""The exact unconditional interval of a difference between paired outcomes that are right or wrong.

No approximation stands behind it: the probability of what was seen, or of what speaks more for a difference, is added
up over every possible outcome, and is taken at the worst of the shares of discordant pairs that are plausible. Knows
nothing of who won.
"""

import math
from functools import lru_cache

import numpy as np
from msgspec import Struct
from scipy import optimize, special

from fairlead.stats.clustered import normal
from fairlead.stats.columns import Numbers, check_confidence
from fairlead.stats.discordant import check_counts, score, tango_bounds
from fairlead.stats.intervals import Interval

IMPLAUSIBLE = 5e-4  # how surely the share of discordant pairs lies in the range that is searched; added to p,
OF_ERROR = 0.02  # and at most so much of the error
SHARES = 24  # looked at within that range; the probability changes slowly there
PRECISION = 1e-5
SAME = 1e-9  # scores that differ by less are the same


def exact(wins: int, losses: int, count: int, confidence: float = 0.95) -> Interval:
    """(wins - losses) / count of `count` pairs; each bound is wrong in at most half of 1 - `confidence` of all samples.

    Outcomes are ordered by Tango's bound, and the bound is the best that holds with this order (Buehler 1957, JASA 52;
    Lloyd and Kabaila 2003, Australian and New Zealand Journal of Statistics 45). The share of discordant pairs is
    searched as Berger and Boos (1994, JASA 89) do. Raises ValueError for counts that are none.
    """
    check_confidence(confidence)
    check_counts(wins, losses, count)
    return Interval(
        (wins - losses) / count,
        _lower_bound(int(wins), int(losses), int(count), confidence),
        -_lower_bound(int(losses), int(wins), int(count), confidence),
    )


class Sample(Struct, frozen=True, eq=False):
    """What was seen, as it is weighed: for each number of discordant pairs (from 0) how many of them must be won to
    speak as much for the candidate, and the shares of discordant pairs that are plausible, but for `implausible`."""

    count: int
    least: Numbers
    shares: Numbers
    implausible: float

    @classmethod
    def of(cls, wins: int, losses: int, count: int, confidence: float) -> "Sample":
        z = normal(confidence)
        near = float(tango_bounds(wins, losses, count, z)[0])
        discordant = wins + losses
        least = least_wins(count, near, z, np.arange(count + 1.0))
        least[discordant] = min(least[discordant], wins)
        implausible = min(IMPLAUSIBLE, OF_ERROR * (1 - confidence) / 2)
        return cls(count, least, _plausible(discordant, count, implausible), implausible)

    def p_above(self, difference: float) -> float:
        """How probable it is to see as much or more if the true difference is at most `difference`."""
        shares = np.unique(np.clip(self.shares, min(abs(difference), 1.0), 1.0))
        discordant = likely_hits(self.count, shares[0], shares[-1])
        least = self.least[int(discordant[0]) : int(discordant[-1]) + 1]
        chance = np.clip((shares + difference) / np.maximum(2 * shares, 1e-300), 0, 1)[:, None]
        found = (binomial(self.count, discordant, shares) * at_least(least, discordant, chance)).sum(axis=1)
        return min(1.0, float(found.max()) + self.implausible)


@lru_cache(4096)
def _lower_bound(wins: int, losses: int, count: int, confidence: float) -> float:
    """Where p is the error that is allowed. Tango's bound is close, so the search begins there."""
    if losses == count:
        return -1.0
    sample, tail = Sample.of(wins, losses, count, confidence), special.ndtri((1 - confidence) / 2)

    def excess(difference: float) -> float:
        return float(special.ndtri(min(sample.p_above(difference), 1 - 1e-12)) - tail)

    seen = (wins - losses) / count
    low = high = float(tango_bounds(wins, losses, count, normal(confidence))[0])
    step = max((seen - low) / 20, PRECISION)
    while excess(low) > 0:
        if low <= -1:
            return -1.0
        high, low, step = low, max(low - step, -1.0), 2 * step
    while excess(high) <= 0:
        low, high, step = high, min(high + step, seen), 2 * step
    root = optimize.brentq(excess, low, high, xtol=PRECISION / 2)
    return max(-1.0, float(np.asarray(root)) - PRECISION)


def _plausible(discordant: int, count: int, implausible: float) -> Numbers:
    """Clopper and Pearson's interval, evenly divided on the scale on which shares are equally sure."""
    tail = implausible / 2
    low = float(special.betaincinv(discordant, count - discordant + 1, tail)) if discordant else 0.0
    high = float(special.betaincinv(discordant + 1, count - discordant, 1 - tail)) if discordant < count else 1.0
    return np.sin(np.linspace(math.asin(math.sqrt(low)), math.asin(math.sqrt(high)), SHARES)) ** 2


def least_wins(count: int, difference: float, seen: float, discordant: Numbers) -> Numbers:
    """For each number of discordant pairs how many of them must be won for Tango's score of `difference` to be `seen`
    or more; one more than there are where none is enough."""
    low, high = np.zeros(len(discordant)), discordant + 1
    while (low < high).any():
        middle = np.floor((low + high) / 2)
        is_enough = score(middle, discordant - middle, count, difference) >= seen - SAME
        is_enough |= middle > discordant
        low, high = np.where(is_enough | (low >= high), low, middle + 1), np.where(is_enough, middle, high)
    return low


def at_least(least: Numbers, of: Numbers, chance: Numbers | float) -> Numbers:
    """The probability of `least` hits or more among so many (the binomial tail as an incomplete beta function)."""
    tail = special.betainc(np.maximum(least, 1), np.maximum(of - least + 1, 1), chance)
    return np.where(least > of, 0.0, np.where(least <= 0, 1.0, tail))


def likely_hits(count: int, low: float, high: float) -> Numbers:
    """The numbers of hits that are not too rare to be added up, for shares from `low` to `high`: all but 1 in 10^8."""
    few = count * low - 6 * math.sqrt(count * low * (1 - low)) - 6
    many = count * high + 6 * math.sqrt(count * high * (1 - high)) + 12
    return np.arange(max(math.floor(few), 0), min(math.ceil(many), count) + 1, dtype=np.float64)


def binomial(count: int, hits: Numbers, shares: Numbers) -> Numbers:
    """The probability of each number of hits (columns) for each share (rows)."""
    ways = special.gammaln(count + 1) - special.gammaln(hits + 1) - special.gammaln(count - hits + 1)
    share = shares[:, None]
    return np.exp(ways + special.xlogy(hits, share) + special.xlog1py(count - hits, -share))
