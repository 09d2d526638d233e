"""Opening on PostgreSQL: made once however many come at once, refused untouched, and no password anywhere."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fairlead.errors import OperatorError, StoreMismatch, Unavailable
from fairlead.store import schema
from fairlead.store.opening import Store, connect, migrate, open_store, revision
from postgres import PASSWORD, PostgresServer


def tables(url: str) -> dict[str, set[str]]:
    """Every table's columns, collations and indexes, as PostgreSQL itself tells them."""
    engine = connect(url)
    with engine.connect() as connection:
        columns = connection.exec_driver_sql(
            "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, collation_name, "
            "column_default FROM information_schema.columns WHERE table_schema = 'public'"
        ).all()
        indexes = connection.exec_driver_sql("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'")
        found: dict[str, set[str]] = {}
        for table, *what in [*columns, *indexes.all()]:
            if table != schema.version.name:  # Alembic names what it makes as it likes
                found.setdefault(table, set()).add(" ".join(map(str, what)))
    engine.dispose()
    return found


def test_a_fresh_store_is_made_and_found_again(database_url: str) -> None:
    with open_store(database_url) as store:
        assert revision(store.engine) == schema.HEAD
        with store.read() as connection:
            assert connection.exec_driver_sql("SHOW TimeZone").scalar() == "UTC"
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "30s"
            assert connection.exec_driver_sql("SHOW application_name").scalar() == "fairlead"
    open_store(database_url.replace("postgresql://", "postgres://"), create=False).close()


def test_the_migrations_make_the_tables_that_a_fresh_store_has(database_url: str, postgres: PostgresServer) -> None:
    other = postgres.url(postgres.new_database())
    engine = connect(other)
    assert migrate(engine) == (None, schema.HEAD)
    engine.dispose()
    open_store(database_url).close()
    made, migrated = tables(database_url), tables(other)
    assert {name: migrated[name] ^ made[name] for name in made} == {name: set() for name in made}
    assert set(migrated) == set(made)


def test_where_many_make_it_at_once_each_finds_it_made(database_url: str) -> None:
    wrong: list[BaseException] = []

    def come() -> None:
        try:
            open_store(database_url).close()
        except BaseException as error:  # noqa: BLE001  # told by the test's own thread
            wrong.append(error)

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_where_two_migrate_at_once_one_waits_and_both_are_done(database_url: str) -> None:
    engines = [connect(database_url) for _ in range(2)]
    done: list[str] = []
    threads = [threading.Thread(target=lambda e=engine: done.append(migrate(e)[1])) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [schema.HEAD] * 2
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize(("found", "says"), [("0000", "fairlead store migrate"), ("9999", "a newer Fairlead")])
def test_another_revision_is_refused_untouched(postgres_url: str, found: str, says: str) -> None:
    engine = connect(postgres_url)
    with engine.begin() as connection:
        connection.execute(schema.version.update().values(version_num=found))
    before = tables(postgres_url)
    with pytest.raises(StoreMismatch, match=found) as caught:
        open_store(postgres_url)
    assert says in caught.value.hint
    assert PASSWORD not in caught.value.message
    if found == "9999":
        with pytest.raises(StoreMismatch, match=found):
            migrate(engine)
    assert (tables(postgres_url), revision(engine)) == (before, found)
    engine.dispose()


def test_somebody_elses_database_is_refused_untouched(database_url: str, postgres: PostgresServer) -> None:
    postgres.run("CREATE TABLE theirs (x int)", database_url.rpartition("/")[2])
    with pytest.raises(StoreMismatch, match="not Fairlead's"):
        open_store(database_url)
    assert set(tables(database_url)) == {"theirs"}


def test_what_reads_changes_nothing_and_sees_one_state(postgres_url: str) -> None:
    row = {"id": "1", "at_us": 1, "actor": "a", "action": "b", "subject": "c", "details": "{}"}
    with open_store(postgres_url) as store:
        with store.read() as connection:
            assert connection.execute(schema.audit.select()).all() == []
            with store.begin() as writing:
                writing.execute(schema.audit.insert().values(**row))
            assert connection.execute(schema.audit.select()).all() == []
        with pytest.raises(Unavailable, match="read-only"), store.read() as connection:
            connection.execute(schema.audit.insert().values(**row | {"id": "2"}))
        with store.read() as connection:
            assert len(connection.execute(schema.audit.select()).all()) == 1


def test_no_error_tells_the_password(postgres: PostgresServer) -> None:
    wrong = (
        postgres.url("nowhere"),
        postgres.url("postgres", user="nobody-here"),
        postgres.url("postgres", port=1),
        postgres.url("postgres") + "?no_such_parameter=1",
        f"postgresql://u:{PASSWORD}@no-such-host.invalid/x",
    )
    for url in wrong:
        with pytest.raises(OperatorError) as caught:
            open_store(url)
        said = f"{caught.value.message} {caught.value.hint} {caught.value!r} {caught.value.__cause__}"
        assert PASSWORD not in said
        assert caught.value.hint


def test_a_role_that_may_not_make_tables_is_told_so(database_url: str, postgres: PostgresServer) -> None:
    postgres.run(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
    with pytest.raises(OperatorError, match="permission denied") as caught:
        open_store(postgres.url(database_url.rpartition("/")[2], user="reader"))
    assert "CREATE" in caught.value.hint


def test_a_host_that_never_answers_is_given_up(postgres_url: str) -> None:
    with PostgresServer() as server, server.frozen(), pytest.raises(OperatorError, match="timeout"):
        open_store(server.url("postgres") + "?connect_timeout=2")


def test_a_store_that_another_program_migrates_meanwhile_says_so(postgres_url: str) -> None:
    from fairlead.store.opening import check_revision

    with open_store(postgres_url) as store:
        with store.begin() as connection:
            check_revision(connection)
            connection.execute(schema.version.update().values(version_num="9999"))
        with pytest.raises(Unavailable, match="9999"), store.read() as connection:
            check_revision(connection)


def test_without_psycopg_it_says_what_to_install() -> None:
    show = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from fairlead.errors import ExtraMissing\n"
        "from fairlead.store.opening import open_store\n"
        "try:\n    open_store('postgresql://x@127.0.0.1/y')\n"
        "except ExtraMissing as error:\n    print(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=False)
    assert done.stdout == "pip install 'fairlead[postgres]'\n", done.stderr


def test_sqlite_by_url_is_for_one_process_at_a_time(tmp_path: Path) -> None:
    from fairlead.errors import InUse

    url = f"sqlite:///{tmp_path}/books.db"
    with open_store(url), pytest.raises(InUse, match="open in another process"):
        open_store(url)
    open_store(url).close()


def test_a_server_that_comes_back_is_used_again_by_the_same_store() -> None:
    with PostgresServer() as server, open_store(server.url(server.new_database())) as store:
        server.kill()
        with pytest.raises(Unavailable) as caught, store.read() as connection:
            connection.execute(schema.audit.select())
        assert caught.value.code == "store_unavailable"
        assert PASSWORD not in caught.value.message
        server.start()
        until = time.monotonic() + 30
        while True:
            try:
                with store.read() as connection:
                    assert connection.execute(schema.audit.select()).all() == []
                break
            except Unavailable:
                assert time.monotonic() < until
        assert isinstance(store, Store)
