"""Several comparisons at once: p-values that may be read side by side."""

import numpy as np
from numpy.typing import ArrayLike

from fairlead.stats.columns import Numbers, numbers


def holm(p_values: ArrayLike) -> Numbers:
    """Adjusted so that one wrong "different" among all of them is no likelier than for one (Holm 1979, Scandinavian
    Journal of Statistics 6), in the order in which they came. Raises ValueError for what is no probability."""
    found = numbers(p_values, "p-values")
    if not ((found >= 0) & (found <= 1)).all():
        raise ValueError("p-values must be probabilities, from 0 to 1")
    order = np.argsort(found)
    adjusted = np.empty(len(found))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1)))
    return adjusted
