"""`fairlead status`: what is running, as the running server tells it."""

import asyncio
from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.engine import show_engines
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json
from fairlead.ids import now_us

if TYPE_CHECKING:
    from fairlead.gateway.breaking import CircuitState

CIRCUITS = (
    ("left alone", "left"),
    ("backend", "left"),
    ("state", "left"),
    ("why", "left"),
    ("since", "right"),
    ("for another", "right"),
)


@click.command()
@as_json
@placed
@here
def status(place: Place, wants_json: bool) -> None:
    """Show what is running. Ends with 1 where nothing is."""
    import msgspec

    from fairlead.engines.supervisor import EngineStatus

    found = asyncio.run(place.remote().status())
    if wants_json:
        terminal.show_json(found)
        return
    facts = (
        ("version", found.version),
        ("process", f"{found.pid}, workers {', '.join(map(str, found.workers)) or 'none'}"),
        ("calls on", f"{'https' if found.tls else 'http'}://{found.listen}/v1"),
        ("admin on", f"http://{found.admin}" if found.admin else "its socket only"),
        ("data", found.data_dir),
        ("config", f"{found.source or 'built in'} ({found.config})"),
        ("open calls", str(found.open_calls)),
        ("routes", ", ".join(found.routes)),
    )
    for label, value in facts:
        terminal.say(f"{label:<11} {value}")
    if found.engines:
        terminal.say()
        show_engines(msgspec.convert(found.engines, list[EngineStatus]))
    if found.circuits:
        terminal.say()
        terminal.show_table(CIRCUITS, map(_row, found.circuits), empty="")


def _row(circuit: "CircuitState") -> tuple[str, ...]:
    now = now_us()
    since, left = max(0, now - circuit.since_us), max(0, circuit.until_us - now)
    return (
        circuit.target,
        circuit.backend,
        circuit.state,
        circuit.why,
        terminal.duration(since),
        terminal.duration(left),
    )
