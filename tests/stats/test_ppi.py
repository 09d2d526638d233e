"""Prediction-powered inference: unbiased with a judge who is off, honest with few labels, as its peer has it."""

import numpy as np
import pytest
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate

from fairlead.stats.ppi import ppi_difference, ppi_mean, worth

TRUTH = 0.8
OFF = 0.2  # by how much the judge is below people, or above them for a favourite


def judged_and_labelled(
    rng: np.random.Generator, labels: int, others: int, truth: float = TRUTH
) -> tuple[np.ndarray, np.ndarray]:
    """A judge's probabilities, 60 % in the mean where people say 80 %, and people's verdicts on the first few."""
    right = (rng.random(labels + others) < truth).astype(float)
    judged = rng.beta(np.where(right, 3.5, 1.0), np.where(right, 1.5, 4.0))
    right[labels:] = np.nan
    return judged, right


def test_at_the_peers_lambda_the_estimate_and_its_width_are_the_peers() -> None:
    judged, labels = judged_and_labelled(np.random.default_rng(1), 300, 2000, 0.5)
    people, seen, unseen = labels[:300], judged[:300], judged[300:]
    mine = ppi_mean(judged, labels, lam=0.7)
    assert mine.interval.value == pytest.approx(ppi_mean_pointestimate(people, seen, unseen, lam=0.7).item(), abs=1e-12)
    low, high = ppi_mean_ci(people, seen, unseen, alpha=0.05, lam=0.7)
    assert mine.interval.high - mine.interval.low == pytest.approx((high - low).item(), rel=0.02)


def test_the_tuned_interval_is_that_of_the_peer_but_for_students_tails() -> None:
    judged, labels = judged_and_labelled(np.random.default_rng(2), 400, 4000, 0.5)
    judged = (judged > 0.7).astype(float)  # yes or no: where lambda is below 1, at which the peer cuts it off
    low, high = ppi_mean_ci(labels[:400], judged[:400], judged[400:], alpha=0.05)
    mine = ppi_mean(judged, labels)
    assert mine.interval.low == pytest.approx(low.item(), abs=0.003)
    assert mine.interval.high == pytest.approx(high.item(), abs=0.003)


def test_a_judge_who_is_off_by_20_points_leaves_no_bias_and_19_of_20_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(3)
    found = [ppi_mean(*judged_and_labelled(rng, 60, 340)) for _ in range(1500)]
    alone = np.mean([one.judge_alone for one in found])
    assert abs(np.mean([one.interval.value for one in found]) - TRUTH) < 0.005
    assert 0.93 < np.mean([one.interval.low <= TRUTH <= one.interval.high for one in found]) < 0.97
    assert alone == pytest.approx(TRUTH - OFF, abs=0.005)
    assert np.mean([one.effective for one in found]) > 75


def test_near_certainty_intervals_still_hold_the_truth_and_stay_below_one() -> None:
    rng = np.random.default_rng(4)
    found = [ppi_mean(*judged_and_labelled(rng, 60, 340, 0.98)) for _ in range(1500)]
    assert np.mean([one.interval.low <= 0.98 <= one.interval.high for one in found]) > 0.93
    assert all(one.interval.high <= 1 for one in found)


def test_labels_that_are_all_alike_are_not_taken_for_certain() -> None:
    judged = np.full(200, 0.9)
    labels = np.where(np.arange(200) < 60, 1.0, np.nan)
    found = ppi_mean(judged, labels).interval
    assert (found.value, found.high) == (1, 1)
    assert 0.92 < found.low < 0.96


def test_items_of_one_conversation_are_not_taken_for_independent() -> None:
    rng, held, naive = np.random.default_rng(5), 0, 0
    clusters = np.repeat(np.arange(60), 5)
    for _ in range(500):
        ease = rng.beta(1.6, 0.4, 60)[clusters]
        right = (rng.random(300) < ease).astype(float)
        judged = np.clip(right * 0.5 + rng.random(300) * 0.5, 0, 1)
        labels = np.full(300, np.nan)
        drawn = rng.permutation(300)[:100]
        labels[drawn] = right[drawn]
        one, other = ppi_mean(judged, labels, clusters=clusters).interval, ppi_mean(judged, labels).interval
        held += one.low <= TRUTH <= one.high
        naive += other.low <= TRUTH <= other.high
    assert held / 500 > 0.92 > naive / 500


