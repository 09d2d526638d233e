"""Flips are counted, and compared with those of a target that was only asked twice."""

import numpy as np
import pytest

from fairlead.stats.flips import differing, differing_again, flips
from fairlead.stats.intervals import wilson


@pytest.mark.parametrize(("wins", "losses"), [(11, 12), (17, 18), (16, 16)])
def test_other_hosts_of_one_model_flip_23_to_35_of_1319(outcomes, wins: int, losses: int) -> None:
    found = flips(differing(*outcomes(wins, losses, 1319, 1248)))
    assert (found.flipped, found.cases) == (wins + losses, 1319)
    assert 23 <= found.flipped <= 35
    share = wilson(wins + losses, 1319)
    assert (found.share.low, found.share.high) == (pytest.approx(share.low), pytest.approx(share.high))


def test_what_is_missing_on_one_side_is_left_out() -> None:
    found = flips(differing([0, 1, np.nan, 1], [1, 1, 1, np.nan]))
    assert (found.cases, found.flipped, found.noise) == (2, 1.0, None)


def test_what_flips_no_oftener_than_the_same_target_twice_is_noise() -> None:
    base = np.ones(1000)
    again, candidate = base.copy(), base.copy()
    again[:30], candidate[20:55] = 0, 0
    noise = differing(base, again)
    quiet = flips(differing(base, candidate), noise)
    assert quiet.above is not None and not quiet.above.excludes(0)
    candidate[:100] = 0
    loud = flips(differing(base, candidate), noise)
    assert loud.above is not None and loud.above.low > 0.04


def test_repeats_differ_as_two_of_them_do() -> None:
    found = differing_again([1.0, 0.5, 0.5, 1.0], [2, 2, 4, 1])
    assert found[:3] == pytest.approx([0, 1, 2 / 3])  # of the six pairs of four answers, four differ
    assert np.isnan(found[3])
