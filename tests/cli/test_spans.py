"""Spans and moments as they are typed."""

from datetime import datetime

import click
import pytest

from fairlead.cli.spans import Since, Span
from fairlead.ids import now_us


@pytest.mark.parametrize(
    ("typed", "seconds"), [("45s", 45), ("90m", 5400), ("12h", 43_200), ("30d", 2_592_000), ("2 w", 1_209_600)]
)
def test_a_span_is_a_number_and_a_unit(typed: str, seconds: int) -> None:
    assert Span().convert(typed, None, None) == seconds


@pytest.mark.parametrize("typed", ["", "d", "1y", "-1d", "1.5h", "soon"])
def test_what_is_no_span_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter):
        Span().convert(typed, None, None)


def test_since_a_span_ago() -> None:
    assert Since().convert("1d", None, None) == pytest.approx(now_us() - 86_400e6, abs=5e6)


def test_since_a_moment_with_or_without_a_zone() -> None:
    assert Since().convert("2026-01-31T08:30+00:00", None, None) == 1_769_848_200_000_000
    local = datetime(2026, 1, 31).astimezone().timestamp()
    assert Since().convert("2026-01-31", None, None) == local * 1e6


@pytest.mark.parametrize("typed", ["yesterday", "2026-13-01", "0001-01-01T00:00+14:00"])
def test_what_is_no_moment_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter):
        Since().convert(typed, None, None)
