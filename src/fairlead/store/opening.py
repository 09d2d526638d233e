"""Opens the store: makes a fresh one, takes one of this program's revision, refuses any other untouched.

SQLite in a file by default, any other database by URL. What is in the tables is the business of the modules named after
them; every one of their functions is given a connection from here.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, Engine, event, exc

from fairlead.errors import OperatorError, StoreMismatch, Unavailable
from fairlead.store import schema
from fairlead.store.postgres import NAMES, postgres_engine

FILE = "fairlead.db"
BUSY_MS = 5000
HINT = "is it on a disk that is there, not full, and may it be written?"
UNREADABLE = "store_unreadable"
OURS = (exc.DataError, exc.IntegrityError, exc.ProgrammingError)  # mistakes of this program, not of the store

_log = logging.getLogger(__name__)


class Store:
    """An open store. Close it at the end.

    `begin` and `read` raise Unavailable (`store_unavailable`) where it is locked, away or broken. One that is `unseen`
    was away when it was to be opened: it is looked at, as `open_store` does, before anything is done with it.
    """

    def __init__(self, engine: Engine, *, unseen: bool = False) -> None:
        self.engine = engine
        self._unseen = unseen
        self._looking = threading.Lock()
        self._file = None if unseen else _identity(engine)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that may write: committed at the end, rolled back on an error."""
        with (
            self._reached(),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the books and changes nothing."""
        with self._reached(), self.engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _reached(self) -> Iterator[None]:
        if self._unseen:
            self._look()
        if self._file is not None and _identity(self.engine) != self._file:  # SQLite would go on in what has no name
            raise Unavailable(
                f"the store at {_shown(self.engine)} was removed or replaced while it was open",
                hint="put it back and start again: what happened since then waits in the spool",
                code="store_unavailable",
            )
        try:
            yield
        except OURS:
            raise
        except exc.DBAPIError as error:
            message = f"the store at {_shown(self.engine)} can't be used now: {_reason(error)}"
            raise Unavailable(message, hint=HINT, code="store_unavailable") from error

    def _look(self) -> None:
        """Raises Unavailable as long as it is away, or is not what this program can use."""
        with self._looking:
            if not self._unseen:
                return
            try:
                _make_or_check(self.engine, create=True)
            except (exc.DBAPIError, StoreMismatch) as error:
                message = f"the store at {_shown(self.engine)} can't be used yet: {_reason(error)}"
                raise Unavailable(message, hint=getattr(error, "hint", HINT), code="store_unavailable") from error
            self._file = _identity(self.engine)
            self._unseen = False

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _identity(engine: Engine) -> tuple[int, int] | None:
    """Which file a store of one file is; None: there is none, or it is no file."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    try:
        found = Path(engine.url.database).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _reason(error: Exception) -> str:
    return str(error.orig if isinstance(error, exc.DBAPIError) else error)


def open_store(place: Path | str, *, create: bool = True, patient: bool = False) -> Store:
    """The store in a data directory (a Path) or at a database URL (a text with `://`).

    Where there is none, a fresh one is made, unless `create` is False. Raises StoreMismatch where the store is missing,
    older or newer than this program, or no store of ours, and OperatorError where it can't be reached; then nothing was
    changed. Who is `patient` gets one that can't be reached or read nevertheless, for when it is back.
    """
    engine = connect(place, create=create)
    try:
        _make_or_check(engine, create=create)
    except (exc.DBAPIError, Unavailable, StoreMismatch) as error:
        unread = not isinstance(error, StoreMismatch) or error.code == UNREADABLE
        if patient and unread:
            _log.error("%s can't be opened, it is tried again and again: %s", _shown(engine), _reason(error))
            return Store(engine, unseen=True)
        engine.dispose()
        if isinstance(error, StoreMismatch):
            raise
        raise OperatorError(f"{_shown(engine)} can't be opened: {_reason(error)}", hint=HINT) from error
    except BaseException:
        engine.dispose()
        raise
    return Store(engine)


def _make_or_check(engine: Engine, *, create: bool) -> None:
    """Leaves a store of this program's revision there. Raises StoreMismatch, DBAPIError, Unavailable."""
    found = revision(engine)
    if found is None and not create:
        raise StoreMismatch(f"there is no store at {_shown(engine)}", hint="fairlead serve makes one")
    if found is None:
        _create(engine)
    elif found != schema.HEAD:
        raise _mismatch(engine, found)
    if engine.dialect.name == "sqlite":
        _write_ahead(engine)


def connect(place: Path | str, *, create: bool = True) -> Engine:
    """An engine for that place, whatever may be there. Raises StoreMismatch for a missing file if not to `create`."""
    if isinstance(place, str) and "://" in place:
        url = sqlalchemy.make_url(place)
        if url.drivername in NAMES:
            return postgres_engine(url)
        engine = sqlalchemy.create_engine(url)
    else:
        path = Path(place) / FILE
        if not create and not path.exists():
            raise StoreMismatch(f"there is no store at {path}", hint="fairlead serve makes one")
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def revision(engine: Engine) -> str | None:
    """The revision of the store's tables; None where there are no tables at all. Raises StoreMismatch for others'."""
    try:
        with engine.connect() as connection:
            names = sqlalchemy.inspect(connection).get_table_names()
            if not names:
                return None
            if schema.version.name in names:
                found = connection.execute(sqlalchemy.select(schema.version.c.version_num)).scalar_one_or_none()
                if found is not None:
                    return found
    except exc.OperationalError:
        raise
    except exc.DatabaseError as error:
        message = f"{_shown(engine)} is no database: {error.orig}"
        raise StoreMismatch(message, hint="move the file away", code=UNREADABLE) from error
    raise StoreMismatch(f"{_shown(engine)} has tables, but they are not Fairlead's", hint="choose another data_dir")


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Brings an older store up to this program, in one transaction. Gives the revisions before and after.

    Raises StoreMismatch where the store is newer than this program.
    """
    found = revision(engine)
    if found is not None and found > schema.HEAD:
        raise _mismatch(engine, found)
    from fairlead.store.migrations import upgrade

    with Store(engine).begin() as connection:
        upgrade(connection, schema.HEAD)
    return found, schema.HEAD


def _write_ahead(engine: Engine) -> None:
    """Readers and the writer don't wait for each other. It can't be said inside a transaction."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _create(engine: Engine) -> None:
    with Store(engine).begin() as connection:
        schema.metadata.create_all(connection)
        schema.version.create(connection)
        connection.execute(schema.version.insert().values(version_num=schema.HEAD))
    if engine.dialect.name == "sqlite" and engine.url.database:
        with suppress(OSError):  # who may not change it does not own it
            Path(engine.url.database).chmod(0o600)


def _mismatch(engine: Engine, found: str) -> StoreMismatch:
    if found < schema.HEAD:
        message = f"the store at {_shown(engine)} has revision {found}, this program needs {schema.HEAD}"
        return StoreMismatch(message, hint="stop the server, keep a copy, then: fairlead store migrate")
    message = f"the store at {_shown(engine)} has revision {found}, which this program ({schema.HEAD}) does not know"
    return StoreMismatch(message, hint="a newer Fairlead has used it: install that version or a later one")


def _shown(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transactions by itself; `_begin` does
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Connection) -> None:
    # A transaction that begins by reading and then writes can't wait for another writer; so writers say so at once.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
