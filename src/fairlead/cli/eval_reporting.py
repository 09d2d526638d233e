"""`fairlead eval report`: what was found, for people who were not there."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.eval_options import Typed, scored
from fairlead.cli.eval_runs import opened
from fairlead.cli.eval_sources import Sources, at_least, gathered, rules_of
from fairlead.cli.eval_stored import origins_of, people
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import note, warn
from fairlead.errors import NotFound, RequestInvalid, SuiteInvalid

if TYPE_CHECKING:
    from fairlead.evals.reporting.content import Judged, Report

KINDS = (".html", ".md", ".png")


@click.command()
@scored()
@click.option(
    "-o",
    "--out",
    "outs",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to: .html, .md or .png; repeat it.  [default: report.html]",
)
@click.option("--title", metavar="TEXT", help="Above it all.  [default: who is compared]")
@click.option("--no-text", is_flag=True, help="Leave questions and answers out.")
@placed
@here
def report(
    place: Place,
    typed: Typed,
    outs: tuple[Path, ...],
    title: str | None,
    no_text: bool,
) -> None:
    """Write what was found as one page of HTML, as Markdown or as a picture.

    The page needs nothing else, works offline and is safe to pass on: whatever it shows is escaped.
    """
    from fairlead.evals.reporting import content
    from fairlead.ids import now_us

    outs = outs or (Path("report.html"),)
    for out in outs:
        if out.suffix.lower() not in KINDS:
            raise click.BadParameter(f"{out}: a report is {', '.join(KINDS)}", param_hint="--out")
    sources = gathered(place, typed, "report", texts=True)
    at_least(sources.names, 1)
    rules = rules_of(sources, typed)
    with people(place, sources.names, sources.stored, sources.preferences) as labels:
        found = content.report(
            sources.table,
            sources.names,
            rules,
            title=title or _title(sources.names),
            made=f"{terminal.moment(now_us())}, metric {rules.primary.name}, {len(sources.table):,} answers",
            sources=[content.Source(name, facts) for name, facts in sources.facts.items()],
            notes=sources.notes,
            shows_text=sources.shows_text and not no_text,
            judged=_judged(place, sources),
            people=labels,
        )
    for out in outs:
        _write(found, out)
        note(f"{out} is written.")


def _judged(place: Place, sources: Sources) -> "Judged | None":
    """What people's labels make of a judge's scores, where runs have a judge and their suite still lies where it
    did."""
    from fairlead.evals.correcting import corrected, corrected_difference
    from fairlead.evals.material import read_material
    from fairlead.evals.reporting.content import Judged

    runs = list(dict.fromkeys(one.run.id for one in sources.stored if "judge" in one.facts))
    if not runs or len(runs) < len({one.run.id for one in sources.stored}):
        return None
    try:
        with opened(place) as store:
            material = read_material(store, runs)
            known = material.evidence
    except (NotFound, RequestInvalid, SuiteInvalid) as error:
        warn(f"what people's labels say is left out: {error.message}")
        return None
    if not known.judges and not known.labellers:
        return None
    origins = origins_of(sources.names, sources.stored)
    named = [material.called(one.run, one.name) for one in origins.values()] or known.candidates
    base, *others = [name for name in named if name in known.candidates] or known.candidates
    judges = ", ".join(dict.fromkeys(f"{one.target or one.route} ({one.model})" for one in known.judges)) or "nobody"
    people = ", ".join(f"{by}: {count}" for by, count in known.labellers.items()) or "nobody yet"
    return Judged(
        metric=known.metric,
        by=f"Judged by {judges}; labelled by {people}.",
        alone=tuple(corrected(known, one) for one in (base, *others)),
        differences=tuple(corrected_difference(known, base, one) for one in others),
    )


def _title(names: tuple[str, ...]) -> str:
    base, *others = names
    return f"{', '.join(others[:3])}{' and others' if len(others) > 3 else ''} against {base}" if others else base


def _write(found: "Report", out: Path) -> None:
    from fairlead.evals.reporting import markdown, page, picture

    kind = out.suffix.lower()
    if kind == ".png":
        out.write_bytes(picture.png(found))
    else:
        out.write_text(page.html(found) if kind == ".html" else markdown.markdown(found), encoding="utf-8")
