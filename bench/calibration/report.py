"""The page and the printed table of a calibration."""

from collections import defaultdict

from calibration.rows import Goal, Row

HEAD = """# Calibration

How often our intervals hold the truth, and how often our decisions are wrong. Made by `make calibration`; not edited by
hand.

Where the number of outcomes is small enough, every one is added up, and nothing is left to chance. The rest is
simulated, with the standard error beside it; a goal counts as missed where the worst case lies more than two of these
beyond it, and is "in error" where it lies less far beyond. A worst case over many simulated ones looks worse than each
is: that is not made up for.

Graded scores that are nearly right but for a few that are worth nothing ("rarely quite wrong") are shown and held to
no goal: samples without any of these do not tell that there are some, and an interval that allows for them is wide for
all.
"""

NAMES = {
    "shares": "A share's 95 % interval: coverage",
    "shares around": "A share's 95 % interval: coverage averaged over p ± .02",
    "shares at worst": "A share's 95 % interval: the worst within p ± .02",
    "lattice": "The least that neighbouring outcomes of 95 % or more can come to, averaged over p ± .02",
    "pairs": "A paired difference's 95 % interval: coverage",
    "pairs around": "A paired difference's 95 % interval: coverage averaged over p ± .02",
    "pairs lattice": "The least that two bounds which are each right in 97.5 % can come to, averaged over p ± .02",
    "means": "Means of graded scores: coverage",
    "differences": "Paired differences of graded scores: coverage",
    "clustered": "Clusters: coverage",
    "false passes": "False passes, with the true difference at the margin",
    "false fails": "False fails, with the true difference at the margin",
    "false passes of looks": "False passes with ten looks",
    "false fails of looks": "False fails with ten looks",
    "oftener undecided": "Undecided after ten planned looks, minus undecided by the exact test alone",
    "undecided at any time": "Undecided after ten looks at any time, minus undecided by the exact test alone",
    "recorded": "Recorded answers, drawn anew: coverage",
    "recorded clusters": "Recorded answers, clusters drawn whole: coverage",
    "judged": "A mean that a judge makes sharper: coverage, by part of the runs",
    "judged bias": "A mean that a judge makes sharper: bias, by part of the runs",
}
SHOWN = 12  # rows of a table; the extremes of longer ones


def table(goals: list[Goal]) -> str:
    """For a terminal."""
    lines = []
    for goal in goals:
        lines.append(f"{_mark(goal):<9} {goal.name} {goal.goal}: {_percent(goal.value, goal.error)} ({goal.worst})")
    return "\n".join(lines)


def page(goals: list[Goal], rows: list[Row], tables: list[str]) -> str:
    lines = [HEAD, _source(tables), "", "| goal | | worst | where | |", "|---|---|--:|---|---|"]
    for goal in goals:
        lines.append(
            f"| {goal.name} | {goal.goal} | {_percent(goal.value, goal.error)} | {goal.worst} | {_mark(goal)} |"
        )
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row.part].append(row)
    for part, name in NAMES.items():
        if parts[part]:
            lines += ["", f"## {name}", "", *_rows(parts[part])]
    return "\n".join(lines) + "\n"


def _mark(goal: Goal) -> str:
    if not goal.met:
        return "MISSED"
    return "met" if goal.is_clear else "in error"


def _source(tables: list[str]) -> str:
    if not tables:
        return "No recorded answers were at hand: those rows are missing."
    return f"Recorded answers: {', '.join(tables)}."


def _rows(rows: list[Row]) -> list[str]:
    ordered = sorted(rows, key=lambda row: row.value)
    half = SHOWN // 2
    shown = rows if len(rows) <= 2 * SHOWN else [*ordered[:half], *ordered[-half:]]
    lines = ["| | |", "|---|--:|"]
    lines += [f"| {row.what}{'' if row.counted else ' *'} | {_percent(row.value, row.error)} |" for row in shown]
    if len(shown) < len(rows):
        middle = ordered[len(ordered) // 2].value
        lines += ["", f"The lowest and highest {half} of {len(rows)}; the median is {_percent(middle, 0)}."]
    if any(not row.counted for row in shown):
        lines += ["", "\\* is shown, and not held to the goal."]
    return lines


def _percent(value: float, error: float) -> str:
    return f"{100 * value:.2f} %" + (f" ± {100 * error:.2f}" if error else "")
