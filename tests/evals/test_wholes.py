"""What is known of a whole set of answers only: macro-F1, confusions, pass@k."""

import json
from typing import Any

import pytest

from fairlead.evals.wholes import Confused, wholes
from fairlead.scoring.label import NONE
from fairlead.store.evals.answers import ScoreRow


def row(item: str, value: float | None, repeat: int = 0, candidate: str = "c", **reasons: Any) -> ScoreRow:
    said = json.dumps(reasons)
    return ScoreRow(run="r", candidate=candidate, item=item, repeat=repeat, metric="m", value=value, reasons=said)


def test_labels_have_a_confusion_and_a_target_that_failed_named_none() -> None:
    rows = [
        row("1", 1, label="a", gold="a"),
        row("2", 0, label="b", gold="a"),
        row("3", 1, label="b", gold="b"),
        row("4", 0, status="timeout"),
        row("4", 1, candidate="other", label="b", gold="b"),
        row("5", None),
    ]
    found = wholes(rows, "c")["m"]
    assert set(found.confusion) == {
        Confused("a", "a", 1),
        Confused("a", "b", 1),
        Confused("b", "b", 1),
        Confused("b", NONE, 1),
    }
    assert found.macro_f1 == pytest.approx((2 / 3 + 0.5) / 2)
    assert wholes(rows, "other")["m"].macro_f1 == 1


def test_repeats_have_pass_at_k() -> None:
    rows = [row("1", float(n == 0), n) for n in range(4)] + [row("2", 0.0, n) for n in range(5)]
    assert wholes(rows, "c")["m"].pass_at == {1: 0.125, 2: 0.25, 3: 0.375, 4: 0.5}


def test_of_graded_scores_asked_once_nothing_more_is_known() -> None:
    assert wholes([row("1", 0.5), row("1", 0.5, 1)], "c") == {}
    assert wholes([row("1", 1)], "c") == {}


def test_cases_that_may_not_be_shown_are_left_out() -> None:
    rows = [row("1", 1, label="a", gold="a"), row("2", 0, label="a", gold="b")]
    assert wholes(rows, "c", {"2"})["m"].confusion == (Confused("a", "a", 1),)
