"""`fairlead eval judge`: what people's labels make of a judge's scores, and what kind of a judge it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairlead.cli import terminal
from fairlead.cli.eval_runs import opened
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import NOTHING, as_json, money, note, show_table, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairlead.evals.agreeing import Agreements
    from fairlead.evals.correcting import Corrected, Decided, Evidence
    from fairlead.evals.material import Named
    from fairlead.stats.intervals import Interval
    from fairlead.store.evals.labels import LabelRow

ESTIMATES = (
    ("candidate", "left"),
    ("cases", "right"),
    ("labelled", "right"),
    ("judge alone", "right"),
    ("corrected", "right"),
    ("interval", "right"),
    ("worth labels", "right"),
    ("more to halve", "right"),
)
AGREED = (("between", "left"), ("answers", "right"), ("the same", "right"), ("interval", "right"), ("kappa", "right"))


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="SUITE|RUN|RUN:CANDIDATE...")
@click.option("--metric", default="", metavar="NAME", help="What was judged.  [default: what the judge scores]")
@click.option("--base", default="", metavar="NAME", help="Whom the others are compared with.  [default: the first]")
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of all intervals.",
)
@click.option(
    "--margin", type=click.FloatRange(min=0), metavar="M", help="How much less is as good.  [default: the suite's]"
)
@click.option("--suite", "folder", type=click.Path(path_type=Path, exists=True), help="Where the suite lies now.")
@as_json
@placed
@here
def judge(
    place: Place,
    refs: tuple[str, ...],
    metric: str,
    base: str,
    confidence: float,
    margin: float | None,
    folder: Path | None,
    wants_json: bool,
) -> None:
    """Show a judge's scores as people's labels correct them, and how far it can be trusted.

    \b
    fairlead eval judge suites/meetings
    fairlead eval judge RUN RUN --base old
    fairlead eval judge last:mini last:nano        what it prefers of two (fairlead eval prefer)
    """
    from fairlead.evals.material import look, named

    with opened(place) as store:
        material = named(store, refs, metric=metric, folder=folder)
        labels = material.book.read()
        looked = look(store, material, "judge")
    known = material.evidence
    if margin is None:
        margin = material.suite.primary.margin if material.metric == material.suite.primary.name else None
    report = _report(known, labels, material, base or material.base, confidence, margin or 0.0)
    if wants_json:
        terminal.show_json(report)
        return
    _tell(material.suite.name, known, report)
    _tell_agreement(report["agreement"])
    if looked:
        note(looked)
    if report["drift"]:
        note(f"{report['drift'].anchors} anchors, since they were first judged: {_signed(report['drift'].difference)}")
    for text in report["warnings"]:
        warn(text)


def _report(
    known: "Evidence", labels: "Sequence[LabelRow]", material: "Named", base: str, confidence: float, margin: float
) -> dict[str, Any]:
    from fairlead.evals.agreeing import agreements
    from fairlead.evals.anchors import drift
    from fairlead.evals.correcting import corrected, decided

    drifted = drift(labels, known.rubric, run=material.last_run) or drift(labels, known.rubric)
    others = [one for one in known.candidates if one != base]
    return {
        "metric": known.metric,
        "rubric": known.rubric,
        "judges": known.judges,
        "use": known.use,
        "labellers": known.labellers,
        "skipped": known.skipped,
        "candidates": [corrected(known, one, confidence=confidence) for one in known.candidates],
        "base": base,
        "differences": [decided(known, base, one, margin, confidence=confidence) for one in others],
        "agreement": agreements(material.each_once, material.beside),
        "drift": drifted,
        "warnings": [*known.warnings, *([drifted.warning] if drifted and drifted.warning else [])],
    }


def _tell(suite: str, known: "Evidence", report: dict[str, Any]) -> None:
    judges = ", ".join(f"{one.target or one.route} ({one.model})" for one in known.judges) or "no judge"
    people = ", ".join(f"{by} {count}" for by, count in known.labellers.items()) or "nobody yet"
    note(f"{suite}, {known.metric}: judged by {judges}, labelled by {people}")
    if known.use.questions:
        again = f", {known.use.again} of them asked once more" if known.use.again else ""
        note(f"the judge: {known.use.questions} questions{again}, {money(known.use.cost_nusd)}")
    alone, differences = report["candidates"], report["differences"]
    show_table(ESTIMATES, [_row(one, one.candidate) for one in alone], empty="nothing was judged")
    if differences:
        names = [
            _row(one.corrected, f"{one.corrected.candidate} - {report['base']}", signed=True) for one in differences
        ]
        show_table((("difference", "left"), *ESTIMATES[1:]), names, empty="")
    for one in alone:
        if one.ppi is None:
            note(f"{one.candidate}: {one.why}")
        if one.missing:
            warn(f"{one.candidate}: {one.missing} of {one.cases} cases have no verdict, and are left out")
    for one in differences:
        note(_sentence(one, report["base"]))


def _sentence(one: "Decided", base: str) -> str:
    from fairlead.evals.wording import between, size, words

    about = f"{one.corrected.candidate} against {base}"
    if one.inner is None:
        return f"{about}: {one.corrected.why}"
    told = f"{words(one.said)}, at a margin of {size(one.margin, True)}"
    text = f"{about}, corrected: {told} ({between(one.inner, True)} points)"
    if one.more:
        return f"{text}; about {one.more} more labels would decide"
    return f"{text}; more cases are wanted" if one.said[0].word == "undecided" else text


def _row(one: "Corrected", name: str, *, signed: bool = False) -> tuple[str, ...]:
    if one.ppi is None:
        return (name, str(one.cases), str(one.labelled), *[NOTHING] * 5)
    interval, sign = one.ppi.interval, "+" if signed else ""
    return (
        name,
        str(one.cases),
        str(one.labelled),
        f"{one.ppi.judge_alone:{sign}.3f}",
        f"{interval.value:{sign}.3f}",
        f"{interval.low:{sign}.3f} to {interval.high:{sign}.3f}",
        f"{one.ppi.effective:.0f}" + (" (no judge)" if one.ppi.method == "labels" else ""),
        NOTHING if one.ppi.more is None else str(one.ppi.more),
    )


def _tell_agreement(found: "Agreements") -> None:
    from fairlead.stats.agreement import LengthBias

    between = {f"judge, people: {name}": one for name, one in found.dimensions.items()} | dict(found.people)
    rows = [
        (
            name,
            str(one.answers),
            _share(one.same.value),
            f"{_share(one.same.low)} to {_share(one.same.high)}",
            _kappa(one.kappa),
        )
        for name, one in between.items()
    ]
    if rows:
        show_table(AGREED, rows, empty="")
    if isinstance(found.longer, LengthBias):
        note(f"the judge prefers the longer answer oftener than people, by {_signed(found.longer.longer)}")
    elif found.longer is not None:
        note(f"twice the length adds to what the judge gives above people: {_signed(found.longer)}")
    if found.position is not None:
        kept = found.position.consistent
        note(
            f"{_share(kept.value)} of {found.position.pairs} pairs keep their verdict when the answers change places "
            f"({_share(kept.low)} to {_share(kept.high)}); the first place wins {_share(found.position.first.value)}"
        )


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _kappa(of: "Interval") -> str:
    return f"{of.value:.2f} ({of.low:.2f} to {of.high:.2f})"


def _signed(of: "Interval") -> str:
    return f"{of.value:+.3f} ({of.low:+.3f} to {of.high:+.3f})"
