"""`fairlead key`: the keys of callers. A secret is shown once, alone on stdout, and kept nowhere."""

from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.spans import SECOND_US, Span
from fairlead.cli.terminal import as_json, note, warn
from fairlead.ids import now_us

if TYPE_CHECKING:
    from fairlead.server.office import KeyMade, KeyShown

ZONES = ("private", "contract", "public")
COLUMNS = (
    ("name", "left"),
    ("key", "left"),
    ("team", "left"),
    ("routes", "left"),
    ("zone", "left"),
    ("budget", "left"),
    ("limits", "left"),
    ("made", "left"),
    ("expires", "left"),
    ("state", "left"),
)


@click.group()
def key() -> None:
    """Make, list, rotate and revoke the keys of callers."""


@key.command()
@click.option("--name", required=True, help="What people call it; unique among the keys that are not revoked.")
@click.option(
    "--route",
    "routes",
    multiple=True,
    metavar="NAME",
    help="A route that it may use, or target:NAME; repeat it.  [default: all routes]",
)
@click.option("--team", default="", help="Whose it is; budgets of that team count it.")
@click.option("--budget", default="", metavar="AMOUNT", help="Such as 5usd/day; also per hour, week, month or total.")
@click.option(
    "--zone", type=click.Choice(ZONES), default="public", show_default=True, help="How far its words may travel."
)
@click.option("--rpm", type=click.IntRange(min=1), metavar="N", help="Requests per minute.")
@click.option("--tpm", type=click.IntRange(min=1), metavar="N", help="Tokens per minute.")
@click.option("--concurrent", type=click.IntRange(min=1), metavar="N", help="Calls at the same time.")
@click.option("--expires", type=Span(), metavar="SPAN", help="Such as 12h or 30d.  [default: never]")
@as_json
@placed
@here
def new(
    place: Place,
    name: str,
    routes: tuple[str, ...],
    team: str,
    budget: str,
    zone: str,
    rpm: int | None,
    tpm: int | None,
    concurrent: int | None,
    expires: int | None,
    wants_json: bool,
) -> None:
    """Make a key; its secret is printed this once."""
    from fairlead.server.office import KeyWanted

    _warn_of_unknown(place, routes)
    wanted = KeyWanted(
        name=name,
        routes=routes or ("*",),
        team=team,
        zone=zone,
        budget=budget,
        requests_per_minute=rpm,
        tokens_per_minute=tpm,
        concurrent=concurrent,
        expires_us=None if expires is None else now_us() + expires * SECOND_US,
    )
    made: KeyMade = place.change(lambda desk: desk.new_key(wanted), doing="key new")
    if wants_json:
        terminal.show_json(made)
        return
    terminal.say(made.secret)
    allowed = "all routes" if made.key.routes == ("*",) else ", ".join(made.key.routes)
    note(f'Key "{made.key.name}" may use {allowed}. It is shown this once: send it as `Authorization: Bearer …`.')


@key.command("list")
@click.option("--revoked", is_flag=True, help="Also those that were revoked.")
@as_json
@placed
@here
def list_(place: Place, revoked: bool, wants_json: bool) -> None:
    """List the keys, without their secrets."""
    found = place.ask(lambda desk: desk.keys(revoked=revoked), doing="key list")
    if wants_json:
        terminal.show_json(found)
    else:
        terminal.show_table(COLUMNS, map(_row, found), empty="no keys; make one: fairlead key new --name NAME")


@key.command()
@click.argument("ref", metavar="KEY")
@as_json
@placed
@here
def revoke(place: Place, ref: str, wants_json: bool) -> None:
    """Revoke a key, by its name, its id or its first characters. Within a second nobody can use it."""
    gone = place.ask(lambda desk: desk.revoke_key(ref), doing="key revoke")
    if wants_json:
        terminal.show_json(gone)
    else:
        note(f'Key "{gone.name}" ({gone.prefix}…) is revoked.')
        if gone.pending:
            warn("the store is away: other replicas learn of it when it is back")


@key.command()
@click.argument("ref", metavar="KEY")
@click.option(
    "--overlap",
    type=Span(),
    default="24h",
    show_default=True,
    metavar="SPAN",
    help="How long the old secret is good for yet.",
)
@as_json
@placed
@here
def rotate(place: Place, ref: str, overlap: int, wants_json: bool) -> None:
    """Give a key a new secret, which is printed this once. The key keeps its name, limits and budgets, and for a while
    its old secret."""
    from fairlead.server.office import Rotation

    made: KeyMade = place.ask(lambda desk: desk.rotate_key(ref, Rotation(overlap)), doing="key rotate")
    if wants_json:
        terminal.show_json(made)
        return
    terminal.say(made.secret)
    ends = f"until {terminal.moment(made.key.past[-1].expires_us)}" if overlap else "no longer"
    note(f'Key "{made.key.name}" has a new secret, which is shown this once. The old one is good {ends}.')


def _warn_of_unknown(place: Place, routes: tuple[str, ...]) -> None:
    from fairlead.gateway.routes import EVERY, EVERY_TARGET, OF_TARGET  # here: it brings the road along

    settings = place.settings(with_secrets=False)
    known = {EVERY, EVERY_TARGET, *settings.routes, *(OF_TARGET + name for name in settings.targets)}
    for route in routes:
        if route not in known:
            there = ", ".join(settings.routes) or "none"
            warn(f'there is no route "{route}" in the configuration; there are: {there}')


def _row(found: "KeyShown") -> tuple[str, ...]:
    limits = found.limits
    rates = ((limits.requests_per_minute, "rpm"), (limits.tokens_per_minute, "tpm"), (limits.concurrent, "at once"))
    return (
        found.name,
        f"{found.prefix}…",
        found.team or terminal.NOTHING,
        "all" if found.routes == ("*",) else ", ".join(found.routes),
        found.zone,
        ", ".join(found.budgets) or terminal.NOTHING,
        ", ".join(f"{count} {unit}" for count, unit in rates if count) or terminal.NOTHING,
        terminal.moment(found.created_us),
        terminal.moment(found.expires_us),
        _state(found),
    )


def _state(found: "KeyShown") -> str:
    if found.revoked_us is not None:
        return "revoked"
    if found.expires_us is not None and found.expires_us <= now_us():
        return "expired"
    return "rotating" if any(past.expires_us > now_us() for past in found.past) else "ok"
