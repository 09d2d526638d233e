"""Verdicts and gates say what recorded comparisons of real models are known to say, and nothing that is not sure."""

import numpy as np
import pytest

from fairlead.stats.decisions import compared, gate

ITEMS = 1319  # of GSM8K


def test_deepseek_coders_update_is_a_real_regression(outcomes) -> None:
    verdict = compared(*outcomes(29, 59, ITEMS, 1178), margin=0.02)
    found = verdict.paired
    assert (found.wins, found.losses, found.n) == (29, 59, ITEMS)
    assert found.difference.value == pytest.approx(-0.0227, abs=5e-5)
    assert found.p_value == pytest.approx(0.002, abs=5e-4)
    assert verdict.words == ("worse",)
    assert verdict.is_sure


def test_gpt_4os_update_passes_is_equivalent_and_better_only_at_90_percent(outcomes) -> None:
    columns = outcomes(22, 11, ITEMS, 1247)
    verdict = compared(*columns, margin=0.02)
    assert verdict.words == ("better", "equivalent")
    assert not verdict.is_sure
    assert verdict.paired.inner.low == pytest.approx(0.0012, abs=2e-4)
    assert verdict.paired.inner.high == pytest.approx(0.0155, abs=6e-4)
    assert gate(*columns, margin=0.02).outcome == "pass"


@pytest.mark.parametrize(("wins", "losses"), [(11, 12), (17, 18), (16, 16)])
def test_other_hosts_of_one_model_are_equivalent(outcomes, wins: int, losses: int) -> None:
    verdict = compared(*outcomes(wins, losses, ITEMS, 1248), margin=0.01)
    inner = verdict.paired.inner
    assert verdict.words == ("equivalent",)
    assert (inner.high - inner.low) / 2 < 0.0077


def test_what_is_undecided_says_how_many_more_cases_decide(outcomes) -> None:
    verdict = compared(*outcomes(6, 6, 200, 180), margin=0.02)
    assert verdict.words == ("undecided",)
    assert verdict.more is not None
    n = 200 + verdict.more
    assert compared(*outcomes(n * 6 // 200, n * 6 // 200, n), margin=0.02).words == ("equivalent",)


def test_a_gate_passes_only_if_it_would_with_what_is_missing_at_its_worst(outcomes) -> None:
    base, candidate = outcomes(20, 20, 2000, 1900)
    assert gate(base, candidate, 0.02).outcome == "pass"
    holes = candidate.copy()
    holes[-60:] = np.nan
    found = gate(base, holes, 0.02)
    assert found.outcome == "pass"
    assert found.missing == 60
    holes = candidate.copy()
    holes[100:160] = np.nan
    assert gate(base, holes, 0.02).outcome == "undecided"


def test_a_gate_fails_only_if_it_would_with_what_is_missing_at_its_best(outcomes) -> None:
    base, candidate = outcomes(10, 100, 2000, 1000)
    assert gate(base, candidate, 0.02).outcome == "fail"
    holes = candidate.copy()
    holes[20:100] = np.nan
    assert gate(base, holes, 0.02).outcome == "undecided"


def test_a_margin_is_from_nought_up(outcomes) -> None:
    with pytest.raises(ValueError, match="margin"):
        gate(*outcomes(1, 1, 10), margin=-0.1)


def test_nothing_is_called_better_at_a_p_value_that_speaks_against_it() -> None:
    base = np.full(30, 0.5)
    candidate = base.copy()
    candidate[:4] += [0.3, 0.31, 0.32, 0.33]  # four that differ: p is 1/8 at best
    found = compared(base, candidate, 0.02)
    assert found.paired.p_value == pytest.approx(0.125)
    assert found.words == ("undecided",) and not found.is_sure and found.more is None
    candidate[:6] += 0.3
    sure = compared(base, candidate, 0.02)
    assert sure.paired.p_value < 0.05 and sure.words == ("better",) and sure.is_sure
