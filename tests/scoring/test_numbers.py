"""Numbers are read as people write them, and what is ambiguous is read as declared."""

import random
from decimal import Decimal

import pytest

from fairlead.scoring.number import number
from fairlead.scoring.numbers import Sign, numbers_in, read_number
from fairlead.scoring.score import GoldUnfit
from scoring.items import Case, said


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1234.5", "1234.5"),
        ("1,234.50", "1234.50"),
        ("1.234,50 €", "1234.50"),
        ("EUR 1.234,50", "1234.50"),
        ("RM53.60", "53.60"),
        ("Rs. 1,234", "1234"),
        ("1 234,50 kr", "1234.50"),
        ("CHF 1'234.50", "1234.50"),
        ("1 234 567,8", "1234567.8"),
        ("1\u202f234,50", "1234.50"),
        ("$1,234", "1234"),
        ("-1,234,567", "-1234567"),
        ("(1,234.50)", "-1234.50"),
        ("\u22125", "-5"),
        ("12 %", "12"),
        ("1.5e3", "1500"),
        (".5", ".5"),
        ("0,125", "0.125"),
        ("12,5", "12.5"),
        ("1.234.567", "1234567"),
        (7, "7"),
        (7.25, "7.25"),
    ],
)
def test_a_number_is_read(text: object, value: str) -> None:
    assert read_number(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "twelve",
        "12k",
        "12 kg",
        "A",
        "1,23,456",
        "1.2.3",
        "12 13",
        "1-2",
        "NaN",
        "Infinity",
        "0x10",
        True,
        None,
        [1],
        "1" * 200,
    ],
)
def test_what_is_no_number_is_none(text: object) -> None:
    assert read_number(text) is None


def test_what_is_too_long_is_no_number() -> None:
    assert read_number("1" * 200) is None


def test_the_declared_decimal_sign_decides() -> None:
    assert read_number("1,234", ",") == Decimal("1.234")
    assert read_number("1,234", ".") == 1234
    assert read_number("1.234", ",") == 1234
    assert read_number("1.234", "either") == Decimal("1.234")


def test_percent_is_a_share_where_that_is_declared() -> None:
    assert read_number("12.5 %", percent=True) == Decimal("0.125")
    assert read_number("12.5", percent=True) == Decimal("12.5")


def test_numbers_are_found_in_running_text() -> None:
    found = numbers_in("She had 3 apples, paid $1,234.50 (12 %) in 2019, and owes -7.")
    assert found == ["3", "$1,234.50", "12 %", "2019", "-7"]


def test_the_number_of_an_answer_is_the_whole_of_it_or_the_one_that_is_declared() -> None:
    assert number(said(" 1,234 "), Case(1234)).value == 1
    assert number(said("It is 1,234."), Case(1234)).value == 0
    assert number(said("First 7, then 1,234."), Case("1234"), take="last").value == 1
    assert number(said("First 7, then 1,234."), Case(7), take="first").value == 1
    assert number(said("7 of 9\n#### 8\n"), Case(8), mark="####").value == 1
    assert number(said("none at all"), Case(8), take="last").value == 0


def test_what_is_near_enough_is_declared() -> None:
    assert number(said("99"), Case(100)).value == 0
    assert number(said("99"), Case(100), tolerance=1).value == 1
    assert number(said("99"), Case(100), relative=0.01).value == 1
    assert number(said("98.9"), Case(100), relative=0.01).value == 0
    assert number(said("50 %"), Case(0.5), percent=True).value == 1


def test_a_gold_that_is_no_number_is_the_cases_fault() -> None:
    with pytest.raises(GoldUnfit, match="no number: 'many'"):
        number(said("1"), Case("many"))


@pytest.mark.parametrize("decimal", [".", ",", "either"])
def test_what_is_read_the_short_way_is_what_the_long_way_reads(decimal: Sign) -> None:
    drawn = random.Random(7)
    texts = ["".join(drawn.choice("0123456789,,..+- ") for _ in range(drawn.randint(1, 9))) for _ in range(3000)]
    signs, ends = ["", "-", "+"], ["", ".25"]
    texts += [f"{drawn.choice(signs)}{drawn.randint(0, 10**8):,}{drawn.choice(ends)}" for _ in range(500)]
    for text in texts:
        assert read_number(text, decimal) == read_number(f"\N{NO-BREAK SPACE}{text}", decimal), text
