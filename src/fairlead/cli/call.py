"""`fairlead call`: what was asked, what answered and what it cost, from the books."""

import re
from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.spans import Since
from fairlead.cli.story import tell
from fairlead.cli.terminal import as_json, moment, note

if TYPE_CHECKING:
    from fairlead.server.office import CallFilter, ContentShown, KeyShown
    from fairlead.server.remote import Desk
    from fairlead.store.calls import CallRow, CallShown, Summary

STATUSES = ("ok", "denied", "failed", "cancelled", "lost")
BY = ("route", "target", "key", "team", "config")
COLUMNS = (
    ("when", "left"),
    ("id", "left"),
    ("route", "left"),
    ("key", "left"),
    ("status", "left"),
    ("target", "left"),
    ("tries", "right"),
    ("first word", "right"),
    ("took", "right"),
    ("cost", "right"),
)
SUMS = (
    ("calls", "right"),
    ("ok", "right"),
    ("denied", "right"),
    ("failed", "right"),
    ("tries", "right"),
    ("tokens in", "right"),
    ("tokens out", "right"),
    ("p50", "right"),
    ("p95", "right"),
    ("cost", "right"),
)
FORMS = (
    ("judged", "right"),
    ("invalid", "right"),
    ("after repair", "right"),
)
since = click.option("--since", type=Since(), metavar="WHEN", help="1d, 12h, 2026-01-31.  [default: always]")


@click.group()
def call() -> None:
    """List, explain and sum up calls."""


@call.command("list")
@since
@click.option("--route", metavar="NAME", help="Only of that route.")
@click.option("--key", "ref", metavar="KEY", help="Only of that key: its name, its id or its first characters.")
@click.option("--status", type=click.Choice(STATUSES), help="Only those that ended so.")
@click.option("--target", metavar="NAME", help="Only those that this target answered.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many at most.")
@as_json
@placed
@here
def list_(
    place: Place,
    since: int | None,
    route: str | None,
    ref: str | None,
    status: str | None,
    target: str | None,
    limit: int,
    wants_json: bool,
) -> None:
    """List the last calls, the newest first."""
    from fairlead.server.office import CallFilter

    wanted = CallFilter(since_us=since or 0, route=route, status=status, target=target, limit=limit)
    rows, keys = place.ask(lambda desk: _listed(desk, wanted, ref), doing="call list")
    if wants_json:
        terminal.show_json(rows)
        return
    names = {one.id: one.name for one in keys}
    terminal.show_table(COLUMNS, (_row(row, names) for row in rows), empty="no calls")


@call.command()
@click.argument("id")
@click.option("--content", is_flag=True, help="What was said, where its route records that. Reading it is noted.")
@as_json
@placed
@here
def show(place: Place, id: str, content: bool, wants_json: bool) -> None:
    """Explain one call: who asked, what the rules did, which targets were tried, what it cost."""
    if content:
        said = place.ask(lambda desk: desk.content(id), doing="call show")
        _show_content(said, wants_json=wants_json)
        return

    async def ask(desk: "Desk") -> "tuple[CallShown, list[KeyShown]]":
        return await desk.call(id), await desk.keys(revoked=True)

    shown, keys = place.ask(ask, doing="call show")
    if wants_json:
        terminal.show_json(shown)
        return
    for line in tell(shown, {one.id: one.name for one in keys}):
        terminal.say(line)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # what a terminal would obey


def _show_content(said: "list[ContentShown]", *, wants_json: bool) -> None:
    if wants_json:
        terminal.show_json(said)
        return
    for one in said:
        note(f"{one.kind}, {moment(one.at_us)}, zone {one.zone}, until {moment(one.expires_us)} ({one.encoding})")
        terminal.say(_CONTROL.sub("·", one.body))
    if not said:
        note("nothing is recorded of it: its route says whether, and for how long ([routes.NAME.record])")


@call.command()
@click.option("--by", default="route,target", show_default=True, metavar="NAMES", help=f"Any of {', '.join(BY)}.")
@since
@as_json
@placed
@here
def summary(place: Place, by: str, since: int | None, wants_json: bool) -> None:
    """Sum up calls, tokens, money and times.

    A call stands with the target that answered it, tokens and money with the target that they were spent at. Where
    answers of a given form were asked for: how many were judged, how many were invalid, and how many still are after
    each was asked for once more.
    """
    groups = tuple(part.strip() for part in by.split(",") if part.strip())
    wrong = [name for name in groups if name not in BY]
    if wrong:
        raise click.BadParameter(f"{', '.join(wrong)}: calls are summed up by {', '.join(BY)}", param_hint="--by")
    sums, keys = place.ask(lambda desk: _summed(desk, groups, since or 0), doing="call summary")
    if wants_json:
        terminal.show_json(sums)
        return
    forms = any(one.shaped for one in sums)
    columns = tuple((name, "left") for name in groups) + SUMS + (FORMS if forms else ())
    names = {one.id: one.name for one in keys}
    rows = ((*_sum(one, names), *(_formed(one) if forms else ())) for one in sums)
    terminal.show_table(columns, rows, empty="no calls")


async def _listed(desk: "Desk", wanted: "CallFilter", ref: str | None) -> "tuple[list[CallRow], list[KeyShown]]":
    from msgspec.structs import replace

    keys = await desk.keys(revoked=True)
    if ref is not None:
        wanted = replace(wanted, key=next((one.id for one in keys if ref in (one.id, one.name, one.prefix)), ref))
    return await desk.calls(wanted), keys


async def _summed(desk: "Desk", by: tuple[str, ...], since_us: int) -> "tuple[list[Summary], list[KeyShown]]":
    return await desk.summary(by, since_us), await desk.keys(revoked=True) if "key" in by else []


def _row(row: "CallRow", names: dict[str, str]) -> tuple[str, ...]:
    return (
        terminal.moment(row.at_us),
        terminal.short(row.id),
        row.route,
        names.get(row.key, row.key),
        row.status,
        _by(row),
        str(row.attempts),
        terminal.duration(row.first_word_us),
        terminal.duration(row.duration_us),
        terminal.money(row.cost_nusd, estimated=row.estimated) if row.attempts else terminal.NOTHING,
    )


def _by(row: "CallRow") -> str:
    served = {"hit": " (cached)", "shared": " (shared)"}.get(row.cache, "")
    return row.target + served if row.target else row.code or terminal.NOTHING


def _sum(one: "Summary", names: dict[str, str]) -> tuple[str, ...]:
    cost = terminal.money(one.cost_nusd) if one.attempts else terminal.NOTHING
    if one.unknown_costs:
        known = one.attempts > one.unknown_costs
        cost = f"{cost} + {one.unknown_costs} unknown" if known else "unknown"
    return (
        *(names.get(value, value) or terminal.NOTHING for value in one.group.values()),
        f"{one.calls:,}",
        f"{one.ok:,}",
        f"{one.denied:,}",
        f"{one.failed + one.cancelled + one.lost:,}",
        f"{one.attempts:,}",
        f"{one.input_tokens:,}",
        f"{one.output_tokens:,}",
        terminal.duration(one.p50_duration_us),
        terminal.duration(one.p95_duration_us),
        cost,
    )


def _formed(one: "Summary") -> tuple[str, ...]:
    if not one.shaped:
        return (terminal.NOTHING,) * len(FORMS)
    left = one.invalid - one.repaired
    return f"{one.shaped:,}", _share(one.invalid, one.shaped), _share(left, one.shaped)


def _share(count: int, of: int) -> str:
    return f"{count:,} ({count / of:.1%})"
