"""Paired outcomes: Tango's interval and McNemar's tests are those of the literature and of their peers."""

import numpy as np
import pytest
from evalstats.core.resampling import tango_scc_paired_ci
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar

from fairlead.stats.discordant import likeliest_losses, mcnemar, score, tango
from fairlead.stats.intervals import wilson
from fairlead.stats.unconditional import exact


@some.composite
def results(draw, most: int = 60) -> tuple[int, int, int]:
    wins, losses = draw(some.integers(0, most)), draw(some.integers(0, most))
    return wins, losses, wins + losses + draw(some.integers(0, most)) or 1


def test_tangos_interval_is_that_of_his_paper() -> None:
    # Tango 1998, table II: the cross-over trial of soft contact lenses, 43 of 44 pairs concordant or lost once
    interval = tango(1, 0, 44)
    assert interval.value == pytest.approx(0.0227, abs=1e-4)
    assert (interval.low, interval.high) == (pytest.approx(-0.0602, abs=2e-3), pytest.approx(0.1183, abs=2e-3))


@pytest.mark.parametrize(("wins", "losses", "count"), [(29, 59, 1319), (22, 11, 1319), (5, 2, 30), (250, 249, 600)])
def test_evalstats_says_about_the_same(wins: int, losses: int, count: int) -> None:
    """Theirs is corrected for a score's skewness, so it differs a little."""
    moved = np.repeat([1.0, -1.0, 0.0], [wins, losses, count - wins - losses])
    base = np.where(moved > 0, 0.0, 1.0)
    low, high = tango_scc_paired_ci(base + moved, base, 0.05)
    ours = tango(wins, losses, count)
    width = ours.high - ours.low
    assert ours.low == pytest.approx(low, abs=0.08 * width)
    assert ours.high == pytest.approx(high, abs=0.08 * width)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (22, 11), (59, 29), (10, 10), (3, 40)])
def test_mcnemars_test_is_that_of_statsmodels(wins: int, losses: int) -> None:
    theirs = their_mcnemar([[50, losses], [wins, 50]], exact=True).pvalue
    assert mcnemar(wins, losses) == pytest.approx(min(1.0, theirs))


def test_mid_p_counts_half_of_what_was_seen() -> None:
    assert mcnemar(8, 2, mid=True) == pytest.approx(mcnemar(8, 2) - stats.binom.pmf(2, 10, 0.5))
    assert mcnemar(5, 5, mid=True) == pytest.approx(1.0)
    assert mcnemar(0, 0, mid=True) == 1.0


def test_the_likeliest_share_of_losses_makes_what_was_seen_likeliest() -> None:
    wins, losses, count, difference = 8, 3, 60, -0.05
    shares = np.linspace(0.05, 0.5, 4501)
    ties = 1 - 2 * shares - difference
    likelihood = stats.multinomial.logpmf(
        [wins, losses, count - wins - losses], count, np.stack([shares + difference, shares, ties], axis=1)
    )
    assert float(likeliest_losses(wins, losses, count, difference)) == pytest.approx(
        shares[np.nanargmax(likelihood)], abs=2e-4
    )


@settings(max_examples=30, deadline=None)
@given(results())
def test_who_is_called_base_turns_the_interval_round(result: tuple[int, int, int]) -> None:
    wins, losses, count = result
    one, other = tango(wins, losses, count), tango(losses, wins, count)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
    assert mcnemar(wins, losses) == mcnemar(losses, wins)


@settings(max_examples=30, deadline=None)
@given(results())
def test_the_score_of_a_bound_is_the_normal_quantile(result: tuple[int, int, int]) -> None:
    wins, losses, count = result
    found = tango(wins, losses, count)
    if found.low > -1 + 1e-6:
        assert float(score(wins, losses, count, found.low)) == pytest.approx(1.96, abs=1e-3)
    assert -1 <= found.low <= found.value <= found.high <= 1


def test_one_side_that_never_loses_is_nearly_a_share() -> None:
    """With a base that is always right, the difference is a share of losses."""
    found = tango(0, 7, 200)
    share = wilson(7, 200)
    assert -found.low == pytest.approx(share.high, abs=2e-3)


@pytest.mark.parametrize(("wins", "losses", "count"), [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_what_is_no_result_of_pairs_is_refused(wins: int, losses: int, count: int) -> None:
    for interval in (tango, exact):
        with pytest.raises(ValueError, match="no result"):
            interval(wins, losses, count)
