"""`fairlead store`: what is done to the store as a whole, and what is read from it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.spans import Since
from fairlead.cli.terminal import as_json, note

if TYPE_CHECKING:
    from fairlead.store.opening import Store


class Migrated(Struct, frozen=True):
    """Revisions of the store's tables; `before` is None where there were none."""

    before: str | None
    after: str


class Standing(Struct, frozen=True):
    """`place` is without its password; times are None where there are no calls."""

    place: str
    revision: str
    size_bytes: int
    oldest_call_us: int | None
    newest_call_us: int | None


@click.group()
def store() -> None:
    """Look after the store."""


@store.command()
@as_json
@placed
@here
def migrate(place: Place, wants_json: bool) -> None:
    """Bring an older store up to this program, in one transaction. Stop the server and keep a copy first."""
    from fairlead.store.opening import connect, shown
    from fairlead.store.opening import migrate as bring_up

    with _alone(place, "store migrate") as where:
        engine = connect(where, create=False)
        try:
            done, what = Migrated(*bring_up(engine)), shown(engine)
        finally:
            engine.dispose()
    if wants_json:
        terminal.show_json(done)
    elif done.before == done.after:
        note(f"The store at {what} is at revision {done.after} already.")
    else:
        note(f"The store at {what} was brought from revision {done.before or 'none'} to {done.after}.")


@store.command()
@as_json
@placed
@here
def status(place: Place, wants_json: bool) -> None:
    """Where the store is, its revision, its size, and how far back the books reach. A server may run on it."""
    with _looked_into(place) as found:
        from fairlead.store import schema
        from fairlead.store.opening import shown
        from fairlead.store.retention import oldest_and_newest_us, size_bytes

        with found.read() as connection:
            told = Standing(shown(found.engine), schema.HEAD, size_bytes(connection), *oldest_and_newest_us(connection))
    if wants_json:
        terminal.show_json(told)
        return
    terminal.say(f"{told.place}, revision {told.revision}, {terminal.size(told.size_bytes)}")
    if told.oldest_call_us is None:
        terminal.say("no calls")
    else:
        terminal.say(f"calls from {terminal.moment(told.oldest_call_us)} to {terminal.moment(told.newest_call_us)}")


@store.command()
@click.option("--keep", metavar="SPAN", help="Such as 90d.  [default: `[store] keep`]")
@click.option("--clock-is-right", is_flag=True, help="Also where it may be that the clock jumped ahead.")
@as_json
@placed
@here
def prune(place: Place, keep: str | None, clock_is_right: bool, wants_json: bool) -> None:
    """Remove what is older than the books are to be kept. A running server does so by itself."""
    from fairlead.ids import now_us
    from fairlead.spans import seconds_of
    from fairlead.store.opening import open_store
    from fairlead.store.retention import prune as remove

    keep = place.settings(with_secrets=False).store.keep if keep is None else keep
    seconds = seconds_of(keep) if keep else None
    if not seconds:
        raise click.UsageError("say how much to keep: --keep 90d, or `[store] keep` in the configuration")
    with _alone(place, "store prune") as where, open_store(where, create=False) as opened:
        done = remove(opened, now_us() - seconds * 1_000_000, is_sure=clock_is_right)
    if wants_json:
        terminal.show_json(done)
    else:
        months = f" and the partitions {', '.join(done.partitions)}" if done.partitions else ""
        note(f"{done.calls:,} calls, {done.attempts:,} attempts and {done.audit:,} changes were removed{months}.")
    if done.failed:
        terminal.warn(f"some are left for the next time: {done.failed}")


@store.command()
@click.option("--to", "directory", required=True, type=click.Path(path_type=Path), help="The directory to write to.")
@click.option("--since", type=Since(), metavar="WHEN", help="1d, 12h, 2026-01-31.  [default: the first call's day]")
@click.option("--until", type=Since(), metavar="WHEN", help="The day of it is not included.  [default: all]")
@click.option("--table", "tables", default="call,attempt", show_default=True, help="Which, with commas between.")
@as_json
@placed
@here
def export(place: Place, directory: Path, since: int | None, until: int | None, tables: str, wants_json: bool) -> None:
    """Write the books to Parquet files, one for each table and day. A server may run on them.

    Days that are written already are left out, so that it can be repeated and resumed.
    """
    from fairlead.ids import now_us
    from fairlead.store.export import TABLES
    from fairlead.store.export import export as write
    from fairlead.store.retention import oldest_and_newest_us

    wanted = tuple(name.strip() for name in tables.split(","))
    if wrong := [name for name in wanted if name not in TABLES]:
        raise click.BadParameter(f"{', '.join(wrong)}: there are {', '.join(TABLES)}", param_hint="--table")
    with _looked_into(place) as found, _progress() as going:
        with found.read() as connection:
            oldest, newest = oldest_and_newest_us(connection)
        since = (oldest or now_us()) if since is None else since
        until = (newest or since) + 1 if until is None else until
        done = write(found, directory, tables=wanted, since_us=since, until_us=until, told=going)
    if wants_json:
        terminal.show_json(done)
    else:
        note(f"{done.rows:,} rows in {len(done.written)} files of {directory}; {len(done.kept)} were there already.")


@contextmanager
def _progress() -> "Iterator[Callable[[str, int], None]]":
    """Takes the file that is being written, and how many rows more it has."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), TextColumn("{task.completed:,} rows"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        task = bar.add_task("exporting", total=None)
        yield lambda file, rows: bar.update(task, description=file, advance=rows)


@contextmanager
def _looked_into(place: Place) -> "Iterator[Store]":
    """The store beside whoever else uses it. Raises StoreMismatch, OperatorError."""
    from fairlead.store.opening import open_store

    with open_store(place.store() or place.folder(), create=False, alone=False) as opened:
        yield opened


@contextmanager
def _alone(place: Place, doing: str) -> Iterator[Path | str]:
    """Where the store is, while no server of this data directory runs on it. Raises NotFound, InUse."""
    from fairlead.errors import NotFound
    from fairlead.server.premises import Premises, Tenant

    folder, url = place.folder(), place.store()
    if not folder.is_dir() and not url:
        raise NotFound(f"there is no data directory {folder}", hint="is it the right --config or --data-dir?")
    premises = Premises(str(folder), Tenant(os.getpid(), doing=doing))
    try:
        yield url or folder
    finally:
        premises.close()
