"""`fairlead eval compare` and `gate`: from scores to a word, and from a word to an exit code."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

from fairlead.cli import terminal
from fairlead.cli.eval_options import Typed, scored
from fairlead.cli.eval_sources import at_least, gathered, rules_of
from fairlead.cli.eval_stored import people
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json, note, warn
from fairlead.errors import RequestInvalid

if TYPE_CHECKING:
    from fairlead.cli.eval_sources import Sources
    from fairlead.evals.comparing import Comparison
    from fairlead.evals.reporting.tables import Table
    from fairlead.stats.looks import Looks

MOST_LOOKS = 1000


@click.command()
@scored()
@click.option("--again", metavar="REF", help="The base, asked once more: what it flips against itself is noise.")
@as_json
@placed
@here
def compare(
    place: Place,
    typed: Typed,
    again: str | None,
    wants_json: bool,
) -> None:
    """Compare candidates with a base: better, worse, equivalent or undecided.

    The base comes first. RUN:CANDIDATE names one of a run that has several; a RUN alone compares all of its own.

    \b
    fairlead eval compare last
    fairlead eval compare 0197a2 0197b1:new-model
    fairlead eval compare --from table.csv old-model new-model
    fairlead eval compare monday.eval tuesday.eval --margin 0.01
    """
    from fairlead.evals import comparing

    asked = structs.replace(typed, refs=(*typed.refs, again)) if again else typed
    sources = gathered(place, asked, "compare")
    names = sources.names[:-1] if again else sources.names
    at_least(names, 2)
    rules = rules_of(sources, typed)
    base, *candidates = names
    with people(place, sources.names, sources.stored, sources.preferences) as labels:
        found = comparing.compare(sources.table, base, candidates, rules, labels)
    if again:
        scores = sources.table.scores(sources.names[-1], rules.primary.name)
        pairs = [comparing.paired_cases(sources.table, base, name, rules.primary.name, rules) for name in candidates]
        found = tuple(
            structs.replace(one, flips=comparing.flipped(of, scores)) for one, of in zip(found, pairs, strict=True)
        )
    if wants_json:
        terminal.show_json(found)
        return
    for number, comparison in enumerate(found):
        if number:
            terminal.say()
        _show(comparison)


def _often(ctx: click.Context, parameter: click.Parameter, said: str | None) -> int | None:
    """None: at any time."""
    if said == "any":
        return None
    if said is not None and not (said.isdecimal() and 1 <= int(said) <= MOST_LOOKS):
        raise click.BadParameter(f"a number from 1 to {MOST_LOOKS:,}, or any, not {said!r}", ctx, parameter)
    return int(said or 1)


@click.command()
@scored()
@click.option(
    "--looks",
    callback=_often,
    metavar="N|any",
    help="It is looked at N times at most, as cases come, the last time at the planned end; or at any time.",
)
@click.option(
    "--planned",
    type=click.IntRange(min=1),
    metavar="CASES",
    help="So many cases are meant to be there in the end.  [default: those of the run]",
)
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also as JUnit's XML.")
@click.option("--github", is_flag=True, help="As annotations of a GitHub workflow.")
@as_json
@placed
@here
@click.pass_context
def gate(
    ctx: click.Context,
    place: Place,
    typed: Typed,
    looks: int | None,
    planned: int | None,
    junit: Path | None,
    github: bool,
    wants_json: bool,
) -> None:
    """Say in one sentence whether a candidate may take the base's place.

    Exit codes: 0 pass, 1 fail, 3 undecided. It passes if it is not worse by the margin or more, with what is missing
    at its worst, and every guardrail holds.

    Whoever looks while cases still come, and stops at the first answer, says so at each look: `--looks 10 --common`,
    and of a table also how many cases it will be, `--planned 500`. Looks before the end then decide only what is
    plain, and the last one about as often as if nobody had looked. `--looks any` needs no plan, and takes more cases.
    """
    from fairlead.evals import announcing
    from fairlead.evals.gating import EXIT_CODES, decide
    from fairlead.evals.wording import decision_sentence

    began = time.monotonic()
    sources = gathered(place, typed, "gate")
    at_least(sources.names, 2)
    if sources.unfinished and not typed.common:
        raise RequestInvalid(
            f"{', '.join(sources.unfinished)} is not finished: what is not answered yet can't pass",
            hint="Go on with it (`fairlead eval run --resume last`), or gate on what is there: --common",
        )
    base, *candidates = sources.names
    if len(candidates) > 1:
        raise click.UsageError(f"a gate is for one candidate; there are: {', '.join(candidates)}")
    rules = rules_of(sources, typed)
    with people(place, sources.names, sources.stored, sources.preferences) as labels:
        decision = decide(sources.table, base, candidates[0], rules, labels, _look(sources, looks, planned))
    if junit is not None:
        junit.write_text(announcing.junit(decision, time.monotonic() - began), encoding="utf-8")
    if wants_json:
        terminal.show_json(decision)
    elif github:
        for line in announcing.annotations(decision):
            terminal.say(line)
    else:
        terminal.say(decision_sentence(decision))
    for text in dict.fromkeys(text for check in decision.checks if check.people for text in check.people.warnings):
        warn(text)
    if typed.common and (decision.only_base or decision.only_candidate or decision.changed):
        left_out = decision.only_base + decision.only_candidate + decision.changed
        warn(f"{left_out} cases were left out: they are not the same on both sides")
    ctx.exit(EXIT_CODES[decision.outcome])


def _look(sources: "Sources", often: int | None, planned: int | None) -> "Looks":
    """Which of the looks this is. Raises RequestInvalid where nobody said when the last one is."""
    from fairlead.evals.gating import ONCE
    from fairlead.stats.looks import Looks

    if often is None:
        return Looks(None)
    if often == 1:
        return ONCE
    if planned is not None:
        base, candidate = (set(sources.table.of_candidate(name).item) for name in sources.names)
        return Looks(often, is_last=len(base & candidate) >= planned)
    if sum(len(run.names) for run in sources.stored) < len(sources.names):
        raise RequestInvalid(
            "of several looks the last is at the end that was planned, and a table does not tell when that is",
            hint="Say how many cases are meant to be there in the end: --planned CASES",
        )
    return Looks(often, is_last=not sources.unfinished)


def _show(comparison: "Comparison") -> None:
    from fairlead.evals.reporting import tables
    from fairlead.evals.wording import flip_sentence, judged_sentence, sentence

    terminal.say(sentence(comparison))
    for measured in (comparison.primary, *comparison.others):
        if measured.people is not None:
            terminal.say(judged_sentence(measured))
    terminal.say()
    _show_table(tables.metrics(comparison))
    if comparison.tags:
        terminal.say()
        _show_table(tables.tags(comparison))
    if comparison.flips is not None:
        terminal.say()
        terminal.say(flip_sentence(comparison.flips, as_judged="flips" in comparison.as_judged))
    _show_costs(comparison)
    for text in comparison.notes:
        note(f"note: {text}")


def _show_table(shown: "Table") -> None:
    columns = [(name.removeprefix("-"), "right" if name.startswith("-") else "left") for name in shown.columns]
    rows = [[cell or terminal.NOTHING for cell in row] for row in shown.rows]
    terminal.show_table(columns, rows, empty="")


def _show_costs(comparison: "Comparison") -> None:
    """What an answer costs and how long it takes, where both sides know it."""
    before, after = comparison.primary.base, comparison.primary.candidate
    if before is None or after is None:
        return
    if before.cost_nusd is not None and after.cost_nusd is not None:
        costs = (terminal.money(1000 * cost) for cost in (before.cost_nusd, after.cost_nusd))
        terminal.say(f"Cost of 1,000 answers: {' -> '.join(costs)}.")
    if before.latency_us is not None and after.latency_us is not None:
        took = (terminal.duration(side.latency_us) for side in (before, after))
        terminal.say(f"Median time of an answer: {' -> '.join(took)}.")
