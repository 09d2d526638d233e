"""Where the scores of `fairlead eval` come from, and after which rules they are compared: options and what they
name."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct, structs

from fairlead.cli.terminal import warn
from fairlead.errors import NotFound, RequestInvalid

if TYPE_CHECKING:
    from fairlead.evals.comparing import Rules
    from fairlead.evals.importing.imported import Imported
    from fairlead.evals.results import ScoreTable
    from fairlead.evals.suite import Metric

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "inspect", "lm-eval", "promptfoo")


class Sources(Struct, frozen=True, eq=False):
    """The scores, and the names in them of what the command line named, the base first. `also`: metrics that are told
    beside the primary one. `facts`: of each source, what it says of how its scores were made."""

    table: "ScoreTable"
    names: tuple[str, ...]
    primary: str
    also: tuple[str, ...]
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Mapping[str, str]] = {}


def from_files(command: F) -> F:
    """Options that name files of anybody's numbers."""
    for option in (
        click.option(
            "--format",
            "format_",
            type=click.Choice(FORMATS),
            help="What the files are.  [default: what they look like]",
        ),
        click.option(
            "--from",
            "files",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A table (CSV, JSONL, Parquet: item, model, score, and perhaps cluster) or "
            "another harness's log, whose candidates are compared; repeat it.",
        ),
    ):
        command = option(command)
    return command


def ruled(command: F) -> F:
    """Options that say what decides."""
    for option in (
        click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn at random."),
        click.option(
            "--confidence",
            type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
            default=0.95,
            show_default=True,
            help="Of the wider interval; one-sided bounds have it too.",
        ),
        click.option("--common", is_flag=True, help="Compare on the cases that both have, where one has more."),
        click.option("--tag", metavar="TAG", help="Only the cases that have this tag, such as category:maths."),
        click.option(
            "--guardrail",
            "guardrails",
            multiple=True,
            metavar="METRIC=MARGIN",
            help="A further metric that must not be worse by MARGIN, or METRIC>=FLOOR; repeat it.",
        ),
        click.option(
            "--margin", type=click.FloatRange(min=0), metavar="M", help="How much less is as good.  [default: 0.02]"
        ),
        click.option(
            "--metric", metavar="NAME", help="What decides.  [default: the suite's primary, the file's first]"
        ),
    ):
        command = option(command)
    return command


def gathered(refs: Sequence[str], files: Sequence[Path], format_: str | None, tag: str | None = None) -> Sources:
    """The scores of what was named: candidates of `files`, or files that have one candidate each.

    Raises NotFound, RequestInvalid, ResultsUnreadable, ExtraMissing.
    """
    if not refs and not files:
        raise click.UsageError("nothing is named: files, or candidates of what --from names")
    found = _of_files(refs, files, format_) if files else _of_refs(refs, format_)
    if tag is None:
        return found
    table = found.table.tagged(tag)
    if not len(table):
        tags = sorted({tag for tags in found.table.tags for tag in tags})
        raise NotFound(f'no case has the tag "{tag}"', hint=f"Tags that are there: {', '.join(tags[:20]) or 'none'}.")
    return structs.replace(found, table=table)


def rules_of(
    sources: Sources,
    metric: str | None,
    margin: float | None,
    guardrails: Sequence[str],
    confidence: float,
    seed: int,
    common: bool,
) -> "Rules":
    """What was said on the command line, and what is usual for the rest."""
    from fairlead.evals.comparing import MARGIN, Rules
    from fairlead.evals.suite import Metric

    return Rules(
        primary=Metric(name=metric or sources.primary, margin=MARGIN if margin is None else margin),
        guardrails=tuple(map(guardrail, guardrails)),
        also=sources.also,
        confidence=confidence,
        seed=seed,
        common=common,
    )


def guardrail(text: str) -> "Metric":
    """`tone=0.05`, `valid>=0.99`. Raises click.BadParameter."""
    from fairlead.evals.suite import Metric

    name, mark, number = text.partition(">=")
    if not mark:
        name, mark, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not name.strip() or not mark or not 0 <= value < float("inf"):
        raise click.BadParameter(f"{text!r} is no METRIC=MARGIN and no METRIC>=FLOOR", param_hint="--guardrail")
    return Metric(name=name.strip(), at_least=value) if mark == ">=" else Metric(name=name.strip(), margin=value)


def _of_files(refs: Sequence[str], files: Sequence[Path], format_: str | None) -> Sources:
    from fairlead.evals.results import joined

    imports = _imports(files, format_)
    tables = [imported.table for imported in imports]
    twice = len(tables) > len({candidate for table in tables for candidate in table.candidates}) or (
        sum(len(table.candidates) for table in tables) > len({name for table in tables for name in table.candidates})
    )
    if twice:  # the same model in several files: the files tell them apart
        tables = [_by_file(table, path) for table, path in zip(tables, files, strict=True)]
    table = joined(tables)
    names = tuple(refs) or table.candidates
    for name in names:
        table.of_candidate(name)
    return _sources(table, names, imports, files)


def _of_refs(refs: Sequence[str], format_: str | None) -> Sources:
    from fairlead.evals.results import joined

    missing = [ref for ref in refs if not Path(ref).is_file()]
    if missing:
        raise NotFound(f"there is no run and no file {missing[0]}", hint="Is it a file of results, and where is it?")
    imports = _imports([Path(ref) for ref in refs], format_)
    tables = []
    for ref, imported in zip(refs, imports, strict=True):
        if len(imported.table.candidates) > 1:
            there = ", ".join(imported.table.candidates[:10])
            raise RequestInvalid(
                f"{ref} has {len(imported.table.candidates)} candidates: {there}",
                hint=f"Name those that are compared: --from {ref} BASE CANDIDATE",
            )
        tables.append(imported.table)
    names = [table.candidates[0] for table in tables]
    if len(set(names)) < len(names):
        names = [Path(ref).name for ref in refs]
        names = list(refs) if len(set(names)) < len(names) else names
        tables = [table.named(name) for table, name in zip(tables, names, strict=True)]
    return _sources(joined(tables), tuple(names), imports, list(map(Path, refs)))


def _imports(paths: Sequence[Path], format_: str | None) -> "list[Imported]":
    from fairlead.evals.importing.reading import read

    return [read(path, format_) for path in paths]


def _by_file(table: "ScoreTable", path: Path) -> "ScoreTable":
    from fairlead.evals.results import joined

    if len(table.candidates) == 1:
        return table.named(path.name)
    return joined(table.of_candidate(name).named(f"{path.name}:{name}") for name in table.candidates)


def at_least(names: Sequence[str], count: int) -> None:
    """Raises RequestInvalid for fewer."""
    if len(names) < count:
        raise RequestInvalid(
            f"a base and a candidate are wanted, and there is {len(names)} only: {', '.join(names) or 'nothing'}",
            hint="Name files, or candidates of what --from names.",
        )


def _sources(table: "ScoreTable", names: tuple[str, ...], imports: "list[Imported]", paths: Sequence[Path]) -> Sources:
    if len(set(names)) < len(names):
        raise RequestInvalid("a candidate is named twice")
    first = imports[0]
    # Other numbers of a table may be anything; those of a harness are scores.
    also = () if first.format == "table" else tuple(name for name in first.table.metrics if name != first.primary)
    notes = tuple(note for imported in imports for note in imported.notes)
    for note in notes:
        warn(note)
    facts = {
        path.name: {"format": imported.format, **imported.facts, "sha256": _hash(path)}
        for path, imported in zip(paths, imports, strict=True)
    }
    return Sources(table, names, first.primary, also, notes, facts)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
