"""Budgets as they are kept, and what was spent of them according to the books.

Holds of calls in flight are not known here: they are the purse's.
"""

from msgspec import Struct, structs
from sqlalchemy import ColumnElement, Connection, Table, func, select

from fairlead.errors import NotFound, RequestInvalid
from fairlead.ids import new_id
from fairlead.store import schema
from fairlead.store.audit import note
from fairlead.store.editions import turn
from fairlead.windows import window_start_us

SCOPES = ("key", "team", "route", "all")
UNITS = ("nusd", "tokens", "requests")


class BudgetRow(Struct, frozen=True):
    """So much of a unit (nusd, tokens, requests) in a window, for a key, a team, a route, or all (`scope_id` is "")."""

    id: str
    scope: str
    scope_id: str
    unit: str
    amount: int
    window: str
    timezone: str


def add_budget(
    connection: Connection,
    *,
    scope: str,
    scope_id: str,
    unit: str,
    amount: int,
    window: str,
    timezone: str = "UTC",
    actor: str,
) -> BudgetRow:
    """Raises RequestInvalid for a scope, unit or amount that can't be, ConfigInvalid for a window or time zone."""
    if scope not in SCOPES or unit not in UNITS:
        raise RequestInvalid(f'no budget of "{unit}" for "{scope}"', hint=f"of {SCOPES} one, and of {UNITS}")
    if not 0 <= amount < 2**63:
        raise RequestInvalid(f"a budget of {amount} {unit}", hint="give an amount of 0 or more")
    window_start_us(window, timezone, 0)  # raises where there is no such window or time zone
    row = BudgetRow(new_id(), scope, scope_id, unit, amount, window, timezone)
    connection.execute(schema.budget.insert().values(**structs.asdict(row)))
    turn(connection, "keys")  # whose budgets travel with them
    note(connection, actor=actor, action="budget.new", subject=row.id, details=structs.asdict(row))
    return row


def remove_budget(connection: Connection, id: str, *, actor: str) -> None:
    """Raises NotFound."""
    if not connection.execute(schema.budget.delete().where(schema.budget.c.id == id)).rowcount:
        raise NotFound(f"there is no budget {id}")
    turn(connection, "keys")
    note(connection, actor=actor, action="budget.remove", subject=id)


def list_budgets(connection: Connection, *, scope: str | None = None, scope_id: str | None = None) -> list[BudgetRow]:
    table = schema.budget
    query = select(table).order_by(table.c.id)
    if scope is not None:
        query = query.where(table.c.scope == scope)
    if scope_id is not None:
        query = query.where(table.c.scope_id == scope_id)
    return [BudgetRow(*row) for row in connection.execute(query).all()]


def spent(
    connection: Connection,
    unit: str,
    scope: str,
    scope_id: str,
    since_us: int,
    *,
    until_us: int | None = None,
    writers: str = "",
) -> int:
    """What the books say was spent since then (and before `until_us`), in `unit`.

    Money and tokens (input and output) are those of the attempts whose intent was written since; an attempt of unknown
    cost counts as its hold. Requests are calls that were not denied. What is not shipped yet is not in the books.
    `writers` keeps to the rows of spools whose names begin so.
    """
    if unit == "requests":
        table, amount = schema.call, func.count()
    elif unit == "tokens":
        table, amount = schema.attempt, func.sum(schema.attempt.c.input_tokens + schema.attempt.c.output_tokens)
    elif unit == "nusd":
        table = schema.attempt
        amount = func.sum(func.coalesce(table.c.cost_nusd, table.c.hold_nusd, 0))
    else:
        raise RequestInvalid(f'nothing is counted in "{unit}"', hint=f"of {UNITS} one")
    query = select(amount).where(table.c.at_us >= since_us, *_within(table, scope, scope_id))
    if until_us is not None:
        query = query.where(table.c.at_us < until_us)
    if unit == "requests":
        query = query.where(table.c.status != "denied")
    if writers:
        query = query.where(table.c.writer.startswith(writers, autoescape=True))
    return int(connection.execute(query).scalar_one() or 0)


def _within(table: Table, scope: str, scope_id: str) -> list[ColumnElement[bool]]:
    if scope == "all":
        return []
    if scope not in SCOPES:
        raise RequestInvalid(f'nothing is counted for "{scope}"', hint=f"of {SCOPES} one")
    return [table.c[scope] == scope_id]
