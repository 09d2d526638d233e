"""`fairlead eval run`: a suite is asked of targets and routes. What happens is in `eval_sitting`; here it is shown."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairlead.cli import terminal
from fairlead.cli.eval_screens import screen
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json, note, warn
from fairlead.evals.plans import SPLITS

if TYPE_CHECKING:
    from fairlead.cli.eval_sitting import Outcome


class Money(click.ParamType):
    """`5usd` -> nano-dollars."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from fairlead.config import MONEY
        from fairlead.money import NUSD

        found = MONEY.match(str(value))
        if found is None or not Decimal(found[1]):
            self.fail(f"{value!r} is no amount: such as 5usd", param, ctx)
        return int(Decimal(found[1]) * NUSD)


@click.command()
@click.argument("suite", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--on", "routes", multiple=True, metavar="NAME", help="A route or a target that is asked; repeat it.")
@click.option("--split", type=click.Choice(SPLITS), default="dev", show_default=True, help="Which cases.")
@click.option("--repeats", type=click.IntRange(1, 1000), help="How often each case is asked.  [default: the suite's]")
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="NAME=A,B",
    help="Values of a parameter, or prompt=FILE,FILE: every combination is a candidate; repeat it.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only so many cases.")
@click.option("--max-cost", type=Money(), metavar="AMOUNT", help="Stop before it costs more, such as 5usd.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1024),
    default=8,
    show_default=True,
    help="Questions at once, of each route.",
)
@click.option("--no-cache", is_flag=True, help="Ask anew what another run has an answer to.")
@click.option("--first-word", is_flag=True, help="Ask for streams, so that the time to the first word is known.")
@click.option("--unsandboxed", is_flag=True, help="Run tests of code without a sandbox, where there is none.")
@click.option(
    "--resume",
    metavar="RUN",
    help="Go on with a run that was stopped: its id, or last. Name its SUITE where the folder has moved.",
)
@as_json
@placed
@here
@click.pass_context
def run(
    ctx: click.Context,
    place: Place,
    suite: Path | None,
    routes: tuple[str, ...],
    split: str,
    repeats: int | None,
    sweeps: tuple[str, ...],
    limit: int | None,
    max_cost: int | None,
    concurrency: int,
    no_cache: bool,
    first_word: bool,
    unsandboxed: bool,
    resume: str | None,
    wants_json: bool,
) -> None:
    """Ask a suite of targets or routes, and score what they answer.

    \b
    fairlead eval run suites/invoices --on nano --on mini
    fairlead eval run suites/invoices --on mini --sweep temperature=0,0.7 --max-cost 5usd
    fairlead eval run --resume last

    Where a server runs it is asked there, else in this process. What is stopped, by Ctrl-C, a cap or kill -9, is
    resumed without asking again what was answered. Ends with 1 where it was stopped.
    """
    from fairlead.cli.eval_sitting import Order, sit
    from fairlead.evals.running import Pace

    if resume and (routes or sweeps or limit or repeats):
        raise click.UsageError("a run that is resumed has its targets and cases already")
    if not resume and suite is None:
        raise click.UsageError("which suite? Name its folder, or --resume a run")
    order = Order(
        suite=suite,
        routes=routes,
        sweeps=sweeps,
        split=split,
        repeats=repeats,
        limit=limit,
        max_cost_nusd=max_cost,
        uses_cache=not no_cache,
        streams=first_word,
        unsandboxed=unsandboxed,
        resume=resume or "",
        pace=Pace(concurrency=concurrency),
    )
    shown = screen("questions")
    try:
        outcome = sit(place.settings(), order, shown)
    finally:
        shown.ends()
    _tell(place, outcome, wants_json)
    if outcome.stopped is not None:
        ctx.exit(1)


def _tell(place: Place, outcome: "Outcome", wants_json: bool) -> None:
    from fairlead.cli.eval_runs import opened, show_run
    from fairlead.cli.eval_sitting import going_on
    from fairlead.evals.summing import show

    with opened(place) as store:
        found = show(store, outcome.run)
    if wants_json:
        terminal.show_json({"progress": outcome.progress, "stopped": outcome.stopped, "run": found})
    else:
        show_run(found)
    for text in outcome.warnings:
        warn(text)
    if outcome.stopped is None:
        note(f"Run {outcome.run} is done.")
        return
    warn(f"run {outcome.run} was stopped: {outcome.stopped.why}")
    on = going_on(outcome.run)
    if outcome.stopped.hint and outcome.stopped.hint != on:
        note(f"hint: {outcome.stopped.hint}")
    if not outcome.stopped.hint.startswith(f"{on} "):
        note(f"Go on with it: {on}")
