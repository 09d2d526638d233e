"""All looks together are as right as one, whether they are planned or not, and a planned end costs little."""

import numpy as np
import pytest

from fairlead.stats.betting import guaranteed, lower_bound
from fairlead.stats.decisions import gate
from fairlead.stats.looks import EARLY, Looks

LOOKS, AT_A_TIME = 10, 50
ENDS = range(AT_A_TIME, LOOKS * AT_A_TIME + 1, AT_A_TIME)


def arrivals(rng: np.random.Generator, losses: float, wins: float) -> tuple[np.ndarray, np.ndarray]:
    drawn = rng.random(LOOKS * AT_A_TIME)
    base = np.where(drawn < losses, 1.0, np.where(drawn < losses + wins, 0.0, 1.0))
    return base, np.where(drawn < losses, 0.0, 1.0)


def test_planned_looks_share_the_error_and_the_end_has_nearly_all_of_it() -> None:
    early, last = Looks(10), Looks(10, is_last=True)
    spent = 9 * (1 - early.confidence(0.95)) + (1 - last.confidence(0.95))
    assert spent == pytest.approx(0.05)
    assert 1 - last.confidence(0.95) == pytest.approx(0.05 * (1 - EARLY))
    assert Looks(1, is_last=True).confidence(0.95) == Looks(None).confidence(0.95) == 0.95


@pytest.mark.parametrize("planned", [None, LOOKS])
def test_ten_looks_are_wrong_no_oftener_than_one(planned: int | None) -> None:
    rng, passed, failed, runs = np.random.default_rng(1), 0, 0, 25
    for _ in range(runs):
        base, candidate = arrivals(rng, 0.08, 0.03)  # the difference is the margin exactly
        words = set()
        for end in ENDS:
            looks = Looks(planned, is_last=end == len(base))
            confidence, any_time = looks.confidence(0.95), planned is None
            words.add(gate(base[:end], candidate[:end], 0.05, confidence=confidence, at_any_time=any_time).outcome)
        passed, failed = passed + ("pass" in words), failed + ("fail" in words)
    assert passed <= 0.05 * runs + 4  # 3.6 standard errors
    assert failed <= 0.05 * runs + 4


def test_an_early_look_says_what_is_plain() -> None:
    base = np.ones(100)
    candidate = np.r_[np.zeros(40), np.ones(60)]
    assert gate(base, candidate, 0.05, confidence=Looks(10).confidence(0.95)).outcome == "fail"
    assert gate(base, candidate, 0.05, at_any_time=True).outcome == "fail"


def test_the_planned_end_is_nearly_as_narrow_as_without_looks() -> None:
    base, candidate = arrivals(np.random.default_rng(3), 0.05, 0.05)
    last = gate(base, candidate, 0.02, confidence=Looks(10, is_last=True).confidence(0.95)).difference
    fixed = gate(base, candidate, 0.02).difference
    assert fixed.high - fixed.low <= last.high - last.low < 1.03 * (fixed.high - fixed.low)


def test_bets_close_on_the_truth_whatever_the_order() -> None:
    base, candidate = arrivals(np.random.default_rng(2), 0.2, 0.02)
    widths = [(found := guaranteed(base[:end], candidate[:end])).high - found.low for end in ENDS]
    assert widths == sorted(widths, reverse=True)
    assert found.low < -0.18 < found.high
    order = np.random.default_rng(4).permutation(len(base))
    again = guaranteed(base[order], candidate[order])
    assert (again.low, again.high) == (pytest.approx(found.low), pytest.approx(found.high))


def test_bets_on_clusters_lose_no_more_than_there_is() -> None:
    base, candidate = (np.repeat(part, 4) for part in arrivals(np.random.default_rng(4), 0.2, 0.02))
    clusters = np.repeat(np.arange(len(base) // 4), 4)
    together, apart = guaranteed(base, candidate, clusters=clusters), guaranteed(base, candidate)
    assert together.high - together.low > apart.high - apart.low
    assert together.low < -0.18 < together.high
    one = np.zeros(5000)
    assert lower_bound(np.array([4000.0]), np.array([5000.0]), 0.05) == 0.0
    assert guaranteed(one, one, clusters=one).low == -1.0


def test_what_can_not_be_bet_on_is_refused() -> None:
    with pytest.raises(ValueError, match="weigh the same"):
        gate([1.0, 0.0], [1.0, 1.0], 0.02, weights=[1.0, 2.0], at_any_time=True)
    with pytest.raises(ValueError, match="numbers are wanted"):
        gate([1.0, 7.0], [1.0, 1.0], 0.02, at_any_time=True)
    missing = gate([1.0] * 40, [1.0] * 39 + [np.nan], 0.5, at_any_time=True)
    assert (missing.outcome, missing.missing, missing.method) == ("pass", 1, "betting")
