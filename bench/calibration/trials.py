"""Coverage of a share's intervals: every outcome added up, so that nothing is left to chance."""

import numpy as np
from scipy import stats

from calibration.rows import Goal, Row, Task, at_least, at_most
from fairlead.stats.shares import METHODS, proportion

COUNTS = (30, 100, 300)
SHARES = (0.5, 0.9, 0.98)
AROUND = 0.02
POINTS = 81
LATTICE = "lattice"


def tasks() -> list[Task]:
    return [Task("shares", measure, (method, count)) for method in METHODS for count in COUNTS]


def measure(method: str, count: int) -> list[Row]:
    """For each share: the coverage there, the mean of it around there, and what the lattice allows."""
    intervals = [proportion(hits, count, method=method) for hits in range(count + 1)]
    low, high = np.array([one.low for one in intervals]), np.array([one.high for one in intervals])
    rows = []
    for share in SHARES:
        where = f"{method}, n = {count}, p = {share}"
        around = np.linspace(share - AROUND, min(1.0, share + AROUND), POINTS)
        covered = [_coverage(low, high, count, point) for point in around]
        rows.append(Row("shares", where, _coverage(low, high, count, share)))
        rows.append(Row("shares around", where, float(np.mean(covered))))
        rows.append(Row("shares at worst", where, float(np.min(covered)), counted=False))
        rows.append(Row(LATTICE, where, float(np.mean([_least(count, point) for point in around])), counted=False))
    return rows


def goals(rows: list[Row]) -> list[Goal]:
    """Clopper and Pearson's is conservative by design: it has a floor only."""
    exact, others = [[row for row in rows if ("clopper" in row.what) == is_exact] for is_exact in (True, False)]
    free = {row.what for row in rows if row.part == LATTICE and row.value <= 0.97}
    around = [row for row in others if row.part == "shares around" and row.what in free]
    return [
        at_least("a share's 95 % interval covers", [row for row in others if row.part == "shares"], 0.93),
        at_most("a share's interval, averaged over p ± .02, covers, where the lattice allows", around, 0.97),
        at_least(
            "Clopper-Pearson covers, anywhere in p ± .02",
            [Row(row.part, row.what, row.value) for row in exact if row.part == "shares at worst"],
            0.95,
        ),
    ]


def _coverage(low: np.ndarray, high: np.ndarray, count: int, share: float) -> float:
    hits = np.arange(count + 1)
    return float(stats.binom.pmf(hits, count, share)[(low <= share + 1e-12) & (share - 1e-12 <= high)].sum())


def _least(count: int, share: float) -> float:
    """The smallest coverage that is not below 95 % and that neighbouring outcomes can have at all."""
    total = np.concatenate([[0.0], np.cumsum(stats.binom.pmf(np.arange(count + 1), count, share))])
    within = total[None, :] - total[:, None]
    return float(within[within >= 0.95 - 1e-12].min())
