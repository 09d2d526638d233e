"""`fairlead budget`: what limits are used up to, and which replica has leased how much of them."""

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
    """Show budgets and limits: what is spent, held, leased and free."""


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
