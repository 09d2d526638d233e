"""Coverage for graded scores, of many shapes: means, and paired differences."""

import numpy as np

from calibration.rows import Goal, Row, Task, at_least, at_most, share, times
from fairlead.stats.means import mean
from fairlead.stats.paired import paired

COUNTS = (30, 100, 300)
MEANS = (0.5, 0.9, 0.98)
SHAPES = ("beta 4", "beta 20", "right or graded", "scattered grades")
HARDEST = ("beta 1",)  # nearly always right, hardly ever exactly: shown beside
RUNS = 300
SHIFT = 0.02


def tasks() -> list[Task]:
    return [
        Task("scores", measure, (shape, count, middle))
        for shape in (*SHAPES, *HARDEST)
        for count in sorted(COUNTS, reverse=True)
        for middle in MEANS
    ]


def measure(shape: str, count: int, middle: float) -> list[Row]:
    rng = np.random.default_rng([count, int(1000 * middle), len(shape)])
    held = apart = 0
    for _ in range(times(RUNS)):
        scores = drawn(rng, shape, middle, count)
        interval = mean(scores)
        held += interval.low <= middle <= interval.high
        other = _shifted(rng, scores, middle)
        difference = paired(scores, other).difference
        apart += difference.low <= -SHIFT * middle <= difference.high
    where, counted = f"{shape}, n = {count}, mean {middle}", shape not in HARDEST
    return [share("means", where, held, times(RUNS), counted), share("differences", where, apart, times(RUNS), counted)]


def goals(rows: list[Row]) -> list[Goal]:
    found = []
    for part, name in (("means", "the mean of graded scores"), ("differences", "a paired difference of graded scores")):
        of = [row for row in rows if row.part == part and row.counted]
        average = Row(part, "all shapes", float(np.mean([row.value for row in of])))
        found.append(at_least(f"{name}: its 95 % interval covers", of, 0.93))
        found.append(at_most(f"{name}: on average it covers", [average], 0.97))
    return found


def drawn(rng: np.random.Generator, shape: str, middle: float, count: int) -> np.ndarray:
    """Scores from 0 to 1 with the mean `middle`."""
    if shape.startswith("beta"):
        scale = float(shape.split()[1])
        return rng.beta(middle * scale, (1 - middle) * scale, count)
    if shape == "right or graded":
        return np.where(rng.random(count) < 2 * middle - 1, 1.0, rng.random(count))
    if shape == "five grades":
        return rng.binomial(4, middle, count) / 4
    return rng.binomial(4, rng.beta(2 * middle, 2 * (1 - middle), count)) / 4


def _shifted(rng: np.random.Generator, scores: np.ndarray, middle: float) -> np.ndarray:
    """A candidate that loses SHIFT of its score on average: a tenth of the items lose a fifth each on average."""
    factor = np.where(rng.random(len(scores)) < 0.1, 1 - rng.random(len(scores)) * 20 * SHIFT, 1.0)
    return scores * factor
