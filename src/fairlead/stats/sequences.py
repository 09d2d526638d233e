"""Looking early: a difference whose interval may be read at any time, as often as one likes.

An interval for a number of cases that was set before is wrong in 1 of 20 cases, once; who looks ten times, and stops
when it suits him, is wrong far oftener. A sequence stays right over all looks together. Knows nothing of who is
compared.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from fairlead.stats.betting import lower_bound
from fairlead.stats.columns import Numbers, column, pairs
from fairlead.stats.decisions import Outcome, check_margin
from fairlead.stats.intervals import Interval
from fairlead.stats.paired import inner_confidence, paired

EARLY = 0.1  # of the error that is allowed is spent on looks before the planned end, where there is one


class Sequence:
    """An interval of the difference, candidate minus base, that gets narrower as cases come.

    Each of its bounds is wrong, at any look, with a probability of at most 1 - `confidence` (one-sided, as a gate's).
    Without a plan that is betting's (Waudby-Smith and Ramdas 2024). With `planned` cases, a tenth of that error is
    spent on looks before them, and the rest on the test that a gate makes at the end: looking early then costs next to
    nothing, and decides early only what is plain. Scores lie within `bounds`; no cluster has more than `largest` cases.
    """

    def __init__(
        self,
        *,
        planned: int | None = None,
        confidence: float = 0.95,
        bounds: tuple[float, float] = (0.0, 1.0),
        largest: int = 1,
        seed: int = 0,
    ) -> None:
        inner_confidence(confidence)
        if planned is not None and planned < 1:
            raise ValueError(f"at least one case must be planned, not {planned}")
        if largest < 1:
            raise ValueError(f"the largest cluster has one case at least, not {largest}")
        if not (math.isfinite(bounds[0]) and bounds[0] < bounds[1] < math.inf):
            raise ValueError(f"bounds that are numbers are wanted, the smaller first, not {bounds[0]} and {bounds[1]}")
        self._planned, self._confidence, self._largest, self._seed = planned, confidence, largest, seed
        self._bounds = bounds
        self._sums, self._sizes = np.empty(0), np.empty(0)
        self._base, self._candidate, self._clusters = np.empty(0), np.empty(0), np.empty(0, np.int64)
        self._low, self._high = -1.0, 1.0  # of a difference of scores from 0 to 1
        self._has_ended = False
        self.looks = 0

    @property
    def n(self) -> int:
        return len(self._base)

    def add(self, base: ArrayLike, candidate: ArrayLike, *, clusters: ArrayLike | None = None) -> Interval:
        """The interval with these cases as well, which counts as a look. Clusters come whole. Pairs of which one is
        missing are left out. Raises ValueError for scores outside of the bounds, and clusters that are too large."""
        before, after = (self._units(part) for part in pairs(base, candidate))
        is_there = ~(np.isnan(before) | np.isnan(after))
        if is_there.any():
            self._take(before[is_there], after[is_there], None if clusters is None else np.asarray(clusters)[is_there])
        self.looks += 1
        self._look()
        return self.interval

    @property
    def interval(self) -> Interval:
        """What all looks so far leave over."""
        unit = self._bounds[1] - self._bounds[0]
        seen = float((self._candidate - self._base).mean()) if self.n else 0.0
        low, high = min(self._low, self._high), max(self._low, self._high)
        return Interval(unit * seen, unit * low, unit * high)

    def outcome(self, margin: float) -> Outcome:
        """As a gate has it: pass when the low bound lies above -margin, fail when the high one lies below it."""
        check_margin(margin)
        interval = self.interval
        return "pass" if interval.low > -margin else "fail" if interval.high < -margin else "undecided"

    def _units(self, values: Numbers) -> Numbers:
        low, high = self._bounds
        there = values[~np.isnan(values)]
        if len(there) and not (low <= there.min() and there.max() <= high):
            raise ValueError(f"a score lies outside of {low} to {high}")
        return (values - low) / (high - low)

    def _take(self, before: Numbers, after: Numbers, clusters: np.ndarray | None) -> None:
        found = column((after - before + 1) / 2, clusters)
        sums, sizes = found.sums()
        if sizes.max() > self._largest:
            raise ValueError(f"a cluster has {sizes.max():.0f} cases, and {self._largest} were said to be the most")
        codes = np.arange(len(found)) if found.clusters is None else found.clusters
        self._clusters = np.concatenate([self._clusters, codes + len(self._sums)])
        self._base, self._candidate = np.concatenate([self._base, before]), np.concatenate([self._candidate, after])
        self._sums = np.concatenate([self._sums, sums / self._largest])
        self._sizes = np.concatenate([self._sizes, sizes / self._largest])

    def _look(self) -> None:
        if not self.n:
            return
        error = (1 - self._confidence) * (1.0 if self._planned is None else EARLY)
        horizon = None if self._planned is None else -(-self._planned // self._largest)
        self._narrow(
            2 * lower_bound(self._sums, self._sizes, error, horizon) - 1,
            1 - 2 * lower_bound(self._sizes - self._sums, self._sizes, error, horizon),
        )
        if self._planned is not None and self.n >= self._planned and not self._has_ended:
            self._has_ended = True
            self._end(1 - (1 - self._confidence) * (1 - EARLY), self._planned)

    def _end(self, confidence: float, planned: int) -> None:
        """The cases that were planned: where clusters came along, with the rest of the last one."""
        last = self._clusters[planned - 1]
        is_planned = self._clusters <= last
        found = paired(
            self._base[is_planned],
            self._candidate[is_planned],
            clusters=self._clusters[is_planned],
            confidence=confidence,
            bounds=(0.0, 1.0),
            seed=self._seed,
        )
        self._narrow(found.inner.low, found.inner.high)

    def _narrow(self, low: float, high: float) -> None:
        self._low, self._high = max(self._low, low), min(self._high, high)
