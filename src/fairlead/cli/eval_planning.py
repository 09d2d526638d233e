"""`fairlead eval power` and `noise`: what cases could show, and what changes by itself."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

from fairlead.cli import terminal
from fairlead.cli.eval_options import Typed, scored
from fairlead.cli.eval_sources import gathered, rules_of
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json
from fairlead.errors import RequestInvalid

if TYPE_CHECKING:
    from fairlead.evals.outlook import Outlook
    from fairlead.stats.power import Design

FLIPS = 0.06  # which share of cases two good candidates decide differently, where nothing is known yet
GOALS = ("pass", "equivalent", "better")


@click.command()
@scored("SUITE|RUN|FILE|NAME", rules=False)
@click.option("--cases", type=click.IntRange(min=2), metavar="N", help="How many.  [default: those of what is named]")
@click.option("--clusters", type=click.IntRange(min=2), metavar="K", help="In how many clusters they come.")
@click.option(
    "--flips",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Share of cases that the two decide differently.  [default: what was measured, else 0.06]",
)
@click.option(
    "--margin", type=click.FloatRange(min=0, min_open=True), metavar="M", help="[default: the suite's, else 0.02]"
)
@click.option("--difference", type=float, default=0.0, show_default=True, help="The true one, candidate minus base.")
@click.option("--goal", type=click.Choice(GOALS), default="pass", show_default=True, help="What should be shown.")
@click.option("--metric", metavar="NAME", help="[default: the primary one]")
@click.option(
    "--confidence", type=click.FloatRange(0.5, 1, min_open=True, max_open=True), default=0.95, show_default=True
)
@as_json
@placed
@here
def power(
    place: Place,
    typed: Typed,
    cases: int | None,
    clusters: int | None,
    flips: float | None,
    difference: float,
    goal: str,
    wants_json: bool,
) -> None:
    """Tell what difference cases could show, and how many a given one takes.

    \b
    fairlead eval power suites/invoices
    fairlead eval power --from table.csv old-model new-model
    fairlead eval power --cases 200 --flips 0.06 --margin 0.02
    """
    from fairlead.evals import outlook

    if not typed.files and len(typed.refs) == 1 and Path(typed.refs[0]).is_dir():
        design = _of_suite(Path(typed.refs[0]), typed)
    elif typed.refs or typed.files:
        design = _of_scores(place, typed)
    elif cases is None:
        raise click.UsageError("how many cases? Name a suite or scores, or say --cases")
    else:
        design = outlook.planned(cases, flips or FLIPS, typed.margin or 0.02, typed.confidence, clusters)
    if cases is not None:
        design = structs.replace(design, n=cases)
    if flips is not None:
        design = structs.replace(design, discordance=flips, sd=None)
    design = structs.replace(design, difference=difference, goal=goal)
    try:
        found = outlook.outlook(design)
    except ValueError as error:
        raise RequestInvalid(str(error), hint="See `fairlead eval power --help`.") from error
    if wants_json:
        terminal.show_json(found)
    else:
        _tell(found)


@click.command()
@scored()
@as_json
@placed
@here
def noise(
    place: Place,
    typed: Typed,
    wants_json: bool,
) -> None:
    """Measure what changes by itself: the same target asked twice, in two runs or in the repeats of one."""
    from fairlead.evals.comparing import paired_cases
    from fairlead.evals.noise import between, of_repeats

    sources = gathered(place, typed, "noise")
    rules = rules_of(sources, typed)
    name, table = rules.primary.name, sources.table
    first, *second = list(sources.names)
    if len(second) > 1:
        raise click.UsageError(f"the same target twice; there are: {', '.join(sources.names)}")
    if second:
        found = between(paired_cases(table, first, second[0], name, rules), typed.confidence)
    else:
        found = of_repeats(table.scores(first, name), table.bounds(name), typed.confidence)
    if found is None:
        hint = "Run it twice, or with --repeats 2."
        raise RequestInvalid(f"no case has two scores of {name}, right or wrong, that could differ", hint=hint)
    if wants_json:
        terminal.show_json(found)
        return
    from fairlead.evals.wording import between as ends
    from fairlead.evals.wording import interval, signed

    share = table.bounds(name) == (0.0, 1.0)
    if found.flips is not None:
        terminal.say(
            f"Asked twice, it gives another verdict on {interval(found.flips, True)} of {found.cases:,} cases."
        )
    else:
        terminal.say(f"Asked twice, a score changes by {interval(found.moves, share)}, of {found.cases:,} cases.")
    if found.difference is not None:
        told = f"{signed(found.difference.value, share)} ({ends(found.difference, share)})"
        terminal.say(f"The two means differ by {told}, by chance alone.")


def _of_suite(folder: Path, typed: Typed) -> "Design":
    from fairlead.evals.outlook import planned
    from fairlead.evals.suite import read_suite

    suite = read_suite(folder)
    clusters = len({case.cluster or ("", case.id) for case in suite.cases})
    margin = typed.margin or suite.primary.margin or 0.02
    return planned(len(suite.cases), FLIPS, margin, typed.confidence, clusters)


def _of_scores(place: Place, typed: Typed) -> "Design":
    """Only how often the two differ is used, not which one is better: that is no look at what is sealed, nor does it
    tell."""
    from fairlead.evals.comparing import paired_cases
    from fairlead.evals.outlook import measured

    sources = gathered(place, typed, "power")
    if len(sources.names) < 2:
        raise RequestInvalid("two candidates are wanted: how often do they differ?", hint="Or say --cases and --flips.")
    rules = rules_of(sources, structs.replace(typed, common=True))
    base, candidate = sources.names[:2]
    pairs = paired_cases(sources.table, base, candidate, rules.primary.name, rules)
    return measured(pairs, rules.primary.margin or 0.02, typed.confidence)


def _tell(found: "Outlook") -> None:
    from fairlead.evals.wording import about, amount, size

    design = found.design
    is_share = design.sd is None
    apart = (
        f"{amount(design.discordance, True)} of them decided differently"
        if design.discordance
        else (f"differences that vary by {amount(design.sd or 0, False)}")
    )
    terminal.say(f"{design.n:,} cases, {apart}, clusters count {design.design_effect:.2f} times.")
    true = (
        "as good as the base" if not design.difference else f"{size(design.difference, is_share)} apart from the base"
    )
    what = {
        "pass": f"passes a margin of {size(design.margin, is_share)}",
        "equivalent": f"is called equivalent within {size(design.margin, is_share)}",
        "better": "is called better",
    }[design.goal]
    usual = f" ({100 * found.formula:.0f} % by the usual formula)" if round(100 * (found.formula - found.power)) else ""
    terminal.say(f"A candidate that is {true} {what} with a probability of {100 * found.power:.0f} %{usual}.")
    if found.needed is not None:
        terminal.say(f"80 % takes about {about(found.needed)} cases.")
    if found.margin is not None:
        terminal.say(f"The smallest margin that these cases hold with 80 %: {size(found.margin, is_share)}.")
    if found.difference is not None:
        terminal.say(f"The smallest true difference that they show with 80 %: {size(found.difference, is_share)}.")
