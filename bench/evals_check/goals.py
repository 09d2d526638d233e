"""What is checked: a goal with what was found, and a section of the page. Knows nothing of how either comes about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Goal:
    name: str
    goal: Any
    value: Any
    met: bool


@dataclass
class Section:
    title: str
    text: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A Markdown table; a column whose name begins with `-` is right-aligned."""
        names = [name.removeprefix("-") for name in columns]
        sides = ["--:" if name.startswith("-") else "---" for name in columns]
        told = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
        self.text += ["", f"| {' | '.join(names)} |", f"|{'|'.join(sides)}|", *told, ""]

    def check(self, name: str, goal: Any, value: Any, met: bool) -> None:
        self.goals.append(Goal(name, goal, value, bool(met)))


def near(value: float, wanted: float, within: float) -> bool:
    return abs(value - wanted) <= within + 1e-9


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
