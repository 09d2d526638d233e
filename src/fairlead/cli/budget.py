"""`fairlead budget`: what limits are used up to, which replica has leased how much of them, and the end of one that is
lost."""

from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json
from fairlead.money import format_usd

if TYPE_CHECKING:
    from fairlead.store.leases import AccountRow

COLUMNS = (
    ("for", "left"),
    ("limit", "left"),
    ("spent", "right"),
    ("held", "right"),
    ("leased", "right"),
    ("free", "right"),
    ("of", "right"),
    ("until", "left"),
    ("by", "left"),
)


@click.group()
def budget() -> None:
    """Show budgets and limits: what is spent, held, leased and free; write off a lost replica."""


@budget.command("list")
@as_json
@placed
@here
def list_(place: Place, wants_json: bool) -> None:
    """List the limits that were used in their present window.

    What is leased lies with replicas, to be spent without asking anybody.
    """
    found = place.ask(lambda desk: desk.budgets(), doing="budget list")
    if wants_json:
        terminal.show_json(found)
    else:
        terminal.show_table(COLUMNS, map(_row, found), empty="no limit was used in its present window")


@budget.command()
@click.argument("replica", metavar="REPLICA")
@as_json
@placed
@here
def release(place: Place, replica: str, wants_json: bool) -> None:
    """Write off a replica that is lost with its data directory: what it had leased and did not spend is free again.

    REPLICA is the part before the dot of what `fairlead budget list` shows in "by". What the books know that it spent,
    and what it said last that it spent and held, is spent; calls whose records were lost with it, and which it had not
    told of yet, are not. Refused while it lives.
    """
    gone = place.ask(lambda desk: desk.release_replica(replica), doing="budget release")
    if wants_json:
        terminal.show_json(gone)
    else:
        terminal.note(f"Replica {gone.replica} is written off: {gone.leases} leases of {gone.lives} lives ended.")


def _row(found: "AccountRow") -> tuple[str, ...]:
    def amount(number: int) -> str:
        return format_usd(number) if found.unit == "nusd" else f"{number:,}"

    return (
        found.scope,
        found.limit,
        amount(found.spent),
        amount(found.held),
        amount(max(0, found.base + found.leased - found.spent - found.held)),
        amount(found.amount - found.base - found.leased),
        amount(found.amount),
        terminal.moment(found.ends_us),
        ", ".join(lease.holder for lease in found.leases) or terminal.NOTHING,
    )
