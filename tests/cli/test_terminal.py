"""How figures look."""

import pytest

from fairlead.cli import terminal


@pytest.mark.parametrize(
    ("us", "shown"),
    [
        (None, "–"),
        (999, "999 µs"),
        (1_500, "1.5 ms"),
        (12_340, "12 ms"),
        (2_345_678, "2.35 s"),
        (125_000_000, "2 min 05 s"),
    ],
)
def test_durations_are_as_exact_as_one_reads_them(us: int | None, shown: str) -> None:
    assert terminal.duration(us) == shown


def test_unknown_money_is_unknown_and_estimated_money_is_marked() -> None:
    assert terminal.money(None) == "unknown" == terminal.money(None, estimated=True)
    assert terminal.money(5_000) == "0.000005usd"
    assert terminal.money(5_000, estimated=True) == "~0.000005usd"


def test_prices_are_dollars_per_million_tokens_or_unknown() -> None:
    assert terminal.price(None) == "unknown"
    assert terminal.price(150_000_000) == "0.15"


@pytest.mark.parametrize(("count", "shown"), [(999, "999 B"), (3_600_000, "3.6 MB"), (2 * 10**15, "2000.0 TB")])
def test_sizes_have_a_unit(count: int, shown: str) -> None:
    assert terminal.size(count) == shown


def test_a_table_into_a_pipe_is_plain_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_table((("name", "left"), ("[b]n[/b]", "right")), [("x" * 150, "[red]1")], empty="none")
    shown = capsys.readouterr()
    assert not any(line.endswith(" ") for line in shown.out.splitlines())
    assert "x" * 150 in shown.out and "[red]1" in shown.out and "\x1b" not in shown.out and shown.err == ""


def test_an_empty_table_is_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_table((("name", "left"),), [], empty="none at all")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "none at all\n")
