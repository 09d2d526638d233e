"""`fairlead engine`: the model servers that the running server starts and watches."""

import asyncio
from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json, note
from fairlead.ids import now_us

if TYPE_CHECKING:
    from fairlead.engines.supervisor import EngineStatus

COLUMNS = (
    ("engine", "left"),
    ("kind", "left"),
    ("model", "left"),
    ("state", "left"),
    ("since", "right"),
    ("process", "right"),
    ("restarts", "right"),
    ("last error", "left"),
)


@click.group()
def engine() -> None:
    """List and restart the engines of the running server."""


@engine.command("list")
@as_json
@placed
@here
def list_(place: Place, wants_json: bool) -> None:
    """List the engines and how they are."""
    found = asyncio.run(place.remote().engines())
    if wants_json:
        terminal.show_json(found)
    else:
        show_engines(found)


@engine.command()
@click.argument("name")
@as_json
@placed
@here
def restart(place: Place, name: str, wants_json: bool) -> None:
    """End an engine's process; it is brought back at once. Meanwhile its routes fall back."""
    status = asyncio.run(place.remote().restart(name))
    if wants_json:
        terminal.show_json(status)
    else:
        note(f'Engine "{status.name}" was ended and is being brought back.')


def show_engines(found: "list[EngineStatus]") -> None:
    terminal.show_table(COLUMNS, map(_row, found), empty="no engines")


def _row(status: "EngineStatus") -> tuple[str, ...]:
    return (
        status.name,
        status.kind,
        status.model,
        status.state,
        terminal.duration(max(0, now_us() - status.since_us)),
        str(status.pid or terminal.NOTHING),
        str(status.restarts),
        status.last_error or terminal.NOTHING,
    )
