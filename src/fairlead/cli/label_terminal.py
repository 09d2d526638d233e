"""Labelling in a terminal: one answer on the screen, single keys, until the goal is reached or somebody has had enough.

It knows keys and how a screen looks; what is shown next, and what becomes of a label, is the desk's. Answers are text
of strangers: what could steer a terminal is taken out of them.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from fairlead.cli.terminal import note
from fairlead.errors import RequestInvalid

if TYPE_CHECKING:
    from fairlead.evals.labelling.desk import Desk
    from fairlead.evals.labelling.drawing import Shown
    from fairlead.evals.rubrics import Dimension

SIDES = {"1": "first", "2": "second", "0": "neither"}
KEYS = "s skip   u undo   n note   ? rubric   q stop"
MOST_STEPS = 10  # that single keys can name
GONE = "�"

ReadKey = Callable[[], str]
ReadLine = Callable[[str], str]


class _Stop(Exception):
    """Whoever labels has had enough."""


class _Back(Exception):
    """What was said last is taken back."""


class _Skip(Exception):
    pass


def label(desk: "Desk", read_key: ReadKey = click.getchar, read_line: ReadLine | None = None) -> None:
    """Until nothing is left, or until `q`, Ctrl-C or Ctrl-D."""
    asking = _Asking(desk, read_key, read_line or (lambda about: click.prompt(about, default="", err=True)))
    try:
        while (shown := desk.next()) is not None:
            asking.one(shown)
    except (_Stop, KeyboardInterrupt, EOFError, click.Abort):
        note("stopped: what you said is kept, start again to go on")


class _Asking:
    def __init__(self, desk: "Desk", read_key: ReadKey, read_line: ReadLine) -> None:
        self._desk = desk
        self._read_key = read_key
        self._read_line = read_line
        self._note = ""
        self._given: dict[str, int] = {}  # scores of the answer on the screen

    def one(self, shown: "Shown") -> None:
        began, self._note, self._given = time.monotonic(), "", {}
        self._draw(shown)
        try:
            said = self._side() if self._desk.setting.pairs else self._scores()
            took_us = round((time.monotonic() - began) * 1_000_000)
            self._desk.give(shown.answer_hash, said, note=self._note, took_us=took_us)
        except _Skip:
            self._desk.skip(shown.answer_hash)
        except _Back:
            if not self._given and self._desk.undo() is None:
                note("nothing to undo")
        except RequestInvalid as error:
            note(error.message)

    def _side(self) -> str:
        return SIDES[self._key("1 first is better, 2 second, 0 neither", tuple(SIDES))]

    def _scores(self) -> Mapping[str, int]:
        for one in self._desk.setting.rubric.dimensions:
            self._given[one.name] = self._score(one)
        return self._given

    def _score(self, one: "Dimension") -> int:
        about = f"{one.name}, {one.low} to {one.high}"
        if len(one.steps) > MOST_STEPS or one.low < 0 or one.high > MOST_STEPS:
            return self._number(about, one)
        keys = {str(step % 10): step for step in one.steps}
        return keys[self._key(about, tuple(keys))]

    def _number(self, about: str, one: "Dimension") -> int:
        """Typed, with Enter; the letters of the keys mean what they always do."""
        while True:
            said = self._read_line(about).strip()
            if said.lstrip("-").isdigit() and int(said) in one.steps:
                return int(said)
            if said:
                self._act(said)

    def _key(self, about: str, wanted: tuple[str, ...]) -> str:
        click.echo(f"{click.style(about, bold=True)}   {click.style(KEYS, dim=True)}", err=True)
        while True:
            key = self._read_key()
            if key in wanted:
                return key
            self._act(key)

    def _act(self, key: str) -> None:
        if key in ("q", "\x03", "\x04", ""):
            raise _Stop
        if key == "u":
            raise _Back
        if key == "s":
            raise _Skip
        if key == "n":
            self._note = self._read_line("note")
        if key == "?":
            self._explain()

    def _draw(self, shown: "Shown") -> None:
        from rich.console import Console
        from rich.panel import Panel
        from rich.text import Text

        console = Console(stderr=True, highlight=False)
        if console.is_terminal:
            console.clear()
        done = self._desk.progress()
        console.print(f"case {min(done.done + 1, done.goal)} of {done.goal} ({done.cases} in all)", style="dim")
        console.print(Panel(Text(harmless(shown.asked)), title="asked", title_align="left", border_style="dim"))
        texts = {"answer": shown.answer}
        if self._desk.setting.pairs:
            sides = (shown.other, shown.answer) if shown.flipped else (shown.answer, shown.other)
            texts = dict(zip(("first", "second"), sides, strict=True))
        for title, text in texts.items():
            console.print(Panel(Text(harmless(text)), title=title, title_align="left", border_style="cyan"))

    def _explain(self) -> None:
        rubric = self._desk.setting.rubric
        if rubric.about:
            note(rubric.about)
        for one in rubric.dimensions:
            note(f"{one.name}: {one.what}")
            for step, text in sorted(one.anchors.items()):
                note(f"  {step}: {text}")


def harmless(text: str) -> str:
    """Without what could move a cursor, change colours or write elsewhere."""
    return "".join(char if char.isprintable() or char in "\n\t" else GONE for char in text)
