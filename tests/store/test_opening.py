"""Opening: a fresh store, ours, an older one, a newer one, somebody else's; and what the migrations make."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy

from fairlead.errors import OperatorError, StoreMismatch, Unavailable
from fairlead.store import schema
from fairlead.store.opening import FILE, Store, connect, migrate, open_store, revision


def tables(path: Path) -> dict[str, set[str]]:
    """Every table's columns and indexes, in words that do not depend on how they were made."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    look = sqlalchemy.inspect(engine)
    found = {}
    for name in look.get_table_names():
        columns = {f"{c['name']} {c['type']} null={c['nullable']}" for c in look.get_columns(name)}
        indexes = {f"{i['name']} {i['column_names']} {i['unique']}" for i in look.get_indexes(name)}
        uniques = {f"unique {u['column_names']}" for u in look.get_unique_constraints(name)}
        found[name] = columns | indexes | uniques | set(look.get_pk_constraint(name)["constrained_columns"])
    engine.dispose()
    return found


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_fresh_store_is_made_at_this_programs_revision(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        assert revision(store.engine) == schema.HEAD
        with store.read() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000
    assert (tmp_path / "data" / FILE).stat().st_mode & 0o777 == 0o600


def test_a_store_is_found_again_with_what_is_in_it(tmp_path: Path) -> None:
    row = {"id": "1", "at_us": 1, "actor": "a", "action": "b", "subject": "c", "details": "{}"}
    with open_store(tmp_path) as store, store.begin() as connection:
        connection.execute(schema.audit.insert().values(**row))
    with open_store(tmp_path, create=False) as store, store.read() as connection:
        assert dict(connection.execute(schema.audit.select()).one()._mapping) == row


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    row = {"id": "1", "at_us": 1, "actor": "a", "action": "b", "subject": "c", "details": "{}"}
    with open_store(tmp_path) as store:
        with pytest.raises(KeyError), store.begin() as connection:
            connection.execute(schema.audit.insert().values(**row))
            raise KeyError("stop")
        with store.read() as connection:
            assert connection.execute(schema.audit.select()).all() == []


def test_the_migrations_make_the_tables_that_a_fresh_store_has(tmp_path: Path) -> None:
    open_store(tmp_path / "fresh").close()
    engine = connect(tmp_path / "migrated")
    assert migrate(engine) == (None, schema.HEAD)
    engine.dispose()
    fresh = tables(tmp_path / "fresh" / FILE)
    assert fresh == tables(tmp_path / "migrated" / FILE)
    assert set(fresh) == {*schema.metadata.tables, "alembic_version"}
    open_store(tmp_path / "migrated", create=False).close()


def test_what_older_revisions_wrote_is_read_after_migrating(tmp_path: Path) -> None:
    engine = connect(tmp_path)
    from fairlead.store.migrations import upgrade

    with Store(engine).begin() as connection:
        upgrade(connection, "0001")
        texts = {"key", "team", "route", "target", "backend", "model", "zone", "config", "trace", "purpose", "outcome"}
        known = dict.fromkeys((*texts, "why", "served_model", "writer"), "") | {"id": "a", "call": "c", "at_us": 1}
        counts = ("input", "output", "cache_read", "cache_write", "reasoning")
        known |= {f"{kind}_tokens": 1 for kind in counts} | {"overrun": 0, "estimated": 0, "duration_us": 1}
        names = ", ".join(known)
        connection.exec_driver_sql(
            f"INSERT INTO attempt ({names}) VALUES ({', '.join('?' * len(known))})", (*known.values(),)
        )
    assert migrate(engine) == ("0001", schema.HEAD)
    engine.dispose()
    with open_store(tmp_path, create=False) as store, store.read() as connection:
        (row,) = connection.execute(schema.attempt.select()).all()
        assert (row.id, row.input_tokens, row.usage_details) == ("a", 1, "")


def test_to_migrate_a_store_that_is_up_to_date_changes_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        before = tables(tmp_path / FILE)
        assert migrate(store.engine) == (schema.HEAD, schema.HEAD)
    assert tables(tmp_path / FILE) == before


def test_the_schema_names_the_last_of_the_migrations_and_they_sort() -> None:
    from alembic.script import ScriptDirectory

    from fairlead.store import migrations

    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    revisions = [step.revision for step in scripts.walk_revisions()][::-1]
    assert revisions == sorted(revisions)
    assert scripts.get_current_head() == schema.HEAD


def test_an_older_store_is_refused_untouched_and_the_hint_says_what_to_do(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    change(tmp_path / FILE, "UPDATE alembic_version SET version_num = '0000'")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreMismatch) as caught:
        open_store(tmp_path)
    assert "0000" in caught.value.message
    assert schema.HEAD in caught.value.message
    assert "fairlead store migrate" in caught.value.hint
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("action", ["open", "migrate"])
def test_a_newer_store_is_refused_untouched(tmp_path: Path, action: str) -> None:
    open_store(tmp_path).close()
    change(tmp_path / FILE, "UPDATE alembic_version SET version_num = '9999'")
    before = (tmp_path / FILE).read_bytes()
    engine = connect(tmp_path)
    with pytest.raises(StoreMismatch, match="9999"):
        open_store(tmp_path) if action == "open" else migrate(engine)
    engine.dispose()
    assert (tmp_path / FILE).read_bytes() == before


def test_somebody_elses_database_is_refused_untouched(tmp_path: Path) -> None:
    change(tmp_path / FILE, "CREATE TABLE theirs (x)")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreMismatch, match="not Fairlead's"):
        open_store(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"Dear diary, today I was not a database. " * 50)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreMismatch, match="no database"):
        open_store(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_missing_store_is_refused_where_none_is_to_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreMismatch, match="no store"):
        open_store(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()


def test_an_interrupted_creation_leaves_an_empty_file_that_is_made_into_a_store(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    with open_store(tmp_path) as store:
        assert revision(store.engine) == schema.HEAD


def test_a_store_by_url_is_the_same_store(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/{FILE}") as store:
        assert revision(store.engine) == schema.HEAD
    open_store(tmp_path, create=False).close()


def test_opening_a_store_loads_no_alembic_and_a_spool_loads_no_sql(tmp_path: Path) -> None:
    show = (
        "import sys; from pathlib import Path\n"
        "import fairlead.store.spool, fairlead.store.reading\n"
        "assert 'sqlalchemy' not in sys.modules\n"
        "from fairlead.store.opening import open_store\n"
        "open_store(Path(sys.argv[1])).close()\n"
        "assert 'alembic' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", show, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_store_that_cannot_be_reached_says_so(tmp_path: Path) -> None:
    (tmp_path / "fairlead.db").mkdir()
    with pytest.raises(OperatorError, match=r"fairlead\.db can't be opened"):
        open_store(tmp_path)


def test_who_is_patient_gets_a_store_that_is_away_and_it_is_looked_at_before_it_is_used(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"Dear diary, today I was not a database. " * 50)
    with open_store(tmp_path, patient=True) as store:
        for _ in range(2):
            with pytest.raises(Unavailable, match="can't be used yet") as caught, store.read():
                pass
            assert caught.value.code == "store_unavailable"
        (tmp_path / FILE).unlink()
        open_store(tmp_path / "elsewhere").close()
        change(tmp_path / "elsewhere" / FILE, "UPDATE alembic_version SET version_num = '9999'")
        (tmp_path / "elsewhere" / FILE).rename(tmp_path / FILE)
        with pytest.raises(Unavailable, match="9999"), store.begin():
            pass
        change(tmp_path / FILE, f"UPDATE alembic_version SET version_num = '{schema.HEAD}'")
        with store.begin() as connection:
            assert connection.execute(schema.audit.select()).all() == []


@pytest.mark.parametrize("version", ["0000", "9999"])
def test_patience_does_not_take_a_store_of_another_revision(tmp_path: Path, version: str) -> None:
    open_store(tmp_path).close()
    change(tmp_path / FILE, f"UPDATE alembic_version SET version_num = '{version}'")
    with pytest.raises(StoreMismatch, match=version):
        open_store(tmp_path, patient=True)
