"""`fairlead config`: is it good, what does it say, and let the running server take it."""

import asyncio
from collections.abc import Sized
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.rehearsal import rehearse
from fairlead.cli.tables import written
from fairlead.cli.terminal import as_json, note, warn

if TYPE_CHECKING:
    from fairlead.config import Config


class Checked(Struct, frozen=True):
    """What a good configuration holds."""

    source: str
    hash: str
    data_dir: str
    backends: int
    engines: int
    targets: int
    routes: int


@click.group()
def config() -> None:
    """Check, show and reload the configuration."""


@config.command()
@as_json
@placed
@here
def check(place: Place, wants_json: bool) -> None:
    """Would it start? Looks at every setting, secret and engine's file; starts nothing, asks nobody."""
    settings = place.settings()
    rehearse(settings)
    if wants_json:
        terminal.show_json(_counted(settings))
    else:
        note(
            f"{settings.source or 'the built-in configuration'} is good: "
            f"{_many(settings.routes, 'route')} to {_many(settings.targets, 'target')} "
            f"on {_many(settings.backends, 'backend')} and {_many(settings.engines, 'engine')}. "
            f"Its hash is {settings.hash}."
        )


@config.command()
@click.option("--running", is_flag=True, help="What the running server has in force, instead of the file.")
@as_json
@placed
@here
def show(place: Place, running: bool, wants_json: bool) -> None:
    """Show what is in force, defaults included; of a secret only where it comes from."""
    from fairlead.config import masked

    found = asyncio.run(place.remote().configuration()) if running else masked(place.settings(with_secrets=False))
    tables = {name: value for name, value in found.items() if name not in ("text", "overrides")}
    if wants_json:
        terminal.show_json(tables)
    else:
        terminal.say(f"# {tables.pop('source') or 'built in'}, hash {tables.pop('hash')}")
        terminal.say(written(tables))


@config.command()
@as_json
@placed
@here
def reload(place: Place, wants_json: bool) -> None:
    """Let the running server read its configuration again: all of it is taken, or the old one stands."""
    done = asyncio.run(place.remote().reload())
    if done.needs_restart:
        warn(f"these are only read at start, and wait for it: {', '.join(done.needs_restart)}")
    if wants_json:
        terminal.show_json(done)
    elif done.changed:
        note(f"The running server has taken the configuration; its hash is {done.hash}.")
    else:
        note(f"Nothing had changed; the configuration {done.hash} is in force.")


def _many(things: Sized, what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"


def _counted(settings: "Config") -> Checked:
    return Checked(
        source=settings.source,
        hash=settings.hash,
        data_dir=settings.data_dir,
        backends=len(settings.backends),
        engines=len(settings.engines),
        targets=len(settings.targets),
        routes=len(settings.routes),
    )
