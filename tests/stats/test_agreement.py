"""Agreement is what the literature and a peer have, and what sways a judge is found."""

import math

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from fairlead.stats.agreement import agreement, both_orders, kappa, length_bias, length_slope, position_bias


def raters(rng: np.random.Generator, items: int, same: float, steps: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Two who agree on a share of items, and else say anything."""
    first = rng.integers(steps, size=items)
    second = np.where(rng.random(items) < same, first, rng.integers(steps, size=items))
    return first.astype(float), second.astype(float)


@pytest.mark.parametrize("ordered", [False, True])
def test_kappa_and_its_error_are_those_of_statsmodels(ordered: bool) -> None:
    first, second = raters(np.random.default_rng(1), 4000, 0.6, 4)
    table = np.zeros((4, 4))
    np.add.at(table, (first.astype(int), second.astype(int)), 1)
    peer = cohens_kappa(table, wt="quadratic" if ordered else None)
    mine = kappa(first, second, ordered=ordered)
    assert mine.value == pytest.approx(peer.kappa, abs=1e-12)
    assert (mine.high - mine.low) / (2 * 1.9605) == pytest.approx(peer.std_kappa, rel=0.002)


@pytest.mark.parametrize(("items", "same"), [(60, 0.8), (60, 0.4), (200, 0.9)])
def test_19_of_20_intervals_of_kappa_hold_the_truth(items: int, same: float) -> None:
    rng = np.random.default_rng(items)
    found = [kappa(*raters(rng, items, same)) for _ in range(1500)]
    assert 0.93 < np.mean([one.low <= same <= one.high for one in found]) < 0.98


def test_raters_who_never_differ_are_not_known_never_to_differ() -> None:
    same = np.array([0.0, 1.0] * 10)
    found = kappa(same, same)
    assert (found.value, found.high) == (1, 1)
    assert found.low < 0.75


def test_of_raters_with_one_word_nothing_is_known() -> None:
    found = kappa(np.ones(20), np.ones(20))
    assert math.isnan(found.value)
    assert (found.low, found.high) == (-1, 1)


def test_agreement_is_a_share() -> None:
    found = agreement(np.array([1.0, 0, 1, 1]), np.array([1.0, 0, 0, 1]))
    assert found.value == 0.75
    assert found.low > 0.29


def test_a_judge_who_likes_length_is_found_out() -> None:
    rng = np.random.default_rng(2)
    lengths = rng.integers(50, 2000, size=(2, 400)).astype(float)
    people = (rng.random(400) < 0.5).astype(float)
    swayed = np.where(rng.random(400) < 0.5, lengths[0] > lengths[1], people).astype(float)
    assert length_bias(swayed, people, *lengths).longer.low > 0.1
    fair = np.where(rng.random(400) < 0.2, 1 - people, people)
    assert not length_bias(fair, people, *lengths).longer.excludes(0)


def test_what_length_adds_to_a_score_is_found() -> None:
    rng = np.random.default_rng(3)
    lengths = rng.integers(50, 2000, size=300).astype(float)
    people = rng.random(300)
    judged = people + 0.05 * np.log2(lengths) + rng.normal(0, 0.1, 300)
    found = length_slope(judged, people, lengths)
    assert found.low < 0.05 < found.high < 0.07
    assert not length_slope(people + rng.normal(0, 0.1, 300), people, lengths).excludes(0)


def test_a_judge_who_likes_the_first_place_is_found_out() -> None:
    always_first = position_bias(np.ones(100), np.zeros(100))
    assert always_first.consistent.value == 0
    assert always_first.first.value == 1
    fair = np.array([0.0, 1.0] * 50)
    steady = position_bias(fair, fair)
    assert steady.consistent.value == 1
    assert steady.first.value == 0.5


def test_a_verdict_that_changes_with_the_order_counts_a_half() -> None:
    given, swapped = np.array([1.0, 0.0, 1.0, 0.5]), np.array([1.0, 0.0, 0.0, 0.5])
    assert both_orders(given, swapped).tolist() == [1.0, 0.0, 0.5, 0.5]


def test_columns_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        agreement(np.ones(3), np.ones(4))
