"""`fairlead content`: what was said in calls, where a route records it. `fairlead call show ID --content` shows it."""

import click

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json, note


@click.group()
def content() -> None:
    """Forget what was said in calls, where it is recorded."""


@content.command()
@click.option("--call", "call_", default="", metavar="ID", help="All that is kept of this call.")
@click.option("--key", default="", metavar="KEY", help="All that is kept of this key's calls, also if it is revoked.")
@as_json
@placed
@here
def forget(place: Place, call_: str, key: str, wants_json: bool) -> None:
    """Forget what is kept of a call, or of all calls of a key: what was recorded, and responses that could be
    continued. Their rows in the books stay."""
    from fairlead.server.office import Whose

    if bool(call_) == bool(key):
        raise click.UsageError("name either --call or --key")
    gone = place.ask(lambda desk: desk.forget_content(Whose(call_, key)), doing="content forget")
    if wants_json:
        terminal.show_json(gone)
    else:
        note(f"{gone.count} forgotten.")
