"""What is shown while an evaluation asks, and how it is interrupted: for runs, and for judges who compare."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from fairlead.cli import terminal
from fairlead.cli.terminal import note

if TYPE_CHECKING:
    from fairlead.evals.running import Progress, Stopped

TOLD_EVERY = 0.1  # of all answers, where there is no terminal to draw on
SHOWN_EVERY_S = 0.25  # drawing takes time of what is asked for
INTERRUPTED = "it was interrupted"


class Stoppable(Protocol):
    @property
    def stopped(self) -> "Stopped | None": ...
    def stop(self, why: str, hint: str = "") -> None: ...


class Screen(Protocol):
    """What is shown meanwhile. `what` is told before it begins."""

    def begins(self, what: str, planned: int) -> None: ...
    def shows(self, progress: "Progress") -> None: ...
    def ends(self) -> None: ...


def screen(things: str) -> Screen:
    """A bar on a terminal, lines elsewhere. `things` are what is counted."""
    return _Bar() if sys.stderr.isatty() else _Lines(things)


@contextmanager
def interruptible(asking: Stoppable, hint: str) -> Iterator[None]:
    """Ctrl-C stops asking, and what was asked is waited for; a second one does not wait, and leaves the block at once.
    In a running loop."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    is_hurried = False

    def interrupted() -> None:
        nonlocal is_hurried
        if asking.stopped is not None:
            is_hurried = True
            task.cancel()
            return
        note("Stopping: what was asked is waited for. Ctrl-C again does not wait.")
        asking.stop(INTERRUPTED, hint)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    except asyncio.CancelledError:
        if not is_hurried:
            raise
        task.uncancel()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


class _Lines:
    """For a log: a line at each tenth."""

    def __init__(self, things: str) -> None:
        self._things = things
        self._next = 0.0

    def begins(self, what: str, planned: int) -> None:
        self._next = 0.0
        note(f"{what}: {planned} {self._things}.")

    def shows(self, progress: "Progress") -> None:
        share = progress.done / progress.planned
        if share >= self._next or progress.done == progress.planned:
            self._next = share + TOLD_EVERY
            note(f"{progress.done} of {progress.planned}{_beside(progress)}")

    def ends(self) -> None: ...


class _Bar:
    """For a terminal: a bar with the rate, the cost so far, and what went wrong."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[beside]}"),
            console=Console(file=sys.stderr),
            refresh_per_second=round(1 / SHOWN_EVERY_S),
        )
        self._task: Any = None
        self._progress: Progress | None = None
        self._drawn = 0.0

    def begins(self, what: str, planned: int) -> None:
        note(f"{what}.")
        self._task = self._bar.add_task("", total=planned, rate="", beside="")
        self._bar.start()

    def shows(self, progress: "Progress") -> None:
        self._progress = progress
        if time.monotonic() - self._drawn >= SHOWN_EVERY_S:
            self._draw(progress)

    def _draw(self, progress: "Progress") -> None:
        self._drawn = time.monotonic()
        speed = self._bar.tasks[self._task].speed
        rate = f"{speed:.1f}/s" if speed else ""
        self._bar.update(self._task, completed=progress.done, rate=rate, beside=_beside(progress).lstrip(", "))

    def ends(self) -> None:
        if self._progress is not None:
            self._draw(self._progress)
        self._bar.stop()


def _beside(progress: "Progress") -> str:
    counts = {
        "taken from other runs": progress.cached,
        "failed": progress.failed,
        "without score": progress.missing,
    }
    said = [f"{count} {what}" for what, count in counts.items() if count]
    if progress.waiting:
        said.append("waiting for room under a limit")
    if progress.cost_nusd or not progress.unpriced:
        said.insert(0, terminal.money(progress.cost_nusd))
    if progress.unpriced:
        said.append(f"{progress.unpriced} of unknown cost")
    return "".join(f", {one}" for one in said)
