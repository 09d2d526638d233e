"""Several p-values are read side by side."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from fairlead.stats.several import holm


@pytest.mark.parametrize("seed", range(5))
def test_holms_correction_is_that_of_statsmodels(seed: int) -> None:
    p_values = np.random.default_rng(seed).random(7) ** 3
    assert np.allclose(holm(p_values), multipletests(p_values, method="holm")[1])


def test_one_alone_is_not_corrected_and_what_is_no_probability_is_refused() -> None:
    assert holm([0.03]).tolist() == [0.03]
    assert holm([]).tolist() == []
    for wrong in ([1.2], [-0.1], [np.nan]):
        with pytest.raises(ValueError, match="probabilities"):
            holm(wrong)
