"""Bias and coverage of people's means that a judge makes sharper: a judge who is off by 20 points."""

import numpy as np

from calibration.rows import Goal, Row, Task, at_least, at_most, share
from fairlead.stats.ppi import ppi_difference, ppi_mean

RUNS = 10_000
IN_PARTS = 10
ITEMS, LABELS = 500, 100
TRUE, OTHER = 0.6, 0.65  # shares that people call right: of the base, of the candidate
LENIENT = (0.545, 0.97)  # how often the judge calls wrong and right answers right: 80 % of the base's


def tasks() -> list[Task]:
    return [Task("judged", measure, (part,)) for part in range(IN_PARTS)]


def measure(part: int) -> list[Row]:
    """Sums over some of the runs; put together in `goals`."""
    rng, runs = np.random.default_rng([part, ITEMS]), RUNS // IN_PARTS
    means, differences = np.empty((runs, 2)), np.empty((runs, 2))
    for run in range(runs):
        easy = rng.random(ITEMS)
        truths = [_called(rng, easy, share) for share in (TRUE, OTHER)]
        judged = [np.where(rng.random(ITEMS) < np.take(LENIENT, truth), 1.0, 0.0) for truth in truths]
        is_labelled = rng.permutation(ITEMS) < LABELS
        labels = [np.where(is_labelled, truth, np.nan) for truth in truths]
        one = ppi_mean(judged[0], labels[0], seed=run).interval
        both = ppi_difference(*judged, *labels, seed=run).interval
        means[run] = one.value - TRUE, not one.excludes(TRUE)
        differences[run] = both.value - (OTHER - TRUE), not both.excludes(OTHER - TRUE)
    rows = []
    for what, found in (("mean", means), ("difference", differences)):
        rows.append(Row("judged bias", what, float(found[:, 0].mean()), float(found[:, 0].std() / np.sqrt(runs))))
        rows.append(share("judged", what, int(found[:, 1].sum()), runs))
    return rows


def goals(rows: list[Row]) -> list[Goal]:
    biases, covered = [], []
    for what in ("mean", "difference"):
        bias = [row for row in rows if row.part == "judged bias" and row.what == what]
        error = float(np.sqrt(np.mean([row.error**2 for row in bias]) / len(bias)))
        biases.append(Row("judged bias", what, abs(float(np.mean([row.value for row in bias]))), error))
        hits = sum(row.value for row in rows if row.part == "judged" and row.what == what) / IN_PARTS
        covered.append(share("judged", what, round(hits * RUNS), RUNS))
    return [
        at_most("bias of a mean that a judge, off by 20 points, makes sharper", biases, 0.005),
        at_least("its 95 % interval covers", covered, 0.93),
        at_most("its 95 % interval covers", covered, 0.97),
    ]


def _called(rng: np.random.Generator, easy: np.ndarray, share: float) -> np.ndarray:
    """Right or wrong: half of the items by how easy they are for everybody, the rest by themselves."""
    own = np.where(rng.random(len(easy)) < 0.5, easy, rng.random(len(easy)))
    return (own < share).astype(int)
