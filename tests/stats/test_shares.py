"""Intervals of a share are those of statsmodels, and hold what they promise at every share."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from fairlead.stats.shares import clopper_pearson, proportion


@pytest.mark.parametrize(("method", "theirs"), [("wilson", "wilson"), ("clopper-pearson", "beta")])
@pytest.mark.parametrize(
    ("hits", "count"), [(0, 1), (1, 1), (0, 30), (29, 30), (30, 30), (137, 300), (99_990, 100_000)]
)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_statsmodels_says_the_same(method: str, theirs: str, hits: int, count: int, confidence: float) -> None:
    found = proportion(hits, count, confidence, method)
    low, high = proportion_confint(hits, count, alpha=1 - confidence, method=theirs)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))


@pytest.mark.parametrize("count", [7, 30, 100])
def test_clopper_pearson_never_holds_less_than_it_promises(count: int) -> None:
    hits = np.arange(count + 1)
    found = [clopper_pearson(int(one), count) for one in hits]
    low, high = np.array([one.low for one in found]), np.array([one.high for one in found])
    for share in np.linspace(0.001, 0.999, 200):
        assert stats.binom.pmf(hits, count, share)[(low <= share) & (share <= high)].sum() >= 0.95


def test_what_is_no_share_or_no_method_is_refused() -> None:
    for hits, count in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="no share"):
            clopper_pearson(hits, count)
    with pytest.raises(ValueError, match="no method"):
        proportion(1, 2, method="wald")
    with pytest.raises(ValueError, match="confidence"):
        proportion(1, 2, 1.5)
