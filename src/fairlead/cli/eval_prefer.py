"""`fairlead eval prefer`: a judge says, case by case, which of two candidates' answers is better.

What was asked is kept, so that the command goes on where it was stopped, and asks nothing where nothing is left; what
it found is in `compare`, `gate` and `report` from then on, as the metric `preference`.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.eval_options import SPLITS
from fairlead.cli.eval_run import Money
from fairlead.cli.eval_screens import screen
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import NOTHING, as_json, money, note, show_table, warn

if TYPE_CHECKING:
    from fairlead.evals.preferred import Summary

COLUMNS = (
    ("candidate", "left"),
    ("cases", "right"),
    ("preferred", "right"),
    ("95 % interval", "right"),
    ("won", "right"),
    ("lost", "right"),
    ("tied", "right"),
    ("p", "right"),
    ("missing", "right"),
    ("same in both orders", "right"),
)


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="RUN:CANDIDATE...")
@click.option("--split", type=click.Choice(SPLITS), default="all", show_default=True, help="Which cases.")
@click.option(
    "--max-cost", type=Money(), metavar="AMOUNT", help="Stop before all verdicts on these candidates have cost more."
)
@click.option(
    "--concurrency", type=click.IntRange(1, 1024), default=8, show_default=True, help="Questions at once of the judge."
)
@click.option("--suite", "folder", type=click.Path(path_type=Path, exists=True), help="Where the suite lies now.")
@as_json
@placed
@here
@click.pass_context
def prefer(
    ctx: click.Context,
    place: Place,
    refs: tuple[str, ...],
    split: str,
    max_cost: int | None,
    concurrency: int,
    folder: Path | None,
    wants_json: bool,
) -> None:
    """Have the suite's judge say which of two candidates answers better, case by case.

    The base comes first; each other candidate is held against it, in both orders.

    \b
    fairlead eval prefer last                       all candidates of the last run against its first
    fairlead eval prefer last:mini last:nano
    fairlead eval prefer 0197a2:mini 0197b1:mini --max-cost 2usd

    What has a verdict is not asked again: give the same command to go on after Ctrl-C, a cap or kill -9. Ends with 1
    where it was stopped.
    """
    from fairlead.cli.eval_preferring import Order, sit

    order = Order(refs=refs, split=split, max_cost_nusd=max_cost, at_once=concurrency, folder=folder)
    shown = screen("questions to the judge")
    try:
        outcome = sit(place.settings(), order, shown)
    finally:
        shown.ends()
    if wants_json:
        terminal.show_json(outcome)
    else:
        tell(outcome.found)
        again = " ".join(map(shlex.quote, refs))
        note(f"The judge cost {money(outcome.paid_nusd)}; `fairlead eval compare {again}` shows it beside all else.")
    for text in outcome.warnings:
        warn(text)
    if outcome.stopped is not None:
        warn(f"the judge was stopped: {outcome.stopped.why}")
        if outcome.stopped.hint:
            note(f"hint: {outcome.stopped.hint}")
        ctx.exit(1)


def tell(found: "Sequence[Summary]") -> None:
    """For people."""
    show_table(COLUMNS, [_row(one) for one in found], empty="nothing was judged")
    for one in found:
        about = f"{one.candidate} against {one.base}"
        if one.judges:
            judges = ", ".join(f"{bound.target or bound.route} ({bound.model})" for bound in one.judges)
            again = f", {one.use.again} of them asked once more" if one.use.again else ""
            note(f"{about}: judged by {judges}, {one.use.questions} questions{again}")
        if one.settled:
            told = ", ".join(f"{count} {why}" for why, count in one.settled.items())
            note(f"{about}: nobody had to be asked of {told}")
        if one.position is not None:
            note(f"{about}: what stands first wins {100 * one.position.first.value:.1f} %")
        if one.people is not None and one.people.ppi is not None:
            people = one.people.ppi.interval
            note(
                f"{about}: people would prefer it in {100 * people.value:.1f} % ({100 * people.low:.1f} to "
                f"{100 * people.high:.1f}), by {one.people.ppi.labels} labels"
            )
        elif one.people is not None:
            note(f"{about}: {one.people.why}")


def _row(one: "Summary") -> tuple[str, ...]:
    from fairlead.evals.wording import p_value

    name = f"{one.candidate} over {one.base}"
    if one.share is None or one.p_value is None:
        return (name, "0", *[NOTHING] * 6, str(one.missing), NOTHING)
    return (
        name,
        f"{one.cases:,}",
        f"{100 * one.share.value:.1f} %",
        f"{100 * one.share.low:.1f} to {100 * one.share.high:.1f}",
        f"{one.wins:,}",
        f"{one.losses:,}",
        f"{one.ties:,}",
        p_value(one.p_value),
        f"{one.missing:,}",
        NOTHING if one.position is None else f"{100 * one.position.consistent.value:.1f} %",
    )
