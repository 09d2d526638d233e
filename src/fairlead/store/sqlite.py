"""How SQLite is used: its write-ahead log, and transactions that say at their beginning whether they will write.

What is asked of it is not known here.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event

BUSY_MS = 5000


def sqlite_engine(url: URL) -> Engine:
    # What is no number and no text is looked up by the driver for each value, in vain; this is five times as fast.
    sqlite3.register_adapter(type(None), {}.get)
    sqlite3.register_adapter(bool, int)
    engine = sqlalchemy.create_engine(url)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def write_ahead(engine: Engine) -> None:
    """Readers and the writer don't wait for each other. It can't be said inside a transaction."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transactions by itself; `_begin` does
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Connection) -> None:
    # A transaction that begins by reading and then writes can't wait for another writer; so writers say so at once.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class QuickWriter:
    """Commits small transactions where it stands, waiting for nobody and for no disk: what is committed is the kernel's
    then, and outlives the process. By SQLite's own driver, as SQLAlchemy takes three times as long over such a one as
    SQLite does. For one thread."""

    def __init__(self, engine: Engine) -> None:
        self._held = engine.raw_connection()
        self._connection: sqlite3.Connection = self._held.driver_connection  # type: ignore[assignment]
        self._held.detach()  # it has settings of its own from here on, so it is for nobody else
        self._connection.execute("PRAGMA busy_timeout=0")
        self._connection.execute("PRAGMA wal_autocheckpoint=0")

    def write(self, work: Callable[[sqlite3.Connection], None]) -> bool:
        """False: nothing was written, since somebody else is writing or the disk is full; `checkpoint` is called by
        somebody who may wait."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            work(connection)
            connection.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            return False
        return True

    def close(self) -> None:
        self._held.close()


def checkpoint(engine: Engine) -> None:
    """What lies in the write-ahead log goes to its place; nobody has to wait meanwhile. It is put off where that fails:
    the log only grows."""
    connection = engine.raw_connection()
    try:
        with suppress(sqlite3.Error):
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
    finally:
        connection.close()
