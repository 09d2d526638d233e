"""Scores over the turns of a conversation: the mean at each turn, and how fast it falls, case by case.

A case's slope is that of the straight line through its own scores (least squares), so that hard and easy cases weigh
alike and the interval is one of cases, not of turns. Knows nothing of what was said.
"""

import numpy as np
from msgspec import Struct

from fairlead.evals.results import WHOLE, Counts, Numbers, ScoreTable, codes
from fairlead.stats.intervals import Interval
from fairlead.stats.means import mean
from fairlead.stats.paired import Paired, paired

FEWEST = 2  # turns that make a line, and cases that make an interval


class AtTurn(Struct, frozen=True):
    turn: int
    mean: Interval
    cases: int


class Turns(Struct, frozen=True):
    """`slope` is what a further turn changes, in the score's own unit; None where no two cases have two turns."""

    candidate: str
    metric: str
    turns: tuple[AtTurn, ...]
    slope: Interval | None
    cases: int


def by_turn(
    table: ScoreTable,
    candidate: str,
    metric: str,
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Turns | None:
    """None where the metric has no scores of single turns. Raises NotFound."""
    bounds = bounds or table.bounds(metric)
    rows = table.of_candidate(candidate)
    rows = rows.where((rows.turn != WHOLE) & ~np.isnan(rows.of_metric(metric)))
    if not len(rows):
        return None
    scores = rows.of_metric(metric)
    found = []
    for turn in np.unique(rows.turn):
        at = rows.where(rows.turn == turn).scores(candidate, metric, bounds)
        value = mean(at.value, clusters=at.clusters, confidence=confidence, bounds=bounds)
        found.append(AtTurn(int(turn), value, len(at)))
    items, slopes, clusters = _slopes(rows, scores)
    is_known = ~np.isnan(slopes)
    slope = None
    if is_known.sum() >= FEWEST:
        slope = mean(slopes, clusters=clusters, confidence=confidence, bounds=(-np.inf, np.inf))
    return Turns(candidate, metric, tuple(found), slope, len(items))


def slope_difference(
    table: ScoreTable, base: str, candidate: str, metric: str, confidence: float = 0.95
) -> Paired | None:
    """By how much the candidate's slope is above the base's, on the cases of which both have one; None: there are too
    few."""
    sides = []
    for name in (base, candidate):
        rows = table.of_candidate(name)
        rows = rows.where((rows.turn != WHOLE) & ~np.isnan(rows.of_metric(metric)))
        items, slopes, clusters = _slopes(rows, rows.of_metric(metric))
        sides.append((dict(zip(items, slopes, strict=True)), dict(zip(items, clusters, strict=True))))
    (before, cluster), (after, _) = sides
    both = [item for item in before if item in after and not np.isnan(before[item] + after[item])]
    if len(both) < FEWEST:
        return None
    return paired(
        [before[item] for item in both],
        [after[item] for item in both],
        clusters=[cluster[item] for item in both],
        confidence=confidence,
        bounds=(-np.inf, np.inf),
    )


def _slopes(rows: ScoreTable, scores: Numbers) -> tuple[list[str], Numbers, Counts]:
    """For each case its slope, NaN where it has one turn only, and the code of its cluster."""
    which, items = codes(rows.item.tolist())
    size = len(items)
    turn = rows.turn.astype(np.float64)
    count = np.bincount(which, minlength=size)
    middle = np.bincount(which, turn, minlength=size) / count
    level = np.bincount(which, scores, minlength=size) / count
    away = turn - middle[which]
    square = np.bincount(which, away**2, minlength=size)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(
            square > 0, np.bincount(which, away * (scores - level[which]), minlength=size) / square, np.nan
        )
    first = np.full(size, -1)
    first[which[::-1]] = np.arange(len(rows))[::-1]
    names = [cluster or ("", item) for cluster, item in zip(rows.cluster[first].tolist(), items, strict=True)]
    return items, slopes, codes(names)[0]
