"""How a trial is told: goals as a table, in a page of docs/ and in build/."""

import json
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Goal(NamedTuple):
    """`goal` is None for what is only told."""

    name: str
    value: float
    goal: str | None = None
    met: bool | None = None


def no_more_than(name: str, value: float, most: float) -> Goal:
    return Goal(name, value, f"<= {most:g}", value <= most)


def exactly(name: str, value: float, wanted: float = 0) -> Goal:
    return Goal(name, value, f"{wanted:g}", value == wanted)


def told(name: str, value: float) -> Goal:
    return Goal(name, value)


def table(goals: list[Goal]) -> str:
    lines = ["| | | goal | |", "|---|--:|--:|---|"]
    for goal in goals:
        shown = (
            f"{goal.value:,.4f}".rstrip("0").removesuffix(".") if isinstance(goal.value, float) else f"{goal.value:,}"
        )
        mark = "" if goal.met is None else "met" if goal.met else "**missed**"
        lines.append(f"| {goal.name} | {shown} | {goal.goal or ''} | {mark} |")
    return "\n".join(lines) + "\n"


def write(name: str, head: str, goals: list[Goal], *, page: bool) -> str:
    """The table; in build/NAME.json too, and as docs/NAME.md where it is `page`."""
    said = table(goals)
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / f"{name}.json").write_text(json.dumps({"goals": [goal._asdict() for goal in goals]}, indent=1) + "\n")
    if page:
        (ROOT / "docs" / f"{name}.md").write_text(f"{head}\n{said}")
    return said
