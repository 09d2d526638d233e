"""Score tables: what a row is, what is refused, and how two candidates meet on the same cases."""

from typing import Any

import numpy as np
import pytest

from fairlead.errors import NotFound, RequestInvalid
from fairlead.evals.results import WHOLE, ScoreTable, joined

NAN = float("nan")


def table(items: str, scores: list[float], candidate: str = "a", **columns: Any) -> ScoreTable:
    return ScoreTable.of(list(items), [candidate] * len(items), {"right": scores}, **columns)


def test_what_is_not_given_is_what_is_usual() -> None:
    found = table("xy", [1, 0])
    assert len(found) == 2 and found.candidates == ("a",)
    assert found.status.tolist() == ["ok", "ok"] and found.weight.tolist() == [1.0, 1.0]
    assert found.cost_nusd.tolist() == [-1, -1] and found.tags.tolist() == [(), ()]


def test_a_row_that_is_there_twice_is_refused_with_its_id() -> None:
    with pytest.raises(RequestInvalid, match="2 cases are there twice for one candidate: x, z"):
        table("xyzxz", [1, 1, 1, 0, 0])


def test_repeats_with_numbers_are_no_duplicates() -> None:
    found = table("xxy", [1, 0, 1], repeat=[0, 1, 0]).scores("a", "right")
    assert found.item.tolist() == ["x", "y"] and found.value.tolist() == [0.5, 1.0]
    assert found.answers.tolist() == [2, 1]


def test_one_id_stands_for_one_content() -> None:
    with pytest.raises(RequestInvalid, match=r"case x .* stands for two contents"):
        table("xx", [1, 0], repeat=[0, 1], content_hash=["h", "i"])


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"weight": [1, -1]}, "weight"),
        ({"weight": [1, NAN]}, "weight"),
        ({"status": ["ok", "maybe"]}, "unknown status: maybe"),
        ({"cluster": ["c"]}, "2 rows, but 1 of cluster"),
    ],
)
def test_a_column_that_makes_no_sense_is_refused(columns: dict[str, Any], problem: str) -> None:
    with pytest.raises(RequestInvalid, match=problem):
        table("xy", [1, 0], **columns)


def test_an_infinite_score_is_refused() -> None:
    with pytest.raises(RequestInvalid, match="infinite, of case y"):
        table("xy", [1, float("inf")])


def test_unknown_candidates_and_metrics_are_told_with_what_is_there() -> None:
    with pytest.raises(NotFound) as no_candidate:
        table("x", [1]).scores("b", "right")
    assert "a" in no_candidate.value.hint
    with pytest.raises(NotFound) as no_metric:
        table("x", [1]).scores("a", "wrong")
    assert "right" in no_metric.value.hint


def test_what_is_missing_is_counted_and_bounded() -> None:
    found = table("xxy", [1, NAN, NAN], repeat=[0, 1, 0]).scores("a", "right")
    assert found.missing == 2
    assert found.value[0] == 1 and np.isnan(found.value[1])
    assert found.worst.tolist() == [0.5, 0.0] and found.best.tolist() == [1.0, 1.0]


def test_missing_scores_of_another_scale_are_bounded_by_it() -> None:
    found = table("xyz", [2, 9, NAN])
    assert found.scores("a", "right").worst[2] == 2
    assert found.scores("a", "right", bounds=(1, 10)).best[2] == 10


def test_pairs_are_aligned_and_what_has_no_partner_is_counted() -> None:
    both = joined([table("xyz", [1, 0, 1]), table("zyw", [0, 1, 1], "b")])
    pairs = both.paired("a", "b", "right")
    assert pairs.base.item.tolist() == pairs.candidate.item.tolist() == ["y", "z"]
    assert pairs.base.value.tolist() == [0, 1] and pairs.candidate.value.tolist() == [1, 0]
    assert (pairs.only_base, pairs.only_candidate, pairs.is_whole) == (1, 1, False)


def test_a_join_rests_on_id_content_and_gold() -> None:
    before = table("xyz", [1, 1, 1], content_hash=["1", "2", ""], gold_version=["g", "g", "g"])
    after = table("xyz", [0, 0, 0], "b", content_hash=["1", "3", "4"], gold_version=["g", "g", "g"])
    pairs = joined([before, after]).paired("a", "b", "right")
    assert pairs.base.item.tolist() == ["x", "z"]
    assert (pairs.changed, pairs.by_id) == (1, 1)


def test_a_changed_gold_answer_is_another_case() -> None:
    pairs = joined([table("x", [1], gold_version=["1"]), table("x", [1], "b", gold_version=["2"])])
    assert pairs.paired("a", "b", "right").changed == 1


def test_clusters_are_codes_and_a_case_without_one_is_its_own() -> None:
    found = table("wxyz", [1, 1, 0, 0], cluster=["c", "c", "", ""]).scores("a", "right")
    assert found.clusters is not None and found.clusters.tolist() == [0, 0, 1, 2]
    assert table("xy", [1, 1], cluster=["c", "d"]).scores("a", "right").clusters is None


def test_a_cluster_that_only_one_side_knows_counts() -> None:
    pairs = joined([table("xy", [1, 1]), table("xy", [1, 0], "b", cluster=["c", "c"])]).paired("a", "b", "right")
    assert pairs.clusters is not None and pairs.clusters.tolist() == [0, 0]


def test_a_case_of_many_turns_is_their_mean_unless_it_has_a_score_of_its_own() -> None:
    turns = table("xxyy", [1, 0, 1, 1], turn=[1, 2, 1, 2])
    assert turns.scores("a", "right").value.tolist() == [0.5, 1.0]
    whole = joined([turns, table("xy", [0, 1], turn=[WHOLE, WHOLE])])
    assert whole.scores("a", "right").value.tolist() == [0.0, 1.0]


def test_a_metric_that_one_table_lacks_is_missing_there() -> None:
    other = ScoreTable.of(["x"], ["b"], {"length": [3.0]})
    both = joined([table("x", [1]), other])
    assert np.isnan(both.metrics["length"][0]) and both.metrics["length"][1] == 3
