"""On PostgreSQL calls and attempts lie in a partition for each month, by the time that their ids begin with.

Partitions are made when something is about to be inserted, and a month ahead. Where one can't be made, rows go into the
default one: nothing waits for it. What is in the rows is not known here.
"""

import logging
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, exc

from fairlead.errors import Unavailable
from fairlead.ids import least_id, now_us
from fairlead.store.opening import Store
from fairlead.store.postgres import take_turn

TABLES = ("call", "attempt")
AHEAD_US = 31 * 86_400_000_000
BACK_US = 400 * 86_400_000_000  # what is older, or further ahead, was written by a clock that is wrong
AGAIN_S = 60.0
PATIENCE = "2s"  # for those who read the books just now; everybody who comes later waits behind us
NAME = re.compile(r"(?:call|attempt)_y(\d{4})m(\d{2})\Z")

_log = logging.getLogger(__name__)


class Month(NamedTuple):
    year: int
    month: int

    @property
    def after(self) -> "Month":
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def start_us(self) -> int:
        return int(datetime(self.year, self.month, 1, tzinfo=UTC).timestamp()) * 1_000_000

    def partition(self, table: str) -> str:
        return f"{table}_y{self.year:04d}m{self.month:02d}"


class Partitions:
    """Those of one store, for one who inserts. On SQLite there are none."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tried: dict[Month, float] = {}  # when to try again

    def make_room(self, ids: Iterable[str]) -> None:
        """For rows of these ids, and for those of next month."""
        if not self._store.is_postgres:
            return
        now = now_us()
        wanted = {_month(now), _month(now + AHEAD_US)}
        wanted |= {_month(at_us) for at_us in {_day(id) for id in ids} if now - BACK_US < at_us < now + AHEAD_US}
        for month in sorted(wanted):
            if self._tried.get(month, 0.0) <= time.monotonic():
                self._tried[month] = time.monotonic() + AGAIN_S if not self._make(month) else float("inf")

    def _make(self, month: Month) -> bool:
        try:
            with self._store.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}'")
                there = set(partitions(connection))
                if all(month.partition(table) in there for table in TABLES):
                    return True
                take_turn(connection)
                for table in TABLES:
                    connection.exec_driver_sql(
                        f"CREATE TABLE IF NOT EXISTS {month.partition(table)} PARTITION OF {table} "
                        f"FOR VALUES FROM ('{least_id(month.start_us)}') TO ('{least_id(month.after.start_us)}')"
                    )
        except (Unavailable, exc.IntegrityError) as error:  # the default one has rows of that month already
            _log.warning(
                "no partition for %04d-%02d could be made, its rows go elsewhere: %s",
                *month,
                getattr(error, "orig", error),
            )
            return isinstance(error, exc.IntegrityError)
        return True


def partitions(connection: Connection) -> dict[str, Month]:
    """Those for a month that there are, by name."""
    names = connection.exec_driver_sql(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "WHERE inhparent IN ('call'::regclass, 'attempt'::regclass) ORDER BY relname"
    ).scalars()
    found = {name: NAME.match(name) for name in names}
    return {name: Month(int(match[1]), int(match[2])) for name, match in found.items() if match}


def drop_before(connection: Connection, before_us: int) -> list[str]:
    """Drops the partitions of which everything is older. Raises DBAPIError where somebody reads them."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    old = [name for name, month in partitions(connection).items() if month.after.start_us <= before_us]
    for name in old:
        connection.exec_driver_sql(f"DROP TABLE {name}")
    return old


def _month(at_us: int) -> Month:
    day = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    return Month(day.year, day.month)


def _day(id: str) -> int:
    """When it began, to the day, -1 for what is no id of ours."""
    try:
        at_ms = int(id[:12], 16)
    except ValueError:
        return -1
    return at_ms // 86_400_000 * 86_400_000_000
