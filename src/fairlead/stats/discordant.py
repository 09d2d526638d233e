"""Paired outcomes that are right or wrong: so many won, so many lost, the rest the same on both sides.

Tango's interval of the difference, and McNemar's tests of whether there is one. Counts may be fractional where they
stand for clustered or weighted items. Knows nothing of who won.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fairlead.stats.clustered import normal
from fairlead.stats.columns import Numbers, check_confidence
from fairlead.stats.intervals import Interval

CLOSE = 1e-12
TURNS = 200  # at most
HALVING = 5  # every so many turns the middle is looked at, whatever a line says
FAR = 1e3  # standard errors: a line to infinity leads nowhere


def tango(wins: float, losses: float, count: float, confidence: float = 0.95) -> Interval:
    """The score interval of (wins - losses) / count of `count` pairs (Tango 1998, Statistics in Medicine 17).

    Raises ValueError for counts that are none.
    """
    check_confidence(confidence)
    check_counts(wins, losses, count)
    low, high = tango_bounds(wins, losses, count, normal(confidence))
    return Interval((wins - losses) / count, float(low), float(high))


def tango_bounds(wins: ArrayLike, losses: ArrayLike, count: ArrayLike, z: ArrayLike) -> tuple[Numbers, Numbers]:
    """Both bounds, for arrays of counts, and of standard errors, at once."""
    won, lost, of, far = np.broadcast_arrays(*(np.asarray(part, np.float64) for part in (wins, losses, count, z)))
    low, high = _upper_bound(np.stack([lost, won]), np.stack([won, lost]), of, far)
    return -low, high


def score(wins: ArrayLike, losses: ArrayLike, count: ArrayLike, difference: ArrayLike) -> Numbers:
    """Tango's statistic: how many standard errors what was seen lies above a supposed difference.

    The standard error is the one that is likeliest if the supposed difference is true (Tango 1998, equation 9).
    """
    won, lost, of, supposed = (np.asarray(part, np.float64) for part in (wins, losses, count, difference))
    above = won - lost - of * supposed
    variance = of * np.maximum(2 * likeliest_losses(won, lost, of, supposed) + supposed * (1 - supposed), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = above / np.sqrt(variance)
    certain = np.where(np.abs(above) < 1e-9, 0.0, np.copysign(np.inf, above))
    return np.where(variance > 1e-12, found, certain)


def likeliest_losses(wins: ArrayLike, losses: ArrayLike, count: ArrayLike, difference: ArrayLike) -> Numbers:
    """The likeliest share of losses where share of wins - share of losses is `difference` (Tango 1998, equation 10)."""
    won, lost, of, supposed = (np.asarray(part, np.float64) for part in (wins, losses, count, difference))
    linear = (2 * of - won + lost) * supposed - won - lost
    constant = -lost * supposed * (1 - supposed)
    root = np.sqrt(np.maximum(linear**2 - 8 * of * constant, 0))
    return np.maximum((root - linear) / (4 * of), np.maximum(-supposed, 0))


def mcnemar(wins: int, losses: int, *, mid: bool = False) -> float:
    """The p-value of no difference, two-sided: wins are a fair coin's among wins and losses (McNemar 1947, exact).

    `mid`: half of what was seen counts (Fagerland, Lydersen and Laake 2013): smaller, and no longer sure to be right in
    every sample. Raises ValueError for counts that are none.
    """
    check_counts(wins, losses, max(wins + losses, 1))
    total, fewer = wins + losses, min(wins, losses)
    if not total:
        return 1.0
    tail = float(special.bdtr(fewer, total, 0.5))
    if mid:
        seen = tail - (float(special.bdtr(fewer - 1, total, 0.5)) if fewer else 0.0)
        return min(1.0, 2 * tail - seen)
    return min(1.0, 2 * tail)


def check_counts(wins: float, losses: float, count: float) -> None:
    if not (wins >= 0 and losses >= 0 and count > 0 and wins + losses <= count * (1 + 1e-9)):
        raise ValueError(f"{wins} won and {losses} lost of {count} is no result of pairs")


def _upper_bound(wins: Numbers, losses: Numbers, count: Numbers, z: Numbers) -> Numbers:
    """The largest difference that what was seen does not lie z standard errors below, by the Illinois method of false
    position: the next guess is where a line between both ends says, and an end that stays twice counts half."""
    low, high = (wins - losses) / count, np.ones(wins.shape)
    of_low, of_high = np.broadcast_to(z, wins.shape), np.maximum(score(wins, losses, count, high), -FAR) + z
    guess, was_inside = low, np.zeros(wins.shape, np.bool_)
    for turn in range(TURNS):
        with np.errstate(divide="ignore", invalid="ignore"):
            next_guess = (low * of_high - high * of_low) / (of_high - of_low)
        is_between = (low < next_guess) & (next_guess < high) & (turn % HALVING > 0)
        last, guess = guess, np.where(is_between, next_guess, (low + high) / 2)
        found = np.maximum(score(wins, losses, count, guess), -FAR) + z
        is_inside = found > 0
        again = (is_inside == was_inside) & is_between
        low, high, of_low, of_high = (
            np.where(is_inside, guess, low),
            np.where(is_inside, high, guess),
            np.where(is_inside, found, np.where(again, of_low / 2, of_low)),
            np.where(is_inside, np.where(again, of_high / 2, of_high), found),
        )
        was_inside = is_inside
        if np.minimum(high - low, np.abs(guess - last)).max() < CLOSE:
            break
    return guess