def pairs(rng: np.random.Generator, labels: int, others: int, differing: float) -> tuple[np.ndarray, ...]:
    """Two candidates; the second is 2 points better, and the judge is 20 points too kind to it alone."""
    total = labels + others
    draw, both = rng.random(total), rng.random(total) < TRUTH
    base = np.where(draw < differing, draw >= differing / 2 + 0.01, both).astype(float)
    candidate = np.where(draw < differing, draw < differing / 2 + 0.01, both).astype(float)
    kind = [rng.beta(np.where(one, 3.5, 1.5), np.where(one, 1.5, 3.5)) for one in (base, candidate)]
    base[labels:] = candidate[labels:] = np.nan
    return kind[0], np.clip(kind[1] + OFF, 0, 1), base, candidate


def test_the_difference_is_corrected_of_a_judge_who_favours_one_candidate() -> None:
    rng = np.random.default_rng(6)
    found = [ppi_difference(*pairs(rng, 100, 300, 0.2)) for _ in range(1000)]
    assert np.mean([one.judge_alone for one in found]) > 0.1
    assert abs(np.mean([one.interval.value for one in found]) - 0.02) < 0.005
    assert 0.93 < np.mean([one.interval.low <= 0.02 <= one.interval.high for one in found]) < 0.975


def test_where_no_label_differs_the_difference_is_still_not_certain() -> None:
    same = np.where(np.arange(300) < 60, 1.0, np.nan)
    rng = np.random.default_rng(7)
    found = ppi_difference(rng.random(300), rng.random(300), same, same).interval
    assert found.low < -0.02 and found.high > 0.02


def test_below_50_labels_the_judge_is_left_out() -> None:
    judged, labels = judged_and_labelled(np.random.default_rng(8), 49, 400)
    found = ppi_mean(judged, labels)
    assert (found.method, found.lam, found.effective) == ("labels", 0.0, 49.0)
    assert found.interval.value == pytest.approx(np.nanmean(labels))
    assert ppi_mean(*judged_and_labelled(np.random.default_rng(8), 50, 400)).method == "ppi"


def test_below_10_labels_nothing_is_said() -> None:
    with pytest.raises(ValueError, match="9 labels say nothing"):
        ppi_mean(*judged_and_labelled(np.random.default_rng(9), 9, 400))


def test_a_judge_who_says_the_same_of_all_is_worth_nothing_and_costs_nothing() -> None:
    labels = np.where(np.arange(500) < 100, np.arange(500) % 3 > 0, np.nan)
    found = ppi_mean(np.full(500, 0.7), labels)
    assert found.effective == 100
    assert found.interval.value == pytest.approx(np.nanmean(labels))


def test_a_judge_who_sees_what_people_see_is_worth_nearly_all_his_verdicts() -> None:
    rng = np.random.default_rng(10)
    judged = rng.random(1000)
    labels = np.where(np.arange(1000) < 100, judged, np.nan)
    found = ppi_mean(judged, labels)
    assert found.effective > 800
    assert found.more is None


def test_so_many_more_labels_as_it_says_halve_the_interval() -> None:
    rng = np.random.default_rng(11)
    judged, _ = judged_and_labelled(rng, 0, 6000)
    right = (rng.random(6000) < judged * 0.8).astype(float)
    few = ppi_mean(judged, np.where(np.arange(6000) < 200, right, np.nan))
    assert few.more is not None
    many = ppi_mean(judged, np.where(np.arange(6000) < 200 + few.more, right, np.nan))
    shrunk = (many.interval.high - many.interval.low) / (few.interval.high - few.interval.low)
    assert shrunk == pytest.approx(0.5, rel=0.07)


def test_what_labels_are_worth_can_be_said_before_there_are_any() -> None:
    assert worth(100, 400, 0.0) == 100
    assert worth(100, 400, 1.0) == pytest.approx(500)
    assert worth(100, 400, 0.6) == pytest.approx(140.4, abs=0.1)


def test_weights_move_the_estimate_to_where_they_lie() -> None:
    labels = np.where(np.arange(400) < 100, np.arange(400) % 2, np.nan).astype(float)
    heavy = ppi_mean(np.full(400, 0.5), labels, weights=np.where(np.arange(400) % 2, 3.0, 1.0))
    assert heavy.interval.value == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("judged", "labels"),
    [
        (np.full(40, np.nan), np.ones(40)),
        (np.ones(40), np.full(40, 7.0)),
        (np.ones(40), np.ones(39)),
    ],
)
def test_what_cannot_be_corrected_is_refused(judged: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"verdict|labels lie"):
        ppi_mean(judged, labels)
