"""The store is migrated under the lock, or not at all."""

from pathlib import Path

import pytest

from cli.running import fairlead, free_port, write_config
from fairlead.server.premises import Premises, Tenant
from fairlead.store.audit import note
from fairlead.store.opening import open_store
from postgres import PASSWORD


def test_a_store_that_is_up_to_date_stays_as_it_is(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    assert fairlead(tmp_path, "store", "migrate").exit_code == 1  # there is none
    fairlead(tmp_path, "key", "new", "--name", "app")
    done = fairlead(tmp_path, "store", "migrate")
    assert done.exit_code == 0 and "already" in done.stderr


def test_a_store_in_use_is_left_alone(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    premises = Premises(str(tmp_path / "data"), Tenant(4711))
    try:
        done = fairlead(tmp_path, "store", "migrate")
    finally:
        premises.close()
    assert done.exit_code == 1 and "4711" in done.stderr


def test_the_books_are_told_exported_and_pruned(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    fairlead(tmp_path, "key", "new", "--name", "app")
    told = fairlead(tmp_path, "store", "status")
    assert told.exit_code == 0 and "no calls" in told.stdout and "fairlead.db" in told.stdout
    done = fairlead(tmp_path, "store", "export", "--to", str(tmp_path / "out"), "--json")
    assert done.exit_code == 0 and '"rows": 0' in done.stdout
    assert fairlead(tmp_path, "store", "export", "--to", str(tmp_path), "--table", "key").exit_code == 2
    assert fairlead(tmp_path, "store", "prune").exit_code == 2  # nobody said how much to keep
    done = fairlead(tmp_path, "store", "prune", "--keep", "90d")
    assert done.exit_code == 0 and "0 calls" in done.stderr


def test_books_that_would_nearly_all_go_are_removed_only_where_the_clock_is_right(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    fairlead(tmp_path, "key", "new", "--name", "app")
    with open_store(tmp_path / "data") as store, store.begin() as connection:
        note(connection, actor="a", action="old", subject="s", at_us=1_600_000_000_000_000)
    done = fairlead(tmp_path, "store", "prune", "--keep", "90d")
    assert done.exit_code == 1 and "until 2020-09-13" in done.stderr and "--clock-is-right" in done.stderr
    done = fairlead(tmp_path, "store", "prune", "--keep", "90d", "--clock-is-right")
    assert done.exit_code == 0 and "1 changes" in done.stderr


def test_a_store_by_url_is_used_by_every_command_and_its_password_is_shown_by_none(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path, free_port())
    monkeypatch.setenv("STORE_OF_THIS_TEST", database_url)
    file = tmp_path / "fairlead.toml"
    file.write_text(file.read_text() + '\n[store]\nurl = "env:STORE_OF_THIS_TEST"\n')
    commands = ("store migrate", "key new --name app", "key list", "call list", "store status", "config show", "doctor")
    for command in commands:
        done = fairlead(tmp_path, *command.split())
        assert done.exit_code == 0, (command, done.stdout, done.stderr)
        assert PASSWORD not in done.stdout + done.stderr
    assert not (tmp_path / "data" / "fairlead.db").exists()
