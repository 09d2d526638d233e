"""`fairlead eval import`: other harnesses' results, kept as a run or written as a table."""

from pathlib import Path

import click

from fairlead.cli import terminal
from fairlead.cli.eval_options import FORMATS
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import note, warn


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "name", metavar="NAME", help="Of the suite.  [default: the file's task, or its own name]")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="What it is.  [default: what it looks like]")
@click.option("--model", metavar="NAME", help="Who answered, where the file does not know.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="TABLE",
    help="Write a table (.csv, .csv.gz, .jsonl, .parquet) instead of a run.",
)
@placed
@here
def import_(
    place: Place, file: Path, name: str | None, format_: str | None, model: str | None, out: Path | None
) -> None:
    """Keep the results of Inspect, lm-evaluation-harness or promptfoo, or a table, as a run.

    It is listed, compared, gated and reported as any other run.
    """
    from msgspec import structs

    from fairlead.errors import RequestInvalid
    from fairlead.evals.importing.keeping import keep, write_table
    from fairlead.evals.importing.reading import read
    from fairlead.store.evals.opening import open_evals

    found = read(file, format_)
    for text in found.notes:
        warn(text)
    if model is not None:
        if len(found.table.candidates) > 1:
            there = ", ".join(found.table.candidates[:10])
            raise RequestInvalid(f"{file} has several candidates already: {there}", hint="Leave --model out.")
        found = structs.replace(found, table=found.table.named(model))
    count, by = len(found.table), ", ".join(found.table.candidates[:5])
    if out is not None:
        write_table(found.table, out)
        note(f"{count:,} answers of {by} are in {out}.")
        return
    with open_evals(place.folder(), place.store()) as store:
        id = keep(store, found, name or found.facts.get("task") or file.name.partition(".")[0], file.name)
    terminal.say(id)
    note(f"{count:,} answers of {by} are run {id[:16]}: fairlead eval compare {id[:16]} ANOTHER")
