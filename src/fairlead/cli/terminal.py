"""What a terminal shows: data on stdout as a table or as JSON, everything said to people on stderr.

Tables are as wide as the terminal; into a pipe or a file they go without colours and without being cut.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
PIPE_WIDTH = 240
NOTHING = "–"
STYLES = {
    "ok": "green",
    "ready": "green",
    "warn": "yellow",
    "denied": "yellow",
    "cancelled": "yellow",
    "starting": "yellow",
    "fail": "red",
    "failed": "red",
    "lost": "red",
    "down": "red",
    "broken": "red",
    "revoked": "red",
    "expired": "red",
}

Column = tuple[str, str]  # a heading, and "left" or "right"


def as_json(command: F) -> F:
    """Gives a command that reads something the option `--json`."""
    return click.option("--json", "wants_json", is_flag=True, help="Print JSON.")(command)


def show_json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """`empty` is said, on stderr, where there are no rows. A cell that is a known state has its colour."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading, side in columns:
        table.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    if table.row_count:
        show(table)
    else:
        note(empty)


def show(what: Any) -> None:
    """Anything that rich can draw, on stdout."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    with console.capture() as drawn:
        console.print(what)
    click.echo("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def say(text: str = "") -> None:
    """A line of data."""
    click.echo(text)


def note(text: str = "") -> None:
    """A line for people: on stderr."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    tell("warning:", text, "yellow")


def tell(label: str, text: str, color: str) -> None:
    """A line for people that begins with a word in colour, where colours are wanted."""
    from fairlead.config import environment

    click.echo(
        f"{click.style(label, fg=color, bold=True)} {text}", err=True, color=False if environment("NO_COLOR") else None
    )


def money(nusd: int | None, *, estimated: bool = False) -> str:
    """`0.00012usd`, `~0.01usd` where it was estimated, `unknown`."""
    from fairlead.money import format_usd

    return ("~" if estimated and nusd is not None else "") + format_usd(nusd)


def price(nusd_per_mtok: int | None) -> str:
    """US dollars per million tokens."""
    from fairlead.money import NUSD

    return "unknown" if nusd_per_mtok is None else f"{nusd_per_mtok / NUSD:g}"


def duration(us: int | None) -> str:
    if us is None:
        return NOTHING
    if us < 1000:
        return f"{us} µs"
    if us < 1_000_000:
        return f"{us / 1000:.0f} ms" if us >= 10_000 else f"{us / 1000:.1f} ms"
    if us < 60_000_000:
        return f"{us / 1_000_000:.2f} s"
    minutes, seconds = divmod(us // 1_000_000, 60)
    return f"{minutes} min {seconds:02d} s"


def moment(at_us: int | None) -> str:
    """In the machine's own time zone, to the second."""
    if at_us is None:
        return NOTHING
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def short(id: str) -> str:
    """As much of an id as tells calls apart: its millisecond and twelve random bits."""
    return id[:16]
