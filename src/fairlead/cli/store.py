"""`fairlead store`: what is done to the store as a whole, while no server runs on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from msgspec import Struct

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json, note


class Migrated(Struct, frozen=True):
    """Revisions of the store's tables; `before` is None where there were none."""

    before: str | None
    after: str


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
