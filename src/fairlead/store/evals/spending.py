"""What was paid for in the name of a run, by sitting and by what for: answers, a judge, a played user, a scorer."""

import sqlite3
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, func, select

from fairlead.store.evals import tables
from fairlead.store.evals.rows import Upsert


class SpentRow(Struct, frozen=True):
    """`sitting` is one process's work on the run; `unpriced` counts questions whose cost nobody knows."""

    run: str
    sitting: str
    what: str
    questions: int
    cost_nusd: int
    unpriced: int


_SPENT = Upsert(tables.spent, SpentRow)


def write_spent(connection: Connection, rows: Sequence[SpentRow]) -> None:
    """The sums of a sitting so far take the place of those that were there."""
    _SPENT.write(connection, rows)


def put_spent(connection: sqlite3.Connection, rows: Sequence[SpentRow]) -> None:
    """The same by SQLite's own driver."""
    _SPENT.put(connection, rows)


def spent_by(connection: Connection, run: str) -> list[SpentRow]:
    """The sums of all sittings, by what for; `sitting` is blank."""
    table = tables.spent.c
    sums = (func.sum(table.questions), func.sum(table.cost_nusd), func.sum(table.unpriced))
    query = select(table.what, *sums).where(table.run == run).group_by(table.what).order_by(table.what)
    return [SpentRow(run, "", what, *map(int, found)) for what, *found in connection.execute(query)]
