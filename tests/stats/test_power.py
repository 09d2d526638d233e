"""What a suite could show is what the test then shows, added up over every outcome."""

import itertools

import pytest
from scipy import stats

from fairlead.stats.discordant import tango
from fairlead.stats.power import Design, cases_needed, detectable, power


def test_200_cases_hardly_show_that_nothing_got_worse_by_two_points() -> None:
    found = power(Design(n=200, margin=0.02, discordance=0.06))
    assert found.formula == pytest.approx(0.31, abs=0.005)
    assert found.value == pytest.approx(0.28, abs=0.005)


def test_power_is_how_often_tangos_bound_lies_above_the_margin() -> None:
    n, discordance = 16, 0.2
    passed = 0.0
    for wins, losses in itertools.product(range(n + 1), repeat=2):
        if wins + losses <= n and tango(wins, losses, n, 0.9).low > -0.25:
            shares = [discordance / 2, discordance / 2, 1 - discordance]
            passed += stats.multinomial.pmf([wins, losses, n - wins - losses], n, shares)
    assert power(Design(n=n, margin=0.25, discordance=discordance)).value == pytest.approx(passed, abs=1e-7)


def test_as_many_cases_as_are_needed_are_enough_and_fewer_are_not() -> None:
    design = Design(margin=0.02, discordance=0.06)
    n = cases_needed(design)
    assert n is not None
    assert power(Design(n=n, margin=0.02, discordance=0.06)).value >= 0.8
    assert power(Design(n=int(n * 0.9), margin=0.02, discordance=0.06)).value < 0.8
    assert n == pytest.approx(960, rel=0.03)


def test_what_can_be_seen_is_seen_with_the_power_that_was_asked() -> None:
    size = detectable(Design(n=1319, discordance=0.06, goal="better"))
    assert size is not None
    design = Design(n=1319, discordance=0.06, difference=size, goal="better")
    assert power(design).value == pytest.approx(0.8, abs=0.005)
    margin = detectable(Design(n=1319, discordance=0.06))
    assert margin is not None
    assert power(Design(n=1319, margin=margin, discordance=0.06)).value == pytest.approx(0.8, abs=0.005)


def test_what_no_suite_of_ten_million_shows_is_none() -> None:
    assert cases_needed(Design(margin=0.0, discordance=0.06)) is None
    assert detectable(Design(n=1, discordance=0.5, goal="better")) is None


def test_clusters_count_as_fewer_cases() -> None:
    apart = Design(n=1000, margin=0.02, sd=0.2)
    together = Design(n=2000, margin=0.02, sd=0.2, design_effect=2.0)
    assert power(together) == power(apart)


def test_equivalence_is_harder_than_passing_and_both_grow_with_cases() -> None:
    for known in ({"discordance": 0.06}, {"sd": 0.25}):
        for n in (700, 1000, 3000):
            passes = power(Design(n=n, margin=0.02, goal="pass", **known)).value
            assert power(Design(n=n, margin=0.02, goal="equivalent", **known)).value < passes
        assert passes > 0.97


@pytest.mark.parametrize(
    "design",
    [
        Design(n=0, discordance=0.1),
        Design(n=10),
        Design(n=10, discordance=0.1, sd=0.1),
        Design(n=10, discordance=0.1, difference=0.2),
        Design(n=10, discordance=1.2),
        Design(n=10, sd=0.0),
        Design(n=10, sd=0.1, margin=-1.0),
        Design(n=10, sd=0.1, design_effect=0.0),
        Design(n=10, sd=0.1, confidence=0.4),
    ],
)
def test_a_design_that_cannot_be_is_refused(design: Design) -> None:
    with pytest.raises(ValueError, match="wanted"):
        power(design)
