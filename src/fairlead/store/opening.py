"""Opens the store: makes a fresh one, takes one of this program's revision, refuses any other untouched.

SQLite in a file by default, PostgreSQL by URL. What is in the tables is the business of the modules named after them;
every one of their functions is given a connection from here.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, Engine, exc

from fairlead.errors import InUse, OperatorError, StoreMismatch, Unavailable
from fairlead.store import schema
from fairlead.store.postgres import NAMES, RIGHTS, lacks_rights, postgres_engine, take_turn
from fairlead.store.sqlite import sqlite_engine, write_ahead

FILE = "fairlead.db"
DISK_HINT = "is it on a disk that is there, not full, and may it be written?"
HOST_HINT = "is the server up, is its disk full, are address and password right? `[store] url` says where it is"
OURS = (exc.DataError, exc.IntegrityError, exc.ProgrammingError)  # mistakes of this program, not of the store
AWAY = (exc.DBAPIError, exc.TimeoutError)
UNREADABLE = "store_unreadable"

_log = logging.getLogger(__name__)


class Store:
    """An open store. Close it at the end.

    `begin` and `read` raise Unavailable (`store_unavailable`) where it is locked, away or broken. One that is `unseen`
    was away when it was to be opened: it is looked at, as `open_store` does, before anything is done with it.
    """

    def __init__(self, engine: Engine, lock: int | None = None, *, unseen: bool = False) -> None:
        self.engine = engine
        self._lock = lock
        self._unseen = unseen
        self._looking = threading.Lock()
        self._file = None if unseen else _identity(engine)

    @property
    def is_postgres(self) -> bool:
        return self.engine.dialect.name == "postgresql"

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
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if self.is_postgres else {}
        with self._reached(), self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def is_within(self, folder: Path) -> bool:
        """Is it a file there? Then it is only for who holds that folder's lock."""
        url = self.engine.url
        return url.get_backend_name() == "sqlite" and Path(url.database or "").resolve().parent == folder.resolve()

    def close(self) -> None:
        self.engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def is_there(self) -> bool:
        """Is a store of one file still the file that was opened? SQLite would go on in what has no name."""
        return self._file is None or _identity(self.engine) == self._file

    @contextmanager
    def _reached(self) -> Iterator[None]:
        if self._unseen:
            self._look()
        if not self.is_there:
            raise Unavailable(
                f"the store at {shown(self.engine)} was removed or replaced while it was open",
                hint="put it back and start again: what happened since then waits in the spool",
                code="store_unavailable",
            )
        try:
            yield
        except OURS as error:
            if lacks_rights(error):
                raise unreachable(self.engine, error) from error
            raise
        except AWAY as error:
            raise unreachable(self.engine, error) from error

    def _look(self) -> None:
        """Raises Unavailable as long as it is away, or is not what this program can use."""
        with self._looking:
            if not self._unseen:
                return
            try:
                _make_or_check(self.engine, create=True)
            except AWAY as error:
                raise unreachable(self.engine, error) from error
            except StoreMismatch as error:
                message = f"the store can't be used yet: {error.message}"
                raise Unavailable(message, hint=error.hint, code="store_unavailable") from error
            self._file = _identity(self.engine)
            self._unseen = False

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(place: Path | str, *, create: bool = True, patient: bool = False, alone: bool = True) -> Store:
    """The store in a data directory (a Path) or at a database URL (a text with `://`).

    Where there is none, a fresh one is made, unless `create` is False. Raises StoreMismatch where the store is missing,
    older or newer than this program, or no store of ours, InUse where SQLite's file is open by URL elsewhere, and
    OperatorError where it can't be reached; then nothing was changed. Who is `patient` gets one that can't be reached
    or read nevertheless, for when it is back. Who is not `alone` only reads, beside whoever has the file of SQLite.
    """
    engine = connect(place, create=create)
    lock = None
    try:
        if alone and isinstance(place, str) and engine.dialect.name == "sqlite":
            lock = _only(engine)
        _make_or_check(engine, create=create)
        return Store(engine, lock)
    except BaseException as error:
        if patient and _may_come_back(error):
            _log.error("%s can't be opened, it is tried again and again: %s", shown(engine), _reason(engine, error))
            return Store(engine, lock, unseen=True)
        engine.dispose()
        if lock is not None:
            os.close(lock)
        if isinstance(error, (*AWAY, Unavailable)):
            away = error if isinstance(error, Unavailable) else unreachable(engine, error)
            raise OperatorError(f"{shown(engine)} can't be opened: {_reason(engine, error)}", hint=away.hint) from error
        raise


def _may_come_back(error: BaseException) -> bool:
    if isinstance(error, StoreMismatch):
        return error.code == UNREADABLE
    return isinstance(error, (*AWAY, Unavailable)) and not lacks_rights(error)


def connect(place: Path | str, *, create: bool = True) -> Engine:
    """An engine for that place, whatever may be there. Raises StoreMismatch for a missing file if not to `create`."""
    if isinstance(place, str) and "://" in place:
        url = sqlalchemy.make_url(place)
        return postgres_engine(url) if url.drivername in NAMES else sqlite_engine(url)
    path = Path(place) / FILE
    if not create and not path.exists():
        raise StoreMismatch(f"there is no store at {path}", hint="fairlead serve makes one")
    path.parent.mkdir(parents=True, exist_ok=True)
    return sqlite_engine(sqlalchemy.make_url("sqlite://").set(database=str(path)))


