"""Runs as score tables: what stands in the store becomes what comparisons, gates and reports work on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fairlead.errors import NotFound
from fairlead.evals.results import UNKNOWN, Objects, ScoreTable
from fairlead.store.evals.answers import columns_of, values_of
from fairlead.store.evals.runs import find_run, item_columns
from fairlead.store.opening import Store

OF_CASE = "id content_hash gold_version cluster tags weight holdout".split()
TEXTS = ("asked", "wanted")
NOWHERE = -1


def table_of(store: Store, ref: str, *, texts: bool = False) -> ScoreTable:
    """All that was answered in a run, with its scores; a metric that an answer has no score of is NaN there. `texts`:
    also what was asked, wanted and said, as far as its licence lets it be shown.

    `ref` is its id, or as much of it as names no other, or `last`. Raises NotFound.
    """
    with store.read() as connection:
        run = find_run(connection, ref)
        answers = columns_of(connection, run.id, texts=texts)
        cases = item_columns(connection, run.suite, (*OF_CASE, *(TEXTS if texts else ())))
        scores = values_of(connection, run.id)
    places = {id: place for place, id in enumerate(cases.pop("id"))}
    items = answers.pop("item")
    at = np.fromiter((places.get(item, NOWHERE) for item in items), np.int64, len(items))
    if not (at != NOWHERE).any():
        raise NotFound(f"nothing was answered in run {run.id} yet", hint="resume it")
    beside = {name: _column(values)[at] for name, values in cases.items()}
    if texts:
        said = _column(answers.pop("text"))
        beside["said"] = np.where(beside["asked"] == "", "", said)
    table = ScoreTable.of(
        items,
        answers.pop("candidate"),
        {metric: np.array(values, np.float64) for metric, values in scores.items()},
        cost_nusd=[UNKNOWN if cost is None else cost for cost in answers.pop("cost_nusd")],
        latency_us=[took or UNKNOWN for took in answers.pop("took_us")],
        **answers,
        **beside,
    )
    return table if (at != NOWHERE).all() else table.where(at != NOWHERE)


def _column(values: Sequence[Any]) -> Objects:
    return np.fromiter(values, np.object_, len(values))
