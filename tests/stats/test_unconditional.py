"""The exact interval is wrong no oftener than it promises, at every share of discordant pairs and every difference."""

import itertools

import numpy as np
import pytest
from scipy import stats

from fairlead.stats.discordant import tango
from fairlead.stats.unconditional import exact, least_wins

COUNT = 12


@pytest.fixture(scope="module")
def intervals():
    outcomes = [
        (wins, losses) for wins, losses in itertools.product(range(COUNT + 1), repeat=2) if wins + losses <= COUNT
    ]
    return outcomes, [exact(wins, losses, COUNT) for wins, losses in outcomes]


def test_each_bound_is_wrong_in_one_of_forty_samples_at_most(intervals) -> None:
    outcomes, found = intervals
    low, high = np.array([one.low for one in found]), np.array([one.high for one in found])
    counts = np.array([(wins, losses, COUNT - wins - losses) for wins, losses in outcomes])
    for won, lost in itertools.product(np.linspace(0.001, 0.6, 12), repeat=2):
        if won + lost < 1:
            chance = stats.multinomial.pmf(counts, COUNT, [won, lost, 1 - won - lost])
            assert chance[low > won - lost + 1e-9].sum() <= 0.025
            assert chance[high < won - lost - 1e-9].sum() <= 0.025


def test_more_wins_move_both_bounds_up_and_more_losses_down(intervals) -> None:
    found = dict(zip(*intervals, strict=True))
    for (wins, losses), interval in found.items():
        if wins + losses < COUNT:
            better, worse = found[wins + 1, losses], found[wins, losses + 1]
            assert worse.low <= interval.low + 1e-4 <= better.low + 2e-4
            assert worse.high <= interval.high + 1e-4 <= better.high + 2e-4


def test_who_is_called_base_turns_it_round(intervals) -> None:
    found = dict(zip(*intervals, strict=True))
    for (wins, losses), interval in found.items():
        other = found[losses, wins]
        assert (interval.low, interval.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
        assert interval.low <= interval.value <= interval.high


@pytest.mark.parametrize(("wins", "losses", "count"), [(40, 20, 400), (22, 11, 1319), (5, 5, 2000), (3, 9, 800)])
def test_in_larger_samples_it_is_close_to_tangos(wins: int, losses: int, count: int) -> None:
    found, near = exact(wins, losses, count), tango(wins, losses, count)
    width = near.high - near.low
    assert found.low == pytest.approx(near.low, abs=0.06 * width)
    assert found.high == pytest.approx(near.high, abs=0.06 * width)


def test_one_pair_says_hardly_anything() -> None:
    assert exact(1, 0, 1).low < -0.9
    assert exact(0, 0, 1).high > 0.9
    assert exact(0, 1, 1).low == -1.0


def test_as_many_wins_as_are_needed_are_the_least() -> None:
    from fairlead.stats.discordant import score

    discordant = np.arange(31.0)
    least = least_wins(100, -0.02, 1.645, discordant)
    for of, wins in zip(discordant, least, strict=True):
        if wins <= of:
            assert float(score(wins, of - wins, 100, -0.02)) >= 1.645 - 1e-9
        if wins > 0:
            assert float(score(wins - 1, of - wins + 1, 100, -0.02)) < 1.645
