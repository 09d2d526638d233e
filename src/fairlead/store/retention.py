"""What is older than the books are to be kept goes: on SQLite row by row in small steps, on PostgreSQL month by month.

What it came to stays in `spending`, so no budget forgets: of the last two months to a quarter of an hour, before that
to a day. When it is done is not known here.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from msgspec import Struct
from sqlalchemy import Connection, select

from fairlead.errors import OperatorError, Unavailable
from fairlead.ids import least_id, now_us
from fairlead.records import LARGEST
from fairlead.store import schema
from fairlead.store.landing import QUARTER_US
from fairlead.store.opening import Store
from fairlead.store.partitions import drop_before

DAY_US = 86_400_000_000
FINE_US = 62 * DAY_US  # longer than the longest window
STEP = 1000  # rows in a transaction: milliseconds in which nobody else can write to SQLite
PAUSE_S = 0.005
FRESH = 4  # what is younger than this part of what is kept may all have been booked since the clock jumped
_WHOSE = "scope, owner, writer"
_SUMS = ("nusd", "tokens", "requests")
Newest = Callable[[int, int], int | None]


class Pruned(Struct):
    """How many rows went, and which partitions. `failed`: why some are left for the next time."""

    calls: int = 0
    attempts: int = 0
    audit: int = 0
    partitions: tuple[str, ...] = ()
    failed: str = ""


def prune(store: Store, before_us: int, *, is_sure: bool = False) -> Pruned:
    """Raises Unavailable where the store is away; what is done until then stays done. Raises OperatorError, and nothing
    goes, where the clock may have jumped ahead; unless one `is_sure` of it."""
    if not is_sure:
        with store.read() as connection:
            seen = partial(newest_us, connection)
            check_clock(
                seen, seen, before_us, now_us(), "`fairlead store prune --clock-is-right`, while no server runs"
            )
    done = Pruned()
    if store.is_postgres:
        try:
            with store.begin() as connection:
                done.partitions = tuple(drop_before(connection, before_us))
        except Unavailable as error:  # somebody reads them
            done.failed = error.message
    of_month = "_default" if store.is_postgres else ""
    done.calls = _delete(store, f"call{of_month}", f"at_us < {before_us}")
    done.attempts = _delete(store, f"attempt{of_month}", f"id < '{least_id(before_us)}'")
    done.audit = _delete(store, "audit", f"at_us < {before_us}")
    with store.begin() as connection:
        _coarsen(connection, now_us() - FINE_US)
    return done


def oldest_and_newest_us(connection: Connection) -> tuple[int | None, int | None]:
    """Of the calls in the books."""
    at = schema.call.c.at_us
    ends = (connection.execute(select(at).order_by(order).limit(1)).scalar() for order in (at, at.desc()))
    oldest, newest = ends
    return oldest, newest


def newest_us(connection: Connection, since_us: int, until_us: int) -> int | None:
    """The last call or change between the two."""
    found = [
        connection.execute(select(at).where(at >= since_us, at < until_us).order_by(at.desc()).limit(1)).scalar()
        for at in (schema.call.c.at_us, schema.audit.c.at_us)
    ]
    return max((one for one in found if one is not None), default=None)


def check_clock(going: Newest, seen: Newest, before_us: int, at_us: int, by_hand: str) -> None:
    """Nobody can tell a clock that jumped from a long silence, but for this: books that are kept going reach back from
    now as far as they are kept. Where something would go and nothing was seen since but what is fresh, all would go at
    once. `going` and `seen` give the newest time between two; `by_hand` is how one who is sure says so. Raises
    OperatorError."""
    fresh_us = at_us - (at_us - before_us) // FRESH
    goes = going(0, before_us)
    if goes is None or seen(before_us, fresh_us) is not None:
        return
    raise OperatorError(
        f"nothing is removed: this machine's clock says {_day(at_us)}, and what is older than {_day(before_us)} would "
        f"go, which is all until {_day(goes)} and thus nearly everything. Either nobody asked for so long, or the "
        "clock jumped ahead",
        hint=f"if the clock is right: {by_hand}",
    )


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).date().isoformat()


def _delete(store: Store, table: str, old: str) -> int:
    count = 0
    while True:
        with store.begin() as connection:
            chosen = f"SELECT id FROM {table} WHERE {old} LIMIT {STEP}"
            gone = connection.exec_driver_sql(f"DELETE FROM {table} WHERE id IN ({chosen})").rowcount
        count += gone
        if gone < STEP:
            return count
        time.sleep(PAUSE_S)


def _coarsen(connection: Connection, before_us: int) -> None:
    """Sums of a day become one, at its last quarter: who asks from within that day on is told all of it, never less."""
    last = DAY_US - QUARTER_US
    old = f"quarter_us < {before_us - before_us % DAY_US} AND quarter_us % {DAY_US} <> {last}"
    chosen = ", ".join(f"CASE WHEN sum({name}) > {LARGEST} THEN {LARGEST} ELSE sum({name}) END" for name in _SUMS)
    added = ", ".join(
        f"{name} = CASE WHEN spending.{name} + excluded.{name} > {LARGEST} THEN {LARGEST} "
        f"ELSE spending.{name} + excluded.{name} END"
        for name in _SUMS
    )
    day = f"quarter_us - quarter_us % {DAY_US} + {last}"
    insertion = (
        f"INSERT INTO spending ({_WHOSE}, quarter_us, {', '.join(_SUMS)}) "
        f"SELECT {_WHOSE}, {day}, {chosen} FROM {{gone}} GROUP BY {_WHOSE}, {day} "
        f"ON CONFLICT (scope, owner, quarter_us, writer) DO UPDATE SET {added}"
    )
    if connection.dialect.name == "postgresql":  # in one statement, so that nothing can be added in between
        gone = f"WITH gone AS (DELETE FROM spending WHERE {old} RETURNING *) "
        connection.exec_driver_sql((gone + insertion.format(gone="gone")).replace("%", "%%"))
    else:
        connection.exec_driver_sql(insertion.format(gone=f"spending WHERE {old}"))
        connection.exec_driver_sql(f"DELETE FROM spending WHERE {old}")


def size_bytes(connection: Connection) -> int:
    """All of the tables, with their indexes."""
    if connection.dialect.name == "postgresql":
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    return int(pages) * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())
