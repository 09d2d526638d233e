"""Flips are counted, and compared with those of a target that was only asked twice."""

import numpy as np
import pytest

from fairlead.stats.flips import Flips, above_floor, beyond_noise, flips
from fairlead.stats.intervals import wilson


@pytest.mark.parametrize(("wins", "losses"), [(11, 12), (17, 18), (16, 16)])
def test_other_hosts_of_one_model_flip_23_to_35_of_1319(outcomes, wins: int, losses: int) -> None:
    found = flips(*outcomes(wins, losses, 1319, 1248))
    assert (found.won, found.lost, found.n) == (wins, losses, 1319)
    assert 23 <= found.won + found.lost <= 35
    assert found.share == wilson(wins + losses, 1319)


def test_small_changes_of_a_score_may_be_none() -> None:
    assert flips([0.5, 0.5, 0.5], [0.52, 0.7, np.nan], tolerance=0.05) == Flips(2, 0, 1, wilson(1, 2), 1)
    with pytest.raises(ValueError, match="tolerance"):
        flips([0.5], [0.5], tolerance=-1)


def test_what_flips_no_oftener_than_the_same_target_twice_is_noise() -> None:
    base = np.ones(1000)
    again, candidate = base.copy(), base.copy()
    again[:30], candidate[20:55] = 0, 0
    assert not beyond_noise(base, again, candidate).difference.excludes(0)
    candidate[:100] = 0
    assert beyond_noise(base, again, candidate).difference.low > 0.04


def test_a_floor_from_other_items_is_compared_by_newcombes_interval() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 873, table II, method 10: 56 of 70 against 48 of 80
    floor, found = (Flips(n, 0, hits, wilson(hits, n), 0) for hits, n in ((48, 80), (56, 70)))
    interval = above_floor(found, floor)
    assert (interval.low, interval.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
