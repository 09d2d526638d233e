"""Where the scores of `fairlead eval` come from, and after which rules they are compared: what the options name."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct, structs

from fairlead.cli.eval_options import Typed
from fairlead.cli.eval_preferences import beside
from fairlead.cli.eval_stored import Stored, look, stored
from fairlead.cli.place import Place
from fairlead.cli.terminal import note, warn
from fairlead.errors import NotFound, RequestInvalid, StoreMismatch

if TYPE_CHECKING:
    from fairlead.evals.comparing import Rules
    from fairlead.evals.correcting import Evidence
    from fairlead.evals.importing.imported import Imported
    from fairlead.evals.results import ScoreTable
    from fairlead.evals.suite import Metric


class Sources(Struct, frozen=True, eq=False):
    """The scores, and the names in them of what the command line named, the base first.

    `primary` and `guardrails` are what the suite declares, or what a file puts first; `also`: metrics that are told
    beside them. `facts`: of each source, what it says of how its scores were made. `unfinished` names runs that are.
    `preferences`: what is known of the metric of that name, where a judge compared the two.
    """

    table: "ScoreTable"
    names: tuple[str, ...]
    primary: "Metric"
    guardrails: "tuple[Metric, ...]" = ()
    also: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Mapping[str, str]] = {}
    shows_text: bool = True
    unfinished: tuple[str, ...] = ()
    stored: "tuple[Stored, ...]" = ()
    preferences: "Evidence | None" = None


def gathered(place: Place, typed: Typed, what: str, *, texts: bool = False) -> Sources:
    """The scores of what was named: candidates of files, or runs and files. That a sealed hold-out is in them is noted
    in the store before anything is shown, and told; `what` says for what it is looked at. `texts`: with what was asked
    and said, where runs have it.

    Raises NotFound, RequestInvalid, ResultsUnreadable, ExtraMissing, StoreMismatch.
    """
    if not typed.refs and not typed.files:
        raise click.UsageError("nothing is named: runs, files, or candidates of what --from names")
    format_ = typed.format_
    if typed.files:
        found = _of_files(typed.refs, typed.files, format_)
    else:
        found = _of_refs(place, typed.refs, format_, texts=texts)
    if (judged := beside(place, found.table, found.names, found.stored)) is not None:
        for text in judged.notes:
            note(text)
        also = (*found.also, judged.evidence.metric)
        found = structs.replace(found, table=judged.table, also=also, preferences=judged.evidence)
    table = found.table
    if typed.split != "all":
        table = table.where(table.holdout == (typed.split == "holdout"))
        if not len(table):
            raise NotFound(f"there are no scores of the split {typed.split}", hint="Run the suite on it: --split.")
    if typed.tag is not None:
        table = table.tagged(typed.tag)
        if not len(table):
            tags = ", ".join(sorted({tag for tags in found.table.tags for tag in tags})[:20]) or "none"
            raise NotFound(f'no case has the tag "{typed.tag}"', hint=f"Tags that are there: {tags}.")
    looks = look(place, found.stored, what) if table.holdout.any() else ()
    for text in (*found.notes, *looks):
        warn(text)
    told = judged.notes if judged is not None else ()
    return structs.replace(found, table=table, notes=(*found.notes, *told, *looks))


def rules_of(sources: Sources, typed: Typed) -> "Rules":
    """What was said on the command line, and what is usual for the rest."""
    from fairlead.evals.comparing import MARGIN, Rules
    from fairlead.evals.suite import Metric

    named = typed.metric
    primary = sources.primary if named in (None, sources.primary.name) else Metric(name=named or "")
    if typed.margin is not None or primary.margin is None:
        primary = structs.replace(primary, margin=MARGIN if typed.margin is None else typed.margin)
    return Rules(
        primary=primary,
        guardrails=tuple(map(guardrail, typed.guardrails)) or sources.guardrails,
        also=sources.also,
        confidence=typed.confidence,
        seed=typed.seed,
        common=typed.common,
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


def _of_refs(place: Place, refs: Sequence[str], format_: str | None, *, texts: bool) -> Sources:
    """Runs of the store and files, one candidate of each; all candidates of one that is alone."""
    from fairlead.evals.results import joined

    parts = [_part(place, ref, format_, texts=texts) for ref in refs]
    if len(parts) == 1:
        return parts[0]
    for ref, part in zip(refs, parts, strict=True):
        if len(part.names) > 1:
            raise RequestInvalid(
                f"{ref} has {len(part.names)} candidates: {', '.join(part.names[:10])}",
                hint=f"Name one: {f'--from {ref} BASE CANDIDATE' if not part.stored else f'{ref}:CANDIDATE'}",
            )
    names = [part.names[0] for part in parts]
    if len(set(names)) < len(names):
        names = [Path(ref).name for ref in refs]
        names = list(refs) if len(set(names)) < len(names) else names
    if len(set(names)) < len(names):
        raise RequestInvalid("a candidate is named twice")
    first = parts[0]
    return structs.replace(
        first,
        table=joined(part.table.named(name) for part, name in zip(parts, names, strict=True)),
        names=tuple(names),
        notes=tuple(note for part in parts for note in part.notes),
        facts={what: facts for part in parts for what, facts in part.facts.items()},
        shows_text=all(part.shows_text for part in parts),
        unfinished=tuple(ref for part in parts for ref in part.unfinished),
        stored=tuple(one for part in parts for one in part.stored),
    )


def _part(place: Place, ref: str, format_: str | None, *, texts: bool) -> Sources:
    if Path(ref).is_file():
        imports = _imports([Path(ref)], format_)
        return _sources(imports[0].table, imports[0].table.candidates, imports, [Path(ref)])
    try:
        found = stored(place, ref, texts=texts)
    except NotFound as error:
        raise NotFound(f"there is no file {ref}; {error.message}", hint=error.hint) from error
    except StoreMismatch as error:
        message = f"there is no file {ref}, and {error.message}"
        raise NotFound(message, hint="Is it a file, and where is it?") from error
    declared = found.declared
    decides = {declared.primary.name, *(one.name for one in declared.guardrails)}
    notes = (f"run {ref} is not finished: resume it",) if found.is_open else ()
    return Sources(
        table=found.table,
        names=found.names,
        primary=declared.primary,
        guardrails=declared.guardrails,
        also=tuple(name for name in declared.metrics if name not in decides and name in found.table.metrics),
        notes=notes,
        facts={ref: found.facts},
        shows_text=declared.show_text,
        unfinished=(ref,) if found.is_open else (),
        stored=(found,),
    )


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
            hint="Name another run (`fairlead eval list`), RUN:CANDIDATE, a file, or candidates of what --from names.",
        )


def _sources(table: "ScoreTable", names: tuple[str, ...], imports: "list[Imported]", paths: Sequence[Path]) -> Sources:
    if len(set(names)) < len(names):
        raise RequestInvalid("a candidate is named twice")
    from fairlead.evals.suite import Metric

    first = imports[0]
    # Other numbers of a table may be anything; those of a harness are scores.
    also = () if first.format == "table" else tuple(name for name in first.table.metrics if name != first.primary)
    facts = {
        path.name: {"format": imported.format, **imported.facts, "sha256": _hash(path)}
        for path, imported in zip(paths, imports, strict=True)
    }
    notes = tuple(note for imported in imports for note in imported.notes)
    return Sources(table, names, Metric(name=first.primary), also=also, notes=notes, facts=facts)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
