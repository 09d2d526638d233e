"""Budgets as they are kept, and what was spent of them according to the books.

Holds of calls in flight are not known here: they are the purse's.
"""

from functools import partial

from msgspec import Struct, structs
from sqlalchemy import Connection, func, select

from fairlead.errors import NotFound, RequestInvalid
from fairlead.ids import least_id, new_id
from fairlead.store import schema
from fairlead.store.audit import note
from fairlead.store.calls import begun_between
from fairlead.store.editions import turn
from fairlead.store.landing import QUARTER_US
from fairlead.windows import FOREVER_US, window_start_us

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
    if unit not in UNITS:
        raise RequestInvalid(f'nothing is counted in "{unit}"', hint=f"of {UNITS} one")
    if scope not in SCOPES:
        raise RequestInvalid(f'nothing is counted for "{scope}"', hint=f"of {SCOPES} one")
    begin_us, end_us = -(-since_us // QUARTER_US) * QUARTER_US, FOREVER_US
    if until_us is not None:
        end_us = until_us - until_us % QUARTER_US
    of_rows = partial(_of_rows, connection, unit, scope, scope_id, writers)
    if begin_us > since_us and _is_pruned(connection, unit, since_us):
        since_us = begin_us = begin_us - QUARTER_US  # what can't be told apart any more counts as spent
    if begin_us >= end_us:
        return of_rows(since_us, end_us if until_us is None else until_us)
    table = schema.spending
    query = select(func.sum(table.c[unit])).where(
        table.c.scope == scope,
        table.c.owner == ("" if scope == "all" else scope_id),
        table.c.quarter_us >= begin_us,
        table.c.quarter_us < end_us,
    )
    if writers:
        query = query.where(table.c.writer.startswith(writers, autoescape=True))
    whole = int(connection.execute(query).scalar_one() or 0)
    return of_rows(since_us, begin_us) + whole + (0 if until_us is None else of_rows(end_us, until_us))


def _is_pruned(connection: Connection, unit: str, since_us: int) -> bool:
    """Whether the rows of that time are gone, or there never were any."""
    if unit == "requests":
        oldest = connection.execute(select(func.min(schema.call.c.at_us))).scalar_one()
        return oldest is None or oldest >= since_us
    oldest = connection.execute(select(func.min(schema.attempt.c.id))).scalar_one()
    return oldest is None or oldest >= least_id(since_us + 1000)


def _of_rows(
    connection: Connection, unit: str, scope: str, scope_id: str, writers: str, since_us: int, until_us: int
) -> int:
    """What the rows themselves come to, for the part of a quarter of an hour."""
    if since_us >= until_us:
        return 0
    if unit == "requests":
        table, amount = schema.call, func.count()
    elif unit == "tokens":
        table, amount = schema.attempt, func.sum(schema.attempt.c.input_tokens + schema.attempt.c.output_tokens)
    else:
        table = schema.attempt
        amount = func.sum(func.coalesce(table.c.cost_nusd, table.c.hold_nusd, 0))
    query = select(amount).where(table.c.at_us >= since_us, table.c.at_us < until_us)
    if unit == "requests":
        query = query.where(table.c.status != "denied")
    else:
        query = query.where(*begun_between(table, since_us, until_us))
    if scope != "all":
        query = query.where(table.c[scope] == scope_id)
    if writers:
        query = query.where(table.c.writer.startswith(writers, autoescape=True))
    return int(connection.execute(query).scalar_one() or 0)
