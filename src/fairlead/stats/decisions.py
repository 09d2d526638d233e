"""From a measured difference to a word: better, worse, equivalent or undecided; pass, fail or undecided.

A word is only said when it is wrong in at most 1 of 20 cases (at the usual confidence); else the answer says how many
more cases it would take. Knows nothing of who is compared.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike
from scipy import special

from fairlead.stats.betting import guaranteed
from fairlead.stats.columns import Numbers, pairs
from fairlead.stats.intervals import Interval
from fairlead.stats.means import usual_bounds
from fairlead.stats.paired import Paired, difference, inner_confidence, paired

LIKELY = 0.8  # how probably so many more cases decide, should the difference be what was seen
TOO_MANY = 10_000_000  # cases: not worth a number
BETTING = "betting"  # the method of bounds that hold at any time

Word = Literal["better", "worse", "equivalent", "undecided"]
Outcome = Literal["pass", "fail", "undecided"]


class Verdict(Struct, frozen=True):
    """`words` of the inner interval (90 %): equivalent, as it lies within the margin; better or worse, as it excludes
    0 and the test does too (p at most 10 %); both may be so. `is_sure` says that the wider interval (95 %) excludes 0
    as well, and p is at most 5 %. `more`: about so many more cases decide, where nothing is decided yet and some number
    would do."""

    words: tuple[Word, ...]
    more: int | None
    paired: Paired
    margin: float
    is_sure: bool


class Gate(Struct, frozen=True):
    """`difference` is candidate minus base with bounds that are each a one-sided test of `confidence`: the low one with
    what is missing at its worst, the high one with it at its best. `more` as in a verdict."""

    outcome: Outcome
    difference: Interval
    margin: float
    n: int
    missing: int
    more: int | None
    method: str
    confidence: float


def compared(
    base: ArrayLike,
    candidate: ArrayLike,
    margin: float,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
) -> Verdict:
    """Two one-sided tests decide on equivalence (Schuirmann 1987, Journal of Pharmacokinetics 15), the same two bounds
    on better and worse, together with the test whose p-value stands beside them: where few items differ the two may
    disagree, and nothing is called better at a p-value that speaks against it. Raises ValueError as `paired` does, and
    for a margin below 0."""
    check_margin(margin)
    found = paired(base, candidate, clusters=clusters, weights=weights, confidence=confidence, bounds=bounds, seed=seed)
    inner, error = found.inner, 1 - confidence
    words: list[Word] = []
    if inner.excludes(0) and found.p_value <= 2 * error:
        words.append("better" if inner.low > 0 else "worse")
    if -margin < inner.low and inner.high < margin:
        words.append("equivalent")
    more = None
    if not (words or inner.excludes(0)):
        more = _more(inner, found.n, lambda reach: _says_something(inner.value, reach, margin, confidence))
    is_sure = found.difference.excludes(0) and found.p_value <= error
    return Verdict(tuple(words) or ("undecided",), more, found, margin, is_sure)


def gate(
    base: ArrayLike,
    candidate: ArrayLike,
    margin: float,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
    worst: tuple[ArrayLike, ArrayLike] | None = None,
    best: tuple[ArrayLike, ArrayLike] | None = None,
    at_any_time: bool = False,
    seed: int = 0,
) -> Gate:
    """pass: the candidate is not worse by `margin` or more; fail: it is; each wrong in at most 1 of 20 cases.

    Missing scores (NaN) pass only what would pass with them at their worst, and fail only what would fail with them at
    their best: the ends of `bounds`, or where a score is missing in part (some repeats of a case) what `worst` and
    `best` say, both a base and a candidate. `at_any_time`: by bets, whose bounds hold at all looks together. Raises
    ValueError as `paired` does, and where scores without bounds are missing, or are bet on.
    """
    check_margin(margin)
    before, after = pairs(base, candidate)
    is_missing = np.isnan(before) | np.isnan(after)
    has_gaps = bool(is_missing.any()) or worst is not None or best is not None
    bounds = _known_bounds(before, after, bounds) if has_gaps else bounds
    measure = partial(
        _bet if at_any_time else _tested,
        confidence=inner_confidence(confidence),
        clusters=clusters,
        weights=weights,
        bounds=bounds,
        seed=seed,
    )
    if has_gaps and bounds is not None:
        low, high = bounds
        at_worst = measure(*(worst or _filled(before, after, high, low)))
        at_best = measure(*(best or _filled(before, after, low, high)))
        found = at_worst if is_missing.all() else measure(before, after)
    else:
        found = at_worst = at_best = measure(before, after)
    inner = found.interval
    both = Interval(inner.value, at_worst.interval.low, at_best.interval.high)
    outcome: Outcome = "pass" if both.low > -margin else "fail" if both.high < -margin else "undecided"
    more = None
    if outcome == "undecided" and not is_missing.all():
        more = _more(inner, found.n, lambda reach: _says_which_side(abs(inner.value + margin), reach, confidence))
    return Gate(outcome, both, margin, at_worst.n, int(is_missing.sum()), more, found.method, confidence)


class _Seen(Struct, frozen=True):
    interval: Interval
    n: int
    method: str


def _tested(before: ArrayLike, after: ArrayLike, *, confidence: float, **settings: Any) -> _Seen:
    found = difference(before, after, (confidence,), **settings)
    return _Seen(found.intervals[0], found.n, found.method)


def _bet(
    before: Numbers,
    after: Numbers,
    *,
    confidence: float,
    clusters: ArrayLike | None,
    weights: ArrayLike | None,
    bounds: tuple[float, float] | None,
    seed: int,
) -> _Seen:
    del seed  # nothing is drawn
    if weights is not None:
        raise ValueError("bets are for cases that weigh the same")
    is_there = ~np.isnan(before - after)
    bounds = bounds or usual_bounds(np.concatenate([before[is_there], after[is_there]]))
    found = guaranteed(before, after, clusters=clusters, confidence=confidence, bounds=bounds)
    return _Seen(found, int(is_there.sum()), BETTING)


def check_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"a margin from 0 up is wanted, not {margin}")


def _known_bounds(before: Numbers, after: Numbers, bounds: tuple[float, float] | None) -> tuple[float, float]:
    if bounds is not None:
        return bounds
    both = np.concatenate([before, after])
    there = both[~np.isnan(both)]
    low, high = usual_bounds(there) if len(there) else (0.0, 1.0)
    if not np.isfinite([low, high]).all():
        raise ValueError("scores are missing, and how bad they may be is not known: bounds are wanted")
    return low, high


def _filled(before: Numbers, after: Numbers, base: float, candidate: float) -> tuple[Numbers, Numbers]:
    return np.where(np.isnan(before), base, before), np.where(np.isnan(after), candidate, after)


def _more(inner: Interval, n: int, chance: Callable[[float], float]) -> int | None:
    """How many more cases it takes until `chance`, of an interval that reaches so far to each side, is LIKELY.

    The interval shrinks with the root of the number of cases; the difference is supposed to be the one that was seen.
    """
    reach = (inner.high - inner.low) / 2
    if not (math.isfinite(reach) and reach > 0):
        return None
    low, high = n, n
    while chance(reach * math.sqrt(n / high)) < LIKELY:
        low, high = high, high * 2
        if high > TOO_MANY:
            return None
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        is_enough = chance(reach * math.sqrt(n / middle)) >= LIKELY
        low, high = (low, middle) if is_enough else (middle, high)
    return max(1, high - n)


def _says_something(seen: float, reach: float, margin: float, confidence: float) -> float:
    """How probably an interval that reaches so far excludes 0 or lies within the margin."""
    z = float(special.ndtri(confidence))
    error = reach / z

    def below(bound: float) -> float:
        return float(special.ndtr((bound - seen) / error))

    differs = below(-reach) + 1 - below(reach)
    if margin <= reach:
        return differs
    inner, outer = min(reach, margin - reach), margin - reach
    return differs + max(0.0, below(inner) - below(-inner)) if outer <= reach else 1.0


def _says_which_side(distance: float, reach: float, confidence: float) -> float:
    """How probably an interval that reaches so far excludes what lies so far away."""
    z = float(special.ndtri(confidence))
    return float(special.ndtr(z * (distance / reach - 1)))
