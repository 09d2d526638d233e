"""How the demonstration's figures look: the table of targets, the difference between them, the outage.

It is given a report and makes a table and lines of text.
"""

import textwrap
from typing import TYPE_CHECKING

from rich.table import Table

from fairlead.cli import terminal
from fairlead.cli.story import tell
from fairlead.demo.asking import AT_ONCE
from fairlead.demo.outage import fell_back
from fairlead.money import NUSD

if TYPE_CHECKING:
    from fairlead.demo.measuring import Measured
    from fairlead.demo.story import Report
    from fairlead.stats.intervals import Interval
    from fairlead.store.calls import Summary

FIELDS = {
    "invoices/seen": "invoices, trained layouts",
    "invoices/unseen": "invoices, unseen layouts",
    "tickets/seen": "tickets, trained wordings",
    "tickets/unseen": "tickets, unseen wordings",
}
WIDTH = 100
PER_CALLS = 1000  # the cost is told per so many calls


def table(report: "Report") -> Table:
    """A row per figure, a column per target; shares in per cent, with 95 % intervals."""
    drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
    drawn.add_column(f"{report.targets[0].documents} documents each", no_wrap=True)
    for one in report.targets:
        drawn.add_column(one.target, justify="right", no_wrap=True)
    for label, cells in zip(_labels(), zip(*(_cells(one) for one in report.targets), strict=True), strict=True):
        drawn.add_row(label, *cells)
    return drawn


def verdict_lines(report: "Report") -> list[str]:
    first, second = report.targets
    gap = report.difference
    if gap.excludes(0):
        sure = f"The interval excludes 0: {second.target if gap.value > 0 else first.target} is the better reader."
    else:
        sure = "The interval holds 0: on so few documents neither is shown to be the better reader."
    return [
        "",
        *_wrapped(
            f"{second.target} minus {first.target}, document by document: {100 * gap.value:+.1f} points of fields "
            f"({100 * gap.low:+.1f} to {100 * gap.high:+.1f}). {sure}"
        ),
        *_wrapped(
            "Intervals are of 95 %, with the document as the unit. A target costs what its `price` in the "
            "configuration says; tokens, cost and latency are the ledger's."
        ),
    ]


def outage_lines(report: "Report") -> list[str]:
    seen = report.outage
    by = ", ".join(f"{count} by {name}" for name, count in seen.answered_by.items() if name)
    back = "did not come back" if seen.back_after_s is None else f"was back after {seen.back_after_s:.1f} s"
    lines = _wrapped(
        f"kill -9 {seen.killed_pid}: the engine of {seen.engine} {back}. Of {seen.asked} requests meanwhile "
        f"{seen.failed} failed; answered: {by}."
    )
    if seen.shown is not None:
        which = "that fell back" if fell_back(seen.shown) else f"for which {seen.engine} was not asked"
        lines += [f"One {which}, as `fairlead call show` tells it:", ""]
        lines += [f"  {line}".rstrip() for line in tell(seen.shown, {seen.shown.call.key: report.key})]
    return lines


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def _labels() -> list[str]:
    return [
        "fields right, %",
        *(f"  {name}" for name in FIELDS.values()),
        "valid JSON, %",
        "  without a schema",
        "  with a JSON schema",
        f"latency p50 / p95, {AT_ONCE} at once",
        "tokens in / out",
        f"cost of {PER_CALLS:,} calls",
    ]


def _cells(one: "Measured") -> list[str]:
    books = one.books
    return [
        "",
        *(_share(one.fields[name]) for name in FIELDS),
        "",
        _share(one.valid_json),
        _share(one.valid_json_with_schema),
        f"{_milliseconds(books.p50_duration_us)} / {_milliseconds(books.p95_duration_us)} ms",
        f"{books.input_tokens:,} / {books.output_tokens:,}",
        _cost(books),
    ]


def _share(share: "Interval | None") -> str:
    if share is None:
        return terminal.NOTHING
    return f"{100 * share.value:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _cost(books: "Summary") -> str:
    if not books.calls:
        return terminal.NOTHING
    return f"{PER_CALLS * books.cost_nusd / books.calls / NUSD:.4f}usd"


def _milliseconds(us: int | None) -> str:
    return terminal.NOTHING if us is None else f"{us / 1000:.0f}"
