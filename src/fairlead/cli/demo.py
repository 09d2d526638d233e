"""`fairlead demo`: real models answer through the gateway, metered; the target is swapped, an engine dies, all is told.

What is done is in `fairlead.demo`; this file shows it.
"""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.cli.terminal import note, say, show

if TYPE_CHECKING:
    from fairlead.demo.story import Report, Running

FEWEST, MOST = 8, 10_000

NEXT = """\
  fairlead init                      # a fairlead.toml for the keys and model servers found on this machine
  fairlead serve                     # what it says; without one, both shipped models
  fairlead key new --name my-app     # then, in the application: base_url="http://HOST:PORT/v1", api_key=that key"""


class Screen:
    """A `story.Stage`: everything that is told on the way goes to stderr."""

    def say(self, text: str) -> None:
        note(text)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], object]]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True, highlight=False)) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)


@click.command()
@click.option("--once", is_flag=True, help="End, and clean up, instead of serving on.")
@click.option(
    "--requests",
    type=click.IntRange(FEWEST, MOST),
    default=200,
    show_default=True,
    help="How many documents each target reads.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Where it serves.  [default: 4000, or any that is free]")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where its configuration and data are kept.  [default: a temporary folder]",
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures there.")
def demo(once: bool, requests: int, port: int | None, folder: Path | None, json_file: Path | None) -> None:
    """See real models answer through the gateway, metered.

    Two small models that ship with Fairlead read made-up invoices and tickets, asked through the official openai
    client. Then the configuration is edited and another model answers the same client; an engine is killed; and the
    ledger is compared with what was sent. Ends with exit code 1 if anything did not hold.
    """
    place = (folder or Path(tempfile.mkdtemp(prefix="fairlead-demo-"))).resolve()
    try:
        problems = asyncio.run(_demonstrate(place, port or 0, requests, json_file, once))
    except asyncio.CancelledError:  # by SIGTERM; the server was stopped on the way out
        raise KeyboardInterrupt from None
    if problems:
        note(f"configuration, log and books are kept in {place}")
        raise click.exceptions.Exit(1)
    if once and folder is None:
        shutil.rmtree(place, ignore_errors=True)


async def _demonstrate(folder: Path, port: int, requests: int, json_file: Path | None, once: bool) -> tuple[str, ...]:
    from fairlead.demo import story

    us = asyncio.current_task()
    assert us is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, us.cancel)
    async with story.running(folder, port, Screen()) as here:
        report = await story.play(here, requests, Screen())
        _tell(report)
        if json_file:
            _write(report, json_file)
        if once:
            say(f"\nNext:\n\n{NEXT}")
        else:
            await _serve_on(here)
    return report.problems


def _write(report: "Report", file: Path) -> None:
    import msgspec

    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def _tell(report: "Report") -> None:
    from fairlead.cli.demo_report import outage_lines, table, verdict_lines

    say()
    show(table(report))
    for line in (*verdict_lines(report), "", *outage_lines(report), ""):
        say(line)
    held = f"{report.sent} requests were sent, and {report.in_books} calls stand in the ledger."
    say(held)
    for problem in report.problems:
        note(f"{click.style('did not hold:', fg='red', bold=True)} {problem}")


async def _serve_on(here: "Running") -> None:
    from fairlead.cli.serve import curl

    file = here.served.config_file
    say(f"""
It serves on, until Ctrl-C. To try by hand:

  export FAIRLEAD_KEY={here.key.secret}
  {curl(here.served.url.removeprefix("http://"))}

What it did, and what it would do with a provider of yours:

  fairlead call list -c {file}
  fairlead call summary --by route,target -c {file}
{NEXT}
""")
    with suppress(asyncio.CancelledError):  # Ctrl-C: the server is stopped on the way out
        await here.served.process.wait()
        note("the server ended by itself; its log is " + str(file.with_name("serve.log")))
        return
    note(f"stopping; configuration, keys and calls stay in {file.parent}")
