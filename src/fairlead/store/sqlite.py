"""How SQLite is used: its write-ahead log, and transactions that say at their beginning whether they will write.

What is asked of it is not known here.
"""

import sqlite3

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
