"""`fairlead eval list`, `show` and `score`: the runs that there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json, note

if TYPE_CHECKING:
    from fairlead.evals.summing import CandidateShown, MetricShown, RunShown
    from fairlead.evals.wholes import Whole
    from fairlead.store.opening import Store

RUNS = (
    ("run", "left"),
    ("suite", "left"),
    ("split", "left"),
    ("begun", "left"),
    ("status", "left"),
    ("answers", "right"),
    ("candidates", "left"),
    ("cost", "right"),
)
WHOLE = (
    ("candidate", "left"),
    ("of all answers", "left"),
    ("macro-F1", "right"),
    ("taken for another", "left"),
    ("pass", "left"),
)
PAID_FOR = {"answer": "answers", "judge": "the judge", "user": "who played the user", "scorer": "vectors"}
MOST_TOLD = 4  # labels that were taken for another
SHORT = 16  # of a run's id
SHOWN = 40  # characters of a list of candidates
LONGEST = 160  # characters of what went wrong


@contextmanager
def opened(place: Place) -> "Iterator[Store]":
    """The evaluation store of a place, if there is one. Raises StoreMismatch, OperatorError."""
    from fairlead.store.evals.opening import open_evals

    with open_evals(place.folder(), place.store(), create=False) as store:
        yield store


@click.command(name="list")
@click.option("--suite", default="", metavar="NAME", help="Only of this suite.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="So many at most.")
@as_json
@placed
@here
def list_(place: Place, suite: str, limit: int, wants_json: bool) -> None:
    """List the last runs, the newest first."""
    from fairlead.evals.beginning import read_plan
    from fairlead.store.evals import runs

    with opened(place) as store, store.read() as connection:
        found = [(row, runs.tally(connection, row.id)) for row in runs.list_runs(connection, name=suite, limit=limit)]
    if wants_json:
        terminal.show_json([{"run": row, "tally": tally} for row, tally in found])
        return
    rows = []
    for row, tally in found:
        names = ", ".join(one.name for one in read_plan(row).candidates)
        rows.append(
            (
                row.id[:SHORT],
                row.name,
                row.split,
                terminal.moment(row.at_us),
                f"{row.status}, kept" if row.kept else row.status,
                f"{tally.answers} of {row.planned}",
                names if len(names) <= SHOWN else f"{names[:SHOWN]}…",
                terminal.money(tally.cost_nusd),
            )
        )
    terminal.show_table(RUNS, rows, empty="nothing was run yet")


@click.command()
@click.argument("run")
@click.option("--holdout", is_flag=True, help="With the scores of the sealed cases. It is counted as a look at them.")
@as_json
@placed
@here
def show(place: Place, run: str, holdout: bool, wants_json: bool) -> None:
    """Show what a run came to: RUN is its id, its first characters, or last."""
    from fairlead.evals import summing

    with opened(place) as store:
        found = summing.show(store, run, holdout=holdout)
    if wants_json:
        terminal.show_json(found)
    else:
        show_run(found)


@click.command()
@click.argument("run")
@click.option("--suite", type=click.Path(path_type=Path, exists=True), help="Its folder.  [default: where it was]")
@click.option("--unsandboxed", is_flag=True, help="Run tests of code without a sandbox, where there is none.")
@as_json
@placed
@here
def score(place: Place, run: str, suite: Path | None, unsandboxed: bool, wants_json: bool) -> None:
    """Score the answers of a run again, where scorers, gold or judge have changed. No target is asked.

    What was stopped is gone on with: answers that have their scores already are not judged again.
    """
    from fairlead.cli.eval_rescoring import rescore

    found = rescore(place.settings(), run, suite, unsandboxed=unsandboxed)
    if wants_json:
        terminal.show_json(found)
        return
    before = f"; {found.before} had their scores already" if found.before else ""
    missing = f"; {found.missing} scores are missing: `fairlead eval show` tells why" if found.missing else ""
    note(f"{found.answers} answers were scored again{before}{missing}.")


def show_run(found: "RunShown") -> None:
    """For people, on stdout."""
    terminal.say(f"{found.suite}, {found.split} ({found.answers} of {found.planned} answers), run {found.id}")
    names = tuple(dict.fromkeys(name for one in found.candidates for name in one.metrics))
    columns = (("candidate", "left"), *((name, "right") for name in names))
    columns += (("not ok", "right"), ("cost", "right"), ("median", "right"))
    terminal.show_table(columns, [_row(one, names) for one in found.candidates], empty="nobody was asked")
    of_all = [_whole(one.name, metric, whole) for one in found.candidates for metric, whole in one.wholes.items()]
    if of_all:
        terminal.say()
        terminal.show_table(WHOLE, of_all, empty="")
    for one in found.candidates:
        for text in _what_is_wrong(one):
            note(text)
    if found.spent:
        parts = [f"{terminal.money(one.cost_nusd)} for {PAID_FOR[what]}" for what, one in found.spent.items()]
        unpriced = sum(one.unpriced for one in found.spent.values())
        note(f"Paid: {', '.join(parts)}" + (f"; what {unpriced} questions cost is not known." if unpriced else "."))
    if found.sealed:
        note(f"The scores of the sealed hold-out are not shown; it was looked at {found.looks} times.")


def _what_is_wrong(one: "CandidateShown") -> Iterator[str]:
    """What was said of answers that are not ok, and why scores are missing: the most frequent of each."""
    for status, said in one.wrong.items():
        yield f"{one.name}: {one.statuses[status]} {status}, such as: {_short(said)}"
    for name, metric in one.metrics.items():
        if metric.missing:
            why = next(iter(metric.why), "it was not scored yet")
            yield f"{one.name}: {metric.missing} missing in {name}, such as: {_short(why)}"


def _short(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _row(one: "CandidateShown", names: tuple[str, ...]) -> tuple[str, ...]:
    wrong = {status: count for status, count in one.statuses.items() if status != "ok"}
    return (
        one.name,
        *(_mean(one.metrics.get(name)) for name in names),
        ", ".join(f"{count} {status}" for status, count in wrong.items()) or "0",
        terminal.money(one.cost_nusd),
        terminal.duration(one.median_us),
    )


def _whole(candidate: str, metric: str, whole: "Whole") -> tuple[str, ...]:
    mixed = [f"{one.gold} as {one.label} {one.count}" for one in whole.confusion if one.gold != one.label]
    return (
        candidate,
        metric,
        terminal.NOTHING if whole.macro_f1 is None else f"{whole.macro_f1:.3f}",
        ", ".join(mixed[:MOST_TOLD]) or terminal.NOTHING,
        ", ".join(f"@{k} {share:.3f}" for k, share in whole.pass_at.items()) or terminal.NOTHING,
    )


def _mean(metric: "MetricShown | None") -> str:
    if metric is None or metric.mean is None:
        return terminal.NOTHING
    missing = f", {metric.missing} missing" if metric.missing else ""
    return f"{metric.mean.value:.3f} ({metric.mean.low:.3f} to {metric.mean.high:.3f}{missing})"
