"""Opens the evaluation store: makes it or brings it up to this program, and refuses one that is newer.

A file of its own in the data directory, or a schema of its own in the books' PostgreSQL. It is brought up to this
program when it is opened, since no running server depends on it.
"""

import os
from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, Engine, event

from fairlead.errors import OperatorError, StoreMismatch, Unavailable
from fairlead.store.evals.tables import HEAD
from fairlead.store.migrations import upgrade
from fairlead.store.opening import AWAY, Store, shown, unreachable
from fairlead.store.postgres import NAMES, postgres_engine, take_turn
from fairlead.store.sqlite import sqlite_engine, write_ahead

FILE = "evals.db"
SCHEMA = "fairlead_evals"
_VERSION = sqlalchemy.table("alembic_version", sqlalchemy.column("version_num"))


def open_evals(data_dir: Path, url: str = "", *, create: bool = True) -> Store:
    """The evaluation store of a data directory; at `url` where that is a PostgreSQL.

    Raises StoreMismatch where it is newer than this program, or missing and not to be made; OperatorError where it
    can't be reached.
    """
    engine = _connect(data_dir, url, create=create)
    try:
        with Store(engine).read() as connection:
            found = _revision(connection)
        if found != HEAD:
            found = _bring_up(engine, found, create=create)
        if engine.dialect.name == "sqlite":
            write_ahead(engine)
        return Store(engine)
    except (*AWAY, Unavailable) as error:
        engine.dispose()
        away = error if isinstance(error, Unavailable) else unreachable(engine, error)
        raise OperatorError(f"the evaluation store can't be opened: {away.message}", hint=away.hint) from error
    except BaseException:
        engine.dispose()
        raise


def _connect(data_dir: Path, url: str, *, create: bool) -> Engine:
    parsed = sqlalchemy.make_url(url) if url else None
    if parsed is not None and parsed.drivername in NAMES:
        engine = postgres_engine(parsed)
        event.listen(engine, "begin", _within_schema)
        return engine
    path = data_dir / FILE
    if not path.exists():
        if not create:
            raise StoreMismatch(f"nothing was evaluated here yet: there is no {path}", hint="run a suite first")
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise OperatorError(f"{path} can't be made: {error.strerror}", hint="set `data_dir`") from error
    return sqlite_engine(sqlalchemy.make_url("sqlite://").set(database=str(path)))


def _within_schema(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL search_path TO {SCHEMA}")


def _bring_up(engine: Engine, found: str | None, *, create: bool) -> str:
    """Where two do so at once, one waits for the other."""
    if found is None and not create:
        raise StoreMismatch(f"nothing was evaluated in {shown(engine)} yet", hint="run a suite first")
    with Store(engine).begin() as connection:
        take_turn(connection, for_long=True)
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        found = _revision(connection)
        if found is not None and found > HEAD:
            raise StoreMismatch(
                f"the evaluation store at {shown(engine)} has revision {found}, which this program ({HEAD}) does not "
                "know",
                hint="a newer Fairlead has used it: install that version or a later one",
            )
        upgrade(connection, HEAD, Path(__file__).parent)
    return HEAD


def _revision(connection: Connection) -> str | None:
    if _VERSION.name not in sqlalchemy.inspect(connection).get_table_names():
        return None
    return connection.execute(sqlalchemy.select(_VERSION.c.version_num)).scalar_one_or_none()