def revision(engine: Engine) -> str | None:
    """The revision of the store's tables; None where there are no tables at all. Raises StoreMismatch for others'."""
    try:
        with engine.connect() as connection:
            return _revision(connection)
    except exc.OperationalError:
        raise
    except exc.DatabaseError as error:
        if engine.dialect.name != "sqlite":
            raise
        message = f"{shown(engine)} is no database: {error.orig}"
        raise StoreMismatch(message, hint="move the file away", code=UNREADABLE) from error


def find_revision(place: Path | str) -> str | None:
    """The same of a place, which is left as it is. Raises StoreMismatch, and Unavailable where it can't be reached."""
    engine = connect(place, create=False)
    try:
        return revision(engine)
    except AWAY as error:
        raise unreachable(engine, error) from error
    finally:
        engine.dispose()


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Brings an older store up to this program, in one transaction. Gives the revisions before and after.

    Where two do so at once, one waits for the other. Raises StoreMismatch where the store is newer than this program.
    """
    found = revision(engine)
    if found is not None and found > schema.HEAD:
        raise _mismatch(engine, found)
    from fairlead.store.migrations import upgrade

    with Store(engine).begin() as connection:
        take_turn(connection, for_long=True)
        upgrade(connection, schema.HEAD)
    return found, schema.HEAD


def check_revision(connection: Connection) -> None:
    """Raises Unavailable where another program has brought the store to another revision since it was opened."""
    found = connection.execute(sqlalchemy.select(schema.version.c.version_num)).scalar_one_or_none()
    if found != schema.HEAD:
        raise Unavailable(
            f"the store was brought to revision {found} while this program ({schema.HEAD}) was running",
            hint="start the program that did it instead of this one: what happened since then waits in the spool",
            code="store_unavailable",
        )


def unreachable(engine: Engine, error: Exception) -> Unavailable:
    """What is said where a store can't be used now. Its password is not."""
    hint = DISK_HINT if engine.dialect.name == "sqlite" else RIGHTS if lacks_rights(error) else HOST_HINT
    message = f"the store at {shown(engine)} can't be used now: {_reason(engine, error)}"
    return Unavailable(message, hint=hint, code="store_unavailable")


def shown(engine: Engine) -> str:
    """Where it is, without its password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    url = engine.url
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


def _make_or_check(engine: Engine, *, create: bool) -> None:
    """Leaves a store of this program's revision there. Raises StoreMismatch, DBAPIError, Unavailable."""
    found = revision(engine)
    if found is None and not create:
        raise StoreMismatch(f"there is no store at {shown(engine)}", hint="fairlead serve makes one")
    if found is None:
        found = _create(engine)
    if found != schema.HEAD:
        raise _mismatch(engine, found)
    if engine.dialect.name == "sqlite":
        write_ahead(engine)


def _create(engine: Engine) -> str:
    """The revision that is there afterwards: where two make it at once, one finds what the other made."""
    with Store(engine).begin() as connection:
        take_turn(connection)
        found = _revision(connection)
        if found is not None:
            return found
        schema.metadata.create_all(connection)
        schema.version.create(connection)
        connection.execute(schema.version.insert().values(version_num=schema.HEAD))
    if engine.dialect.name == "sqlite" and engine.url.database:
        with suppress(OSError):  # who may not change it does not own it
            Path(engine.url.database).chmod(0o600)
    return schema.HEAD


def _revision(connection: Connection) -> str | None:
    names = sqlalchemy.inspect(connection).get_table_names()
    if not names:
        return None
    if schema.version.name in names:
        found = connection.execute(sqlalchemy.select(schema.version.c.version_num)).scalar_one_or_none()
        if found is not None:
            return found
    where, instead = shown(connection.engine), "data_dir" if connection.dialect.name == "sqlite" else "database"
    raise StoreMismatch(f"{where} has tables, but they are not Fairlead's", hint=f"choose another {instead}")


def _only(engine: Engine) -> int:
    """The lock beside a file that is named by URL: the one on a data directory does not guard it. Raises InUse."""
    fd = os.open(f"{engine.url.database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        hint = "several servers on one store need PostgreSQL; else stop the other one first"
        raise InUse(f"the store at {shown(engine)} is open in another process", hint=hint) from error
    return fd


def _identity(engine: Engine) -> tuple[int, int] | None:
    """Which file a store of one file is; None: there is none, or it is no file."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    try:
        found = os.stat(engine.url.database)  # noqa: PTH116 (a run looks before each answer that it writes)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _reason(engine: Engine, error: BaseException) -> str:
    text = " ".join(str(error.orig if isinstance(error, exc.DBAPIError) else error).split())
    password = engine.url.password
    return text.replace(str(password), "***") if password else text


def _mismatch(engine: Engine, found: str) -> StoreMismatch:
    if found < schema.HEAD:
        message = f"the store at {shown(engine)} has revision {found}, this program needs {schema.HEAD}"
        return StoreMismatch(message, hint="stop the server, keep a copy, then: fairlead store migrate")
    message = f"the store at {shown(engine)} has revision {found}, which this program ({schema.HEAD}) does not know"
    return StoreMismatch(message, hint="a newer Fairlead has used it: install that version or a later one")
