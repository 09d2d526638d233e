"""Score tables that tests write by hand: right and wrong answers of two candidates to the same cases."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fairlead.evals.comparing import Rules
from fairlead.evals.results import ScoreTable, joined
from fairlead.evals.suite import Metric

NAN = float("nan")


def answers(candidate: str, scores: Sequence[float], metric: str = "right", **columns: Any) -> ScoreTable:
    items = columns.pop("item", [f"c{number}" for number in range(len(scores))])
    return ScoreTable.of(items, [candidate] * len(scores), {metric: np.array(scores, float)}, **columns)


def discordant(count: int, wins: int, losses: int, **columns: Any) -> ScoreTable:
    """`old` and `new` on `count` cases, of which the new one wins and loses so many."""
    ties = count - wins - losses
    old = [0] * wins + [1] * losses + [1] * ties
    new = [1] * wins + [0] * losses + [1] * ties
    return joined([answers("old", old, **columns), answers("new", new, **columns)])


def rules(margin: float | None = 0.02, **more: Any) -> Rules:
    return Rules(primary=Metric(name="right", margin=margin), **more)
