"""Two candidates, item by item: the method suits the scores, and what must not matter does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from fairlead.stats.clustered import estimate
from fairlead.stats.columns import column
from fairlead.stats.discordant import mcnemar, tango
from fairlead.stats.paired import EXACT_BELOW, paired
from fairlead.stats.permutation import permutation
from fairlead.stats.unconditional import exact

columns = some.lists(some.tuples(some.floats(0, 1), some.floats(0, 1)), min_size=2, max_size=40)


def graded(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    base = rng.beta(4, 2, count)
    return base, np.clip(base + rng.normal(0.03, 0.1, count), 0, 1)


def test_whole_outcomes_are_exact_and_beyond_five_thousand_tangos(outcomes) -> None:
    small, large = paired(*outcomes(9, 4, 200, 150)), paired(*outcomes(40, 60, EXACT_BELOW, 3000))
    assert (small.difference, small.method) == (exact(9, 4, 200), "exact unconditional")
    assert (small.inner, small.p_value) == (exact(9, 4, 200, 0.9), mcnemar(9, 4))
    assert (large.difference, large.method) == (tango(40, 60, EXACT_BELOW), "Tango")
    assert (small.wins, small.losses, small.ties, small.clusters) == (9, 4, 187, None)


def test_in_large_samples_graded_scores_get_students_interval() -> None:
    base, candidate = graded(1, 4000)
    theirs = stats.ttest_rel(candidate, base).confidence_interval()
    found = paired(base, candidate)
    width = theirs.high - theirs.low
    assert found.difference.low == pytest.approx(theirs.low, abs=0.03 * width)
    assert found.difference.high == pytest.approx(theirs.high, abs=0.03 * width)


def test_a_hundred_thousand_items_are_expanded_and_not_drawn() -> None:
    base, candidate = graded(2, 100_000)
    found = paired(base, candidate)
    theirs = stats.ttest_rel(candidate, base)
    interval = theirs.confidence_interval()
    assert found.difference.low == pytest.approx(interval.low, abs=1e-5)
    assert found.difference.high == pytest.approx(interval.high, abs=1e-5)
    assert paired(base, base).p_value == 1.0


def test_clusters_that_are_all_of_one_mind_count_once(outcomes) -> None:
    base, candidate = outcomes(8, 3, 60, 40)
    apart = paired(base, candidate)
    together = paired(np.repeat(base, 5), np.repeat(candidate, 5), clusters=np.repeat(np.arange(60), 5))
    assert together.clusters == 60
    assert together.difference.low == pytest.approx(apart.difference.low, abs=0.015)
    assert together.difference.high == pytest.approx(apart.difference.high, abs=0.015)
    naive = paired(np.repeat(base, 5), np.repeat(candidate, 5))
    assert naive.difference.high - naive.difference.low < 0.6 * (together.difference.high - together.difference.low)


def test_clusters_of_one_item_are_no_clusters() -> None:
    base, candidate = graded(3, 50)
    assert paired(base, candidate, clusters=np.arange(50)) == paired(base, candidate)


def test_equal_weights_are_no_weights_and_a_weight_of_nought_is_no_item() -> None:
    base, candidate = graded(4, 60)
    assert paired(base, candidate, weights=np.full(60, 7.0)) == paired(base, candidate)
    weights = np.r_[np.ones(50), np.zeros(10)]
    assert paired(base, candidate, weights=weights) == paired(base[:50], candidate[:50])


def test_a_weighted_difference_is_the_weighted_mean() -> None:
    base, candidate = graded(5, 80)
    weights = np.arange(1.0, 81)
    found = paired(base, candidate, weights=weights)
    assert found.difference.value == pytest.approx(np.average(candidate - base, weights=weights))


def test_missing_pairs_are_left_out_and_counted() -> None:
    base, candidate = graded(6, 40)
    base[3], candidate[5] = np.nan, np.nan
    kept = np.isfinite(base) & np.isfinite(candidate)
    found, whole = paired(base, candidate), paired(base[kept], candidate[kept])
    assert found.missing == 2
    assert found.difference == whole.difference


@settings(max_examples=40, deadline=None)
@given(columns, some.randoms())
def test_neither_the_order_nor_the_side_matters(rows: list[tuple[float, float]], chance) -> None:
    base, candidate = np.array(rows).T
    found, turned = paired(base, candidate), paired(candidate, base)
    mixed = list(range(len(rows)))
    chance.shuffle(mixed)
    again = paired(base[mixed], candidate[mixed])
    assert again.difference.low == pytest.approx(found.difference.low)
    assert (turned.wins, turned.losses) == (found.losses, found.wins)
    assert turned.difference.value == pytest.approx(-found.difference.value)
    assert found.difference.low <= found.inner.low <= found.inner.value <= found.inner.high <= found.difference.high
    assert -1 <= found.difference.low <= found.difference.high <= 1
    assert 0 < found.p_value <= 1


@pytest.mark.parametrize("count", [1, 2, 30])
def test_columns_that_never_differ_still_leave_room(count: int) -> None:
    for base, candidate in ((np.ones(count), np.ones(count)), (np.full(count, 0.25), np.full(count, 0.75))):
        found = paired(base, candidate)
        assert found.difference.low < found.difference.value < found.difference.high
        assert found.difference.high - found.difference.low > 0.2


def test_scores_without_bounds_keep_their_unit() -> None:
    rng = np.random.default_rng(7)
    base = rng.normal(100, 15, 60)
    candidate = base + rng.normal(3, 5, 60)
    found = paired(base, candidate)
    theirs = stats.ttest_rel(candidate, base).confidence_interval()
    assert found.difference.low == pytest.approx(theirs.low, abs=0.3)
    tens = paired(base / 10, candidate / 10, bounds=(0, 20))
    assert tens.difference.low == pytest.approx(found.difference.low / 10, abs=0.05)


def test_all_signs_are_tried_where_there_are_few_and_peers_agree() -> None:
    moved = np.array([0.3, -0.1, 0.25, 0.4, 0.1, -0.05, 0.2, 0.15])
    theirs = stats.permutation_test((moved,), lambda part, axis: part.mean(axis=axis), permutation_type="samples")
    assert permutation(moved) == pytest.approx(theirs.pvalue)
    many = np.random.default_rng(8).normal(0.1, 1, 200)
    assert permutation(many) == pytest.approx(stats.ttest_1samp(many, 0).pvalue, abs=0.02)
    more = np.random.default_rng(9).normal(0.04, 1, 3000)
    assert permutation(more) == pytest.approx(stats.ttest_1samp(more, 0).pvalue, abs=0.002)


def test_the_variance_of_clusters_is_that_of_a_regression_on_a_constant() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(10)
    codes = np.repeat(np.arange(12), 4)
    values = rng.normal(size=48) + rng.normal(size=12)[codes]
    ours = estimate(column(values, codes))
    fit = sm.OLS(values, np.ones(48)).fit(cov_type="cluster", cov_kwds={"groups": codes, "use_correction": False})
    # CR0 to CR2 is a factor where clusters are of one size
    assert ours.variance == pytest.approx(float(fit.cov_params()[0, 0]) * 12 / 11)
    assert (ours.mean, ours.freedom) == (pytest.approx(values.mean()), 11)


@pytest.mark.parametrize(
    ("base", "candidate", "settings", "says"),
    [
        ([1.0], [1.0, 0.0], {}, "pairs are wanted"),
        ([], [], {}, "empty"),
        ([np.nan], [1.0], {}, "missing"),
        ([np.inf], [1.0], {}, "finite"),
        ([[1.0]], [[1.0]], {}, "one list"),
        (["a"], [1.0], {}, "numbers"),
        ([1.0, 0.0], [1.0, 1.0], {"clusters": [1]}, "clusters"),
        ([1.0, 0.0], [1.0, 1.0], {"weights": [1.0]}, "weights"),
        ([1.0, 0.0], [1.0, 1.0], {"weights": [1.0, -1.0]}, "from 0 up"),
        ([1.0, 0.0], [1.0, 1.0], {"weights": [0.0, 0.0]}, "above 0"),
        ([1.0, 0.0], [1.0, 1.0], {"confidence": 0.3}, "confidence"),
        ([1.0, 2.0], [1.0, 1.0], {"bounds": (0, 1)}, "outside"),
    ],
)
def test_what_cannot_be_compared_is_refused(base, candidate, settings, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        paired(base, candidate, **settings)
