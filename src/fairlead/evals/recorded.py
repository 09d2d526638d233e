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
        rows = joined(connection, run.id)
        scores = values(connection, run.id)
    if not rows:
        raise NotFound(f"nothing was answered in run {run.id} yet", hint="resume it")
    places = {(row.candidate, row.item, row.repeat, row.turn): at for at, row in enumerate(rows)}
    metrics: dict[str, np.ndarray] = {}
    for candidate, item, repeat, turn, metric, value in scores:
        at = places.get((candidate, item, repeat, turn))
        if at is not None and value is not None:
            if metric not in metrics:
                metrics[metric] = np.full(len(rows), math.nan)
            metrics[metric][at] = value
    for metric in {score[4] for score in scores} - metrics.keys():
        metrics[metric] = np.full(len(rows), math.nan)
    return ScoreTable.of(
        [row.item for row in rows],
        [row.candidate for row in rows],
        metrics,
        repeat=[row.repeat for row in rows],
        turn=[row.turn for row in rows],
        cluster=[row.cluster for row in rows],
        tags=[row.tags for row in rows],
        weight=[row.weight for row in rows],
        content_hash=[row.content_hash for row in rows],
        gold_version=[row.gold_version for row in rows],
        holdout=[row.holdout for row in rows],
        status=[row.status for row in rows],
        cost_nusd=[UNKNOWN if row.cost_nusd is None else row.cost_nusd for row in rows],
        latency_us=[row.took_us or UNKNOWN for row in rows],
        asked=[row.asked for row in rows],
        wanted=[row.wanted for row in rows],
        said=[row.text if row.asked else "" for row in rows],
    )
