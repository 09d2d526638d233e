"""Intervals hold what they promise, in known examples and in simulated measurements."""

import random
import statistics

import pytest

from fairlead.stats.intervals import Interval, mean_share, paired_difference, wilson

FIELDS = 5


def test_wilsons_interval_is_that_of_the_literature() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    for hits, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)):
        interval = wilson(hits, count)
        assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert wilson(0, 20) == Interval(0.0, 0.0, pytest.approx(0.1611, abs=1e-4))


def test_all_right_is_not_taken_for_certain() -> None:
    assert wilson(10, 10).low == pytest.approx(0.7225, abs=1e-4)
    assert mean_share([1.0] * 10) == wilson(10, 10)


def test_more_confidence_is_a_wider_interval() -> None:
    assert wilson(5, 10, 0.99).low < wilson(5, 10, 0.95).low


@pytest.mark.parametrize(("hits", "count"), [(3, 2), (-1, 2), (0, 0)])
def test_what_is_no_share_is_refused(hits: int, count: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(hits, count)


def test_fields_that_are_wrong_together_count_as_one_document() -> None:
    together = mean_share([1.0] * 40 + [0.0] * 10)
    apart = mean_share([0.8] * 49 + [0.6])
    fields = wilson(200, 250)
    assert together.high - together.low > 1.9 * (fields.high - fields.low)
    assert apart.high - apart.low < fields.high - fields.low


def test_the_interval_of_shares_stays_between_nought_and_one() -> None:
    assert 0 <= mean_share([0.0, 0.0, 0.2]).low < mean_share([0.8, 1.0, 1.0]).high <= 1
    assert mean_share([0.6]) == Interval(0.6, pytest.approx(0.0771, abs=1e-4), pytest.approx(0.9642, abs=1e-4))


def clustered(rng: random.Random, documents: int) -> list[float]:
    """Shares of right fields whose true mean is 0.8, and which vary more between documents than fields within them."""
    shares = []
    for _ in range(documents):
        ease = rng.betavariate(2.4, 0.6)
        shares.append(sum(rng.random() < ease for _ in range(FIELDS)) / FIELDS)
    return shares


@pytest.mark.parametrize("documents", [15, 60])
def test_19_of_20_intervals_of_clustered_shares_hold_the_truth(documents: int) -> None:
    rng = random.Random(documents)
    intervals = [mean_share(clustered(rng, documents)) for _ in range(800)]
    assert 0.93 < statistics.fmean(one.low <= 0.8 <= one.high for one in intervals) < 0.985


def test_19_of_20_intervals_of_differences_hold_the_truth() -> None:
    rng = random.Random(7)
    held = 0
    for _ in range(800):
        first = clustered(rng, 25)
        second = [share + rng.gauss(0.1, 0.2) for share in first]
        interval = paired_difference(first, second)
        held += interval.low <= 0.1 <= interval.high
    assert 0.93 < held / 800 < 0.97


def test_a_paired_difference_is_students() -> None:
    # Student 1908, Biometrika 6, page 20: hours of sleep gained by ten patients with two drugs
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    interval = paired_difference(first, second)
    assert interval.value == pytest.approx(1.58)
    assert (interval.low, interval.high) == (pytest.approx(0.7001, abs=1e-4), pytest.approx(2.4599, abs=1e-4))
    assert interval.excludes(0)
    assert not interval.excludes(1.0)


def test_pairs_must_be_pairs_and_more_than_one() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="two pairs"):
        paired_difference([1.0], [1.0])
