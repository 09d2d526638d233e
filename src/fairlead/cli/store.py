"""`fairlead store`: what is done to the store as a whole, while no server runs on it."""

import os

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
    from fairlead.errors import NotFound
    from fairlead.server.premises import Premises, Tenant
    from fairlead.store.opening import connect
    from fairlead.store.opening import migrate as bring_up

    folder = place.folder()
    if not folder.is_dir():
        raise NotFound(f"there is no data directory {folder}", hint="is it the right --config or --data-dir?")
    premises = Premises(str(folder), Tenant(os.getpid(), doing="store migrate"))
    try:
        engine = connect(folder, create=False)
        try:
            done = Migrated(*bring_up(engine))
        finally:
            engine.dispose()
    finally:
        premises.close()
    if wants_json:
        terminal.show_json(done)
    elif done.before == done.after:
        note(f"The store in {folder} is at revision {done.after} already.")
    else:
        note(f"The store in {folder} was brought from revision {done.before or 'none'} to {done.after}.")
