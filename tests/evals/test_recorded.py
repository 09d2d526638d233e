"""Runs as score tables."""

import math
from pathlib import Path

import pytest

from fairlead.errors import NotFound
from fairlead.evals.recorded import table_of
from fairlead.store.evals import runs
from fairlead.store.evals.answers import AnswerRow, ScoreRow, write_answers
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.runs import ItemRow, RunRow, SuiteRow

RUN = "0" * 31 + "1"


def test_a_run_is_a_table_with_its_cases_its_scores_and_what_is_missing(tmp_path: Path) -> None:
    with open_evals(tmp_path) as store:
        with store.begin() as connection:
            suite = SuiteRow(hash="s", name="n", at_us=1, zone="private", declared="{}")
            items = [
                ItemRow(
                    suite="s", id="a", content_hash="ca", gold_version="ga", cluster="doc", tags=("t",), weight=2.0
                ),
                ItemRow(suite="s", id="b", content_hash="cb", gold_version="gb", holdout=True, asked="q", wanted="w"),
            ]
            runs.note_suite(connection, suite, items)
            row = RunRow(id=RUN, suite="s", name="n", split="all", at_us=1, planned=4, plan="{}")
            runs.new_run(connection, row)
        with pytest.raises(NotFound, match="nothing was answered"):
            table_of(store, RUN)
        with store.begin() as connection:
            usual = {"run": RUN, "item": "a", "candidate": "x"}
            write_answers(
                connection,
                [
                    AnswerRow(**usual, at_us=1, text="one", cost_nusd=5, took_us=7),
                    AnswerRow(**usual, repeat=1, at_us=1, status="failed"),
                    AnswerRow(**{**usual, "item": "b", "candidate": "y"}, at_us=1, text="two", cost_nusd=6),
                ],
                [
                    ScoreRow(**usual, metric="exact", value=1.0),
                    ScoreRow(**usual, repeat=1, metric="exact", value=0.0),
                    ScoreRow(**{**usual, "item": "b", "candidate": "y"}, metric="exact", value=None, why="it broke"),
                    ScoreRow(**usual, metric="judge", value=None, why="it broke"),
                ],
            )
        table = table_of(store, "last", texts=True)
    assert table.candidates == ("x", "y") and table.item.tolist() == ["a", "a", "b"]
    assert table.metrics["exact"][:2].tolist() == [1.0, 0.0] and math.isnan(table.metrics["exact"][2])
    assert all(math.isnan(value) for value in table.metrics["judge"])
    assert table.cluster.tolist() == ["doc", "doc", ""] and table.weight.tolist() == [2.0, 2.0, 1.0]
    assert table.holdout.tolist() == [False, False, True] and table.status.tolist() == ["ok", "failed", "ok"]
    assert table.cost_nusd.tolist() == [5, -1, 6] and table.latency_us.tolist() == [7, -1, -1]
    assert table.content_hash.tolist() == ["ca", "ca", "cb"] and table.repeat.tolist() == [0, 1, 0]
    assert table.said.tolist() == ["", "", "two"]  # what its licence keeps out of reports is not shown
