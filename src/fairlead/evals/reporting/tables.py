"""The tables of a comparison, whatever they are shown in (page, Markdown, terminal): what they are of, their columns,
and their cells in words.

A column whose name begins with `-` is of numbers. Cells may be words of strangers: whoever writes them escapes them.
"""

from collections.abc import Sequence

from msgspec import Struct

from fairlead.evals.comparing import Comparison, Measured, Tagged
from fairlead.evals.reporting.content import JUDGED_COLUMNS, Judged, Report
from fairlead.evals.wording import amount, between, interval, p_value, signed, words
from fairlead.money import NUSD

SAID = ("metric", "role", "-base", "-candidate", "-difference", "-95 % interval", "-won", "-lost", "-p", "verdict")
ALONE = ("-cases", "-missing", "-cost of 1,000 answers", "-median time")
TAGGED = ("-cases", "-base", "-candidate", "-difference", "-95 % interval", "-p, all tags")
TURNS = ("candidate", "-conversations", "mean by turn", "-slope per turn", "-95 % interval")


class Table(Struct, frozen=True):
    """`of` says what it is of, for whoever does not see what stands above it."""

    of: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def metrics(one: Comparison) -> Table:
    rows = [_measured(measured) for measured in (one.primary, *one.others)]
    return Table(f"{one.candidate} against {one.base}", SAID, rows)


def candidates(report: Report) -> Table:
    rows = []
    for one in report.candidates:
        of = one.standing
        mean = interval(of.mean, report.is_share) if of else "no score"
        rest = (str(of.missing), _cost(of.cost_nusd), _duration(of.latency_us)) if of else ("", "", "")
        rows.append((one.name, f"{one.cases:,}", mean, *rest))
    cases, *others = ALONE
    return Table("Candidates", ("candidate", cases, f"-{report.metric}, 95 %", *others), rows)


def tags(one: Comparison) -> Table:
    """Where a judge gave the scores, each tag says whether people's labels correct its difference."""
    share, is_judged = one.primary.is_share, one.primary.people is not None
    rows = [
        (
            tagged.tag,
            f"{tagged.cases:,}",
            amount(tagged.base, share),
            amount(tagged.candidate, share),
            signed(tagged.difference.value, share),
            between(tagged.difference, share),
            p_value(tagged.p_adjusted),
            *([_whose(tagged)] if is_judged else []),
        )
        for tagged in one.tags
    ]
    columns = (f"tag ({one.candidate})", *TAGGED, *(["whose difference"] if is_judged else []))
    return Table(f"{one.candidate} against {one.base}, by tag", columns, rows)


def turns(report: Report) -> Table:
    share = report.is_share
    rows = [
        (
            one.candidate,
            f"{one.cases:,}",
            " → ".join(amount(at.mean.value, share) for at in one.turns),
            signed(one.slope.value, share) if one.slope else "",
            between(one.slope, share) if one.slope else "",
        )
        for one in report.turns
    ]
    return Table("Turns", TURNS, rows)


def judged(told: Judged) -> Table:
    return Table(f"What people would say: {told.metric}", JUDGED_COLUMNS, told.rows)


def sources(report: Report) -> Table:
    rows = [(source.name, name, value) for source in report.sources for name, value in source.facts.items()]
    return Table("How it was run", ("source", "what", "value"), rows)


def _measured(measured: Measured) -> tuple[str, ...]:
    share = measured.is_share
    sides = [amount(of.mean.value, share) if of else "" for of in (measured.base, measured.candidate)]
    if measured.verdict is None or measured.outer is None:
        return (measured.metric, measured.role, *sides, "", "", "", "", "", "no score of both")
    found = measured.verdict.paired
    difference = (signed(measured.outer.value, share), between(measured.outer, share))
    counts = (f"{found.wins:,}", f"{found.losses:,}")
    if measured.people is not None and measured.people.outer is not None:  # the judge's words beside people's
        sides, counts = [f"{side} (judge)" if side else "" for side in sides], ("", "")
        difference = (f"{difference[0]} (people)", difference[1])
    return (
        measured.metric,
        measured.role,
        *sides,
        *difference,
        *counts,
        p_value(measured.p_value),
        words(measured.said),
    )


def _whose(tagged: Tagged) -> str:
    if tagged.people is None or not tagged.is_corrected:
        return "the judge's alone"
    return f"corrected by {tagged.people.labels:,} labels"


def _duration(us: int | None) -> str:
    return "" if us is None else f"{us / 1_000_000:,.2f} s"


def _cost(nusd: int | None) -> str:
    """Of 1,000 answers: one costs too little to be read."""
    return "" if nusd is None else f"{1000 * nusd / NUSD:,.4g} USD"
