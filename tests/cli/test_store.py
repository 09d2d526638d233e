"""The store is migrated under the lock, or not at all."""

from pathlib import Path

from cli.running import fairlead, free_port, write_config
from fairlead.server.premises import Premises, Tenant


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
