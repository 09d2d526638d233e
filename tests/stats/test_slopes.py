"""A slope within clusters is what least squares with a level for each says, and its interval covers."""

import numpy as np
import pytest

from fairlead.stats.slopes import slope


def drawn(rng: np.random.Generator, clusters: int, turns: int, true: float) -> tuple[np.ndarray, ...]:
    """Conversations with levels of their own, slopes of their own around the true one, and noise that is not normal."""
    of = np.repeat(np.arange(clusters), turns)
    at = np.tile(np.arange(1.0, turns + 1), clusters)
    own = rng.normal(0, 0.3, clusters)[of] + (true + rng.normal(0, 0.04, clusters)[of]) * at
    return own + rng.exponential(0.2, len(of)) - 0.2, at, of


def test_it_is_least_squares_with_a_level_for_each_cluster() -> None:
    api = pytest.importorskip("statsmodels.api")
    scores, at, of = drawn(np.random.default_rng(1), 12, 5, -0.1)
    dummies = (of[:, None] == np.arange(12)).astype(float)
    fitted = api.OLS(scores, np.column_stack([at, dummies])).fit()
    assert slope(scores, at, of).value == pytest.approx(fitted.params[0])


def test_its_interval_covers_the_true_slope_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    for clusters in (8, 25):
        found = [slope(*drawn(rng, clusters, 5, -0.05)) for _ in range(800)]
        covered = np.mean([one.low <= -0.05 <= one.high for one in found])
        assert 0.93 <= covered <= 0.985, (clusters, covered)


def test_conversations_of_different_lengths_and_missing_scores_are_taken_as_they_are() -> None:
    found = slope([1.0, 0.8, 0.5, np.nan, 0.3, 0.9, 0.7, 1.0], [1, 2, 1, 2, 3, 1, 2, 1], list("aabbbccd"))
    assert found.value == pytest.approx((-0.1 - 0.2 - 0.1) / (0.5 + 2 + 0.5))


def test_too_few_conversations_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        slope([1, 2, 3, 4], [1, 2, 1, 2], [1, 1, 2, 2])
    with pytest.raises(ValueError, match="different lengths"):
        slope([1, 2], [1, 2, 3], [1, 1])
