"""Scores over the turns of a conversation."""

import pytest

from evals.scored import NAN, answers
from fairlead.evals.results import joined
from fairlead.evals.turns import by_turn, slope_difference


def test_the_slope_is_the_mean_of_the_cases_slopes() -> None:
    table = answers("a", [1, 0.5, 0, 1, 1, 1], item=["x", "x", "x", "y", "y", "y"], turn=[1, 2, 3, 1, 2, 3])
    found = by_turn(table, "a", "right")
    assert found is not None and found.slope is not None
    assert [(at.turn, at.mean.value, at.cases) for at in found.turns] == [(1, 1.0, 2), (2, 0.75, 2), (3, 0.5, 2)]
    assert found.slope.value == pytest.approx(-0.25) and found.cases == 2


def test_a_case_with_one_turn_has_no_slope_and_missing_turns_are_left_out() -> None:
    table = answers("a", [1, 0, 1, NAN, 1], item=["x", "x", "y", "y", "z"], turn=[1, 2, 1, 2, 1])
    found = by_turn(table, "a", "right")
    assert found is not None and found.slope is None and found.turns[1].cases == 1


def test_without_turns_there_is_nothing_to_tell() -> None:
    assert by_turn(answers("a", [1, 0]), "a", "right") is None


def test_slopes_are_compared_case_by_case() -> None:
    rows = {"item": [f"c{at // 2}" for at in range(20)], "turn": [1, 2] * 10}
    table = joined([answers("a", [1, 1] * 10, **rows), answers("b", [1, 0] * 5 + [1, 1] * 5, **rows)])
    found = slope_difference(table, "a", "b", "right")
    assert found is not None and found.difference.value == pytest.approx(-0.5) and found.n == 10
