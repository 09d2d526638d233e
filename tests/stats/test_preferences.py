"""A preference counts if it holds in both orders; what does not is one half."""

import numpy as np
import pytest

from fairlead.stats.discordant import mcnemar
from fairlead.stats.preferences import consistency, preference, preferred


def test_ties_and_inconsistent_orders_are_one_half() -> None:
    first = [1, 0, 1, 0, 0.5, 1, np.nan]
    second = [1, 0, 0, 1, 0.5, 0.5, 1]
    found = preferred(first, second)
    assert found[:6].tolist() == [1, 0, 0.5, 0.5, 0.5, 0.5]
    assert np.isnan(found[6])
    assert consistency(first, second).value == 0.5


def test_a_share_is_of_one_half_where_nobody_is_preferred() -> None:
    found = preference([1, 0, 0.5, 0.5])
    assert found.share.value == 0.5
    assert found.paired.p_value == 1.0
    assert not found.share.excludes(0.5)


def test_ties_do_not_count_against_evenness_and_do_widen_nothing() -> None:
    scores = [1.0] * 30 + [0.0] * 10 + [0.5] * 60
    found = preference(scores)
    assert found.share.value == pytest.approx(0.6)
    assert found.paired.p_value == mcnemar(30, 10)
    assert found.share.low < found.inner.low < 0.6 < found.inner.high < found.share.high


def test_what_is_no_preference_is_refused() -> None:
    with pytest.raises(ValueError, match="between"):
        preference([2.0])
    with pytest.raises(ValueError, match="pairs"):
        preferred([1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="missing"):
        preference([np.nan])
