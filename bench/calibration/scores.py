"""Coverage for graded scores, of many shapes: means, and paired differences.

Two kinds of candidates are compared with the base: one that is the same but for a tenth of the items, which fall, and
one whose scores have nothing to do with the base's, so that nearly all differ.
"""

import numpy as np

from calibration.rows import Goal, Row, Task, at_least, at_most, share, times
from fairlead.stats.means import mean
from fairlead.stats.paired import difference

COUNTS = (30, 100, 300)
MEANS = (0.5, 0.9, 0.98)
SHAPES = ("beta 1", "beta 4", "beta 20", "right or graded", "scattered grades")
HARDEST = ("rarely quite wrong",)  # what is in no sample is in no interval that is not wide for all: shown beside
RUNS = {30: 2000, 100: 1500, 300: 1200}
SHIFT = 0.02
CONFIDENCE = (0.95,)


def tasks() -> list[Task]:
    return [
        Task("scores", measure, (shape, count, middle))
        for shape in (*SHAPES, *HARDEST)
        for count in sorted(COUNTS, reverse=True)
        for middle in MEANS
    ]


def measure(shape: str, count: int, middle: float) -> list[Row]:
    rng, runs = np.random.default_rng([count, int(1000 * middle), len(shape)]), times(RUNS[count])
    held = fallen = apart = 0
    for _ in range(runs):
        scores = drawn(rng, shape, middle, count)
        held += not mean(scores).excludes(middle)
        (interval,) = difference(scores, _shifted(rng, scores), CONFIDENCE).intervals
        fallen += not interval.excludes(-SHIFT * middle)
        (interval,) = difference(scores, drawn(rng, shape, middle, count), CONFIDENCE).intervals
        apart += not interval.excludes(0)
    where, counted = f"{shape}, n = {count}, mean {middle}", shape not in HARDEST
    return [
        share("means", where, held, runs, counted),
        share("differences", f"a tenth falls: {where}", fallen, runs, counted),
        share("differences", f"nothing in common: {where}", apart, runs, counted),
    ]


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
    if shape == "rarely quite wrong":  # which is three quarters of what is lost; a quarter of the rest is a little off
        lost = 1 - middle
        slightly = 1 - lost * (rng.random(count) < 0.25)
        return np.where(rng.random(count) < 0.75 * lost / (1 - lost / 4), 0.0, slightly)
    if shape == "right or graded":
        return np.where(rng.random(count) < 2 * middle - 1, 1.0, rng.random(count))
    if shape == "five grades":
        return rng.binomial(4, middle, count) / 4
    return rng.binomial(4, rng.beta(2 * middle, 2 * (1 - middle), count)) / 4


def _shifted(rng: np.random.Generator, scores: np.ndarray) -> np.ndarray:
    """A candidate that loses SHIFT of its score on average: a tenth of the items lose a fifth each on average."""
    factor = np.where(rng.random(len(scores)) < 0.1, 1 - rng.random(len(scores)) * 20 * SHIFT, 1.0)
    return scores * factor
