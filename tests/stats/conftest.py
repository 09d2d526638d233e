"""What tests of the statistics have in common: paired outcomes, made of their counts."""

import numpy as np
import pytest


@pytest.fixture
def outcomes():
    """(wins, losses, of, both right) -> the columns of base and candidate."""

    def of(wins: int, losses: int, count: int, right: int = 0) -> tuple[np.ndarray, np.ndarray]:
        rest = count - wins - losses - right
        base = np.repeat([0.0, 1.0, 1.0, 0.0], [wins, losses, right, rest])
        return base, np.repeat([1.0, 0.0, 1.0, 0.0], [wins, losses, right, rest])

    return of
