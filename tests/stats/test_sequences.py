"""A sequence may be looked at as often as one likes, and costs little where its end is planned."""

import numpy as np
import pytest

from fairlead.stats.paired import paired
from fairlead.stats.sequences import Sequence

LOOKS, AT_A_TIME = 10, 50


def arrivals(rng: np.random.Generator, losses: float, wins: float) -> tuple[np.ndarray, np.ndarray]:
    drawn = rng.random(LOOKS * AT_A_TIME)
    base = np.where(drawn < losses, 1.0, np.where(drawn < losses + wins, 0.0, 1.0))
    return base, np.where(drawn < losses, 0.0, 1.0)


@pytest.mark.parametrize("planned", [None, LOOKS * AT_A_TIME])
def test_ten_looks_are_wrong_no_oftener_than_one(planned: int | None) -> None:
    rng, passed, failed, runs = np.random.default_rng(1), 0, 0, 25
    for _ in range(runs):
        base, candidate = arrivals(rng, 0.08, 0.03)  # the difference is the margin exactly
        sequence, words = Sequence(planned=planned), set()
        for start in range(0, len(base), AT_A_TIME):
            sequence.add(base[start : start + AT_A_TIME], candidate[start : start + AT_A_TIME])
            words.add(sequence.outcome(0.05))
        passed, failed = passed + ("pass" in words), failed + ("fail" in words)
    assert passed <= 0.05 * runs + 4  # 3.6 standard errors
    assert failed <= 0.05 * runs + 4


def test_the_interval_never_grows_and_closes_on_the_truth() -> None:
    base, candidate = arrivals(np.random.default_rng(2), 0.2, 0.02)
    sequence, widths = Sequence(), []
    for start in range(0, len(base), AT_A_TIME):
        interval = sequence.add(base[start : start + AT_A_TIME], candidate[start : start + AT_A_TIME])
        widths.append(interval.high - interval.low)
    assert widths == sorted(widths, reverse=True)
    assert sequence.looks == LOOKS
    assert interval.low < -0.18 < interval.high
    assert sequence.outcome(0.05) == "fail"


def test_the_planned_end_is_nearly_as_narrow_as_without_looks() -> None:
    base, candidate = arrivals(np.random.default_rng(3), 0.05, 0.05)
    sequence = Sequence(planned=len(base))
    for start in range(0, len(base), AT_A_TIME):
        interval = sequence.add(base[start : start + AT_A_TIME], candidate[start : start + AT_A_TIME])
    fixed = paired(base, candidate).inner
    assert (interval.high - interval.low) < 1.05 * (fixed.high - fixed.low)


def test_clusters_are_one_unit_each_and_are_not_larger_than_was_said() -> None:
    base, candidate = (np.repeat(part, 4) for part in arrivals(np.random.default_rng(4), 0.2, 0.02))
    clusters = np.repeat(np.arange(len(base) // 4), 4)
    together = Sequence(largest=4).add(base, candidate, clusters=clusters)
    apart = Sequence().add(base, candidate)
    assert together.high - together.low > apart.high - apart.low
    with pytest.raises(ValueError, match="the most"):
        Sequence(largest=3).add(base, candidate, clusters=clusters)


def test_scores_on_another_scale_are_told_on_it() -> None:
    rng = np.random.default_rng(5)
    base = rng.uniform(1, 10, 300)
    candidate = np.clip(base + rng.normal(0.5, 0.2, 300), 1, 10)
    interval = Sequence(bounds=(1, 10)).add(base, candidate)
    assert interval.low < np.mean(candidate - base) < interval.high
    with pytest.raises(ValueError, match="outside"):
        Sequence().add(base, candidate)


def test_nothing_is_known_before_the_first_case() -> None:
    interval = Sequence().add([np.nan], [1.0])
    assert (interval.low, interval.high) == (-1.0, 1.0)
    assert Sequence().outcome(0.1) == "undecided"


@pytest.mark.parametrize(
    "settings", [{"planned": 0}, {"largest": 0}, {"bounds": (1, 0)}, {"bounds": (0, np.inf)}, {"confidence": 1.0}]
)
def test_settings_that_cannot_be_are_refused(settings) -> None:
    with pytest.raises(ValueError):
        Sequence(**settings)
