"""The mean of a column: Wilson's where scores are whole, and never surer than scores that hardly differ allow."""

import evalstats
import numpy as np
import pytest
from scipy import stats

from fairlead.stats.betting import guaranteed, guaranteed_mean
from fairlead.stats.clustered import estimate
from fairlead.stats.columns import column
from fairlead.stats.intervals import Interval, mean_share, score_interval, wilson
from fairlead.stats.means import mean
from fairlead.stats.paired import paired


def same(interval: Interval) -> Interval:
    return Interval(*(pytest.approx(part, abs=1e-9) for part in (interval.value, interval.low, interval.high)))


def test_right_or_wrong_is_wilsons() -> None:
    assert mean([1.0] * 27 + [0.0] * 3) == same(wilson(27, 30))
    theirs = evalstats.mean_ci(np.array([1.0] * 27 + [0.0] * 3))
    ours = mean([1.0] * 27 + [0.0] * 3)
    assert (ours.low, ours.high) == (pytest.approx(theirs.ci_low, abs=1e-6), pytest.approx(theirs.ci_high, abs=1e-6))


def test_shares_by_document_are_what_they_were_without_numpy() -> None:
    shares = [0.2, 0.8, 1.0, 1.0, 0.6, 1.0, 0.4, 0.8, 1.0, 0.6]
    ours, before = mean(shares), mean_share(shares)
    assert ours.low <= before.low + 1e-12
    assert ours.high >= before.high - 1e-12


def test_scores_that_are_all_the_same_tell_no_more_than_trials() -> None:
    assert mean([1.0] * 10) == same(wilson(10, 10))
    assert mean([0.5] * 10).low < 0.3
    assert mean([0.7]).high - mean([0.7]).low > 0.5


def test_clusters_of_one_mind_count_once() -> None:
    scores = np.array([1.0] * 30 + [0.0] * 10)
    together = mean(np.repeat(scores, 6), clusters=np.repeat(np.arange(40), 6))
    assert together.low == pytest.approx(wilson(30, 40).low, abs=0.01)
    assert together.high == pytest.approx(wilson(30, 40).high, abs=0.01)


def test_in_large_samples_it_is_students() -> None:
    scores = np.random.default_rng(1).beta(5, 2, 5000)
    theirs = stats.ttest_1samp(scores, 0).confidence_interval()
    ours = mean(scores)
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=3e-4), pytest.approx(theirs.high, abs=3e-4))


def test_scales_and_missing_scores() -> None:
    scores = np.random.default_rng(2).integers(1, 11, 40).astype(float)
    of_ten = mean(scores, bounds=(1, 10))
    unit = mean((scores - 1) / 9)
    assert of_ten.low == pytest.approx(1 + 9 * unit.low)
    assert mean(np.r_[scores, np.nan], bounds=(1, 10)) == same(of_ten)
    with pytest.raises(ValueError, match="outside"):
        mean(scores, bounds=(1, 5))
    assert mean([5.0, 5.0]).high == np.inf


def test_what_holds_for_any_distribution_is_wider_and_holds_it() -> None:
    rng, held = np.random.default_rng(3), 0
    for _ in range(200):
        scores = np.where(rng.random(60) < 0.96, 1.0, rng.random(60))  # the mean is 0.98
        found = guaranteed_mean(scores)
        held += found.low <= 0.98 <= found.high
    assert held >= 0.95 * 200
    base, candidate = rng.random(80), rng.random(80)
    sure, usual = guaranteed(base, candidate), paired(base, candidate).difference
    assert sure.low < usual.low < usual.high < sure.high
    tens = guaranteed(10 * base, 10 * candidate, bounds=(0, 10))
    assert tens.low == pytest.approx(10 * sure.low)
    with pytest.raises(ValueError, match="outside"):
        guaranteed(10 * base, candidate)
    with pytest.raises(ValueError, match="numbers are wanted"):
        guaranteed(base, candidate, bounds=(0, np.inf))


def test_one_item_that_is_a_little_off_does_not_tell_that_none_is_quite_wrong() -> None:
    nearly = mean(np.array([0.99] + [1.0] * 49))
    assert nearly.low < 0.98
    together = mean(np.array([0.5] + [1.0] * 249), clusters=np.repeat(np.arange(50), 5))
    assert together.low < 0.98


def test_one_cluster_that_is_partly_wrong_does_not_tell_that_none_is_quite_wrong() -> None:
    clusters = np.repeat(np.arange(20), 5)
    partly, quite = np.ones(100), np.ones(100)
    partly[:2] = 0
    quite[:5] = 0
    interval = mean(partly, clusters=clusters)
    assert mean(quite, clusters=clusters).low < interval.low < 0.85  # a variance of one unit alone says 0.88


def test_graded_scores_vary_no_more_than_whole_ones_would() -> None:
    scores = np.r_[np.full(28, 0.999), 0.9, 0.6]  # most resamples have next to no spread
    found, whole = mean(scores), score_interval(scores.mean(), 30, 1.959963984540054)
    assert whole.low <= found.low and found.high <= whole.high


def test_what_differs_in_many_units_counts_as_it_is() -> None:
    many = estimate(column(np.random.default_rng(1).random(200)))
    assert many.cautious(1.0) == pytest.approx(many.variance)
    one = estimate(column(np.array([0.0] + [1.0] * 99)))
    assert one.differing == pytest.approx(1, abs=0.03)
    assert one.variance < one.cautious(1.0) < 1.0
