"""Student's quantiles agree with the printed tables and with themselves where the method changes."""

import pytest

from fairlead.stats import student
from fairlead.stats.student import student_quantile

# Abramowitz and Stegun 1964, table 26.10, and its exact forms for one and two degrees of freedom.
TABLE = {
    (0.975, 1): 12.706,
    (0.975, 2): 4.303,
    (0.975, 5): 2.571,
    (0.975, 10): 2.228,
    (0.975, 30): 2.042,
    (0.975, 60): 2.000,
    (0.975, 120): 1.980,
    (0.95, 7): 1.895,
    (0.995, 4): 4.604,
    (0.9995, 9): 4.781,
}


@pytest.mark.parametrize(("probability", "freedom"), TABLE)
def test_quantiles_are_those_of_the_tables(probability: float, freedom: int) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(TABLE[probability, freedom], abs=6e-4)


def test_one_degree_of_freedom_is_the_cauchy_distribution() -> None:
    assert student_quantile(0.75, 1) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("probability", [0.6, 0.9, 0.975, 0.995, 0.9995])
@pytest.mark.parametrize("freedom", [201, 202, 1000])
def test_the_expansion_meets_the_series_where_it_takes_over(probability: float, freedom: int) -> None:
    exact = student._inverted(2 * probability - 1, freedom)
    assert student_quantile(probability, freedom) == pytest.approx(exact, rel=1e-8)


def test_the_middle_is_nought_and_many_degrees_are_the_normal_distribution() -> None:
    assert student_quantile(0.5, 3) == pytest.approx(0, abs=1e-12)
    assert student_quantile(0.975, 10**9) == pytest.approx(1.959964, abs=1e-6)


@pytest.mark.parametrize(("probability", "freedom"), [(0.4, 3), (1.0, 3), (0.9, 0)])
def test_what_has_no_quantile_is_refused(probability: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="wanted"):
        student_quantile(probability, freedom)
