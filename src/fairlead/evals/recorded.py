"""Runs as score tables: what stands in the store becomes what comparisons, gates and reports work on."""

import math

import numpy as np

from fairlead.errors import NotFound
from fairlead.evals.results import UNKNOWN, ScoreTable
from fairlead.store.evals.answers import joined, values
from fairlead.store.evals.runs import find_run
from fairlead.store.opening import Store


def table_of(store: Store, ref: str) -> ScoreTable:
    """All that was answered in a run, with its scores; a metric that an answer has no score of is NaN there.

    `ref` is its id, or as much of it as names no other, or `last`. Raises NotFound.
    """
    with store.read() as connection:
        run = find_run(connection, ref)
        found = joined(connection, run.id)
        scores = values(connection, run.id)
    if not found["item"]:
        raise NotFound(f"nothing was answered in run {run.id} yet", hint="resume it")
    keys = zip(found["candidate"], found["item"], found["repeat"], found["turn"], strict=True)
    places = {key: at for at, key in enumerate(keys)}
    metrics = {metric: np.full(len(places), math.nan) for metric in dict.fromkeys(score[4] for score in scores)}
    for candidate, item, repeat, turn, metric, value in scores:
        at = places.get((candidate, item, repeat, turn))
        if at is not None and value is not None:
            metrics[metric][at] = value
    said = [text if asked else "" for text, asked in zip(found.pop("text"), found["asked"], strict=True)]
    costs = [UNKNOWN if cost is None else cost for cost in found.pop("cost_nusd")]
    times = [took or UNKNOWN for took in found.pop("took_us")]
    items, candidates = found.pop("item"), found.pop("candidate")
    return ScoreTable.of(items, candidates, metrics, cost_nusd=costs, latency_us=times, said=said, **found)
