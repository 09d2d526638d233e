"""`fairlead status`: what is running, as the running server tells it."""

import asyncio

import click

from fairlead.cli import terminal
from fairlead.cli.engine import show_engines
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json


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
        ("calls on", f"http://{found.listen}/v1"),
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
