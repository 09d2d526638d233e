"""The variance of means."""

import numpy as np
import pytest

from fairlead.stats.clustered import estimate
from fairlead.stats.columns import column
from fairlead.stats.means import mean


@pytest.mark.parametrize("score", [0.9 + 1 / 15, 1 / 3, 0.1 + 0.2])
def test_scores_that_are_all_the_same_do_not_vary_by_what_is_rounded(score: float) -> None:
    scores = np.full(21, score)
    assert estimate(column(scores)).variance == 0
    found = mean(scores)
    assert found.low < score < found.high
