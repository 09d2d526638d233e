"""How PostgreSQL is reached: by psycopg, with a bound on everything that waits, so that a dead host keeps no thread.

What is asked of it is not known here.
"""

import math
import time
from collections.abc import Generator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event

from fairlead.errors import ExtraMissing

if TYPE_CHECKING:
    import psycopg

NAMES = ("postgresql", "postgres", "postgresql+psycopg")  # of a URL's scheme; hosting companies write the second
CONNECT_S = 5
STATEMENT_S = 30  # the server gives a statement up
ANSWER_S = 40.0  # we give the server up: the network in between may be dead
LOCK_S = 10
PATIENCE_MS = 20_000  # for bytes that nobody acknowledges
POOL, POOL_MORE, POOL_S = 5, 10, 10.0

RIGHTS = "the role needs CREATE and USAGE on the schema at the first start and to migrate, and owns the tables then"
TURN = 0x666C  # of the advisory lock under which tables are made or changed

_ON_CONNECT = (
    f"SET statement_timeout = '{STATEMENT_S}s'; SET lock_timeout = '{LOCK_S}s'; "
    f"SET idle_in_transaction_session_timeout = '{STATEMENT_S}s'; SET TimeZone = 'UTC'"
).encode()


def postgres_engine(url: URL) -> Engine:
    """Nothing is reached yet. Raises ExtraMissing without psycopg."""
    if find_spec("psycopg") is None:
        message = "a store on PostgreSQL needs the package psycopg, which is missing"
        raise ExtraMissing(message, hint="pip install 'fairlead[postgres]'")
    # Whatever stands in the URL itself counts more than what is said here.
    said = {
        "connect_timeout": CONNECT_S,
        "application_name": "fairlead",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": PATIENCE_MS,
        "client_encoding": "utf8",
    }
    engine = sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg"),
        creator=_connecting(url, {name: value for name, value in said.items() if name not in url.query}),
        pool_pre_ping=True,
        pool_size=POOL,
        max_overflow=POOL_MORE,
        pool_timeout=POOL_S,
        pool_recycle=1800,  # before those in between forget an idle connection
    )
    event.listen(engine, "connect", _set_up)
    return engine


def take_turn(connection: Connection, *, for_long: bool = False) -> None:
    """Of all that make or change tables at once, one does until its transaction ends. SQLite needs no word for it.

    `for_long`: what is done then may take hours, and nothing gives it up.
    """
    if connection.dialect.name != "postgresql":
        return
    if for_long:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        connection.connection.driver_connection.answer_s = math.inf  # type: ignore[union-attr]  # of `Bounded`
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({TURN})")


def lacks_rights(error: BaseException) -> bool:
    return getattr(getattr(error, "orig", None), "sqlstate", None) == "42501"


def _connecting(url: URL, said: dict[str, Any]) -> Any:
    named = url.set(drivername="postgresql").render_as_string(hide_password=False)

    def connect() -> "psycopg.Connection[Any]":
        # No prepared statements: what stands between may hand each transaction to another session.
        return _bounded_connection().connect(named, prepare_threshold=None, **said)

    return connect


def _set_up(connection: "psycopg.Connection[Any]", _record: object) -> None:
    connection.autocommit = True
    connection.execute(_ON_CONNECT)
    connection.autocommit = False


def _bounded_connection() -> "type[psycopg.Connection[Any]]":
    """psycopg's, whose every wait for the server has an end. It is loaded only where it is needed."""
    import psycopg

    class Bounded(psycopg.Connection[Any]):
        answer_s = ANSWER_S

        def wait(self, gen: Any, *how: Any, **more: Any) -> Any:
            try:
                return super().wait(_until(gen, time.monotonic() + self.answer_s), *how, **more)
            except TimeoutError as error:
                self.pgconn.finish()  # what it would answer now is no answer to what is asked next
                raise psycopg.OperationalError(f"no answer within {self.answer_s:g} s") from error

    return Bounded


def _until(waiting: Generator[Any, Any, Any], end: float) -> Generator[Any, Any, Any]:
    """The same, but for a TimeoutError at `end`: psycopg asks every tenth of a second whether to go on waiting."""
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                raise TimeoutError
            wanted = waiting.send(ready)
    except StopIteration as done:
        return done.value
    finally:
        waiting.close()
