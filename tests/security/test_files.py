"""What is on disk is for its owner alone, whatever the umask; nothing there is a secret that need not be."""

from journeys.door import Door, ask, until


def test_every_file_of_the_data_directory_is_for_its_owner_alone(door: Door) -> None:
    made = door.key("files")
    ask(door.remote.revoke_key("files"))
    data = door.folder / "data"
    until(lambda: (data / "fairlead.db-wal").exists())
    found = [data, *data.rglob("*")]
    open_to_others = {
        str(path.relative_to(door.folder)): oct(path.stat().st_mode & 0o777)
        for path in found
        if path.stat().st_mode & 0o077 and not path.is_socket()
    }
    assert open_to_others == {}
    assert (data / "admin.sock").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in found} >= {"fairlead.db", "admin.key", "hash.key", "keys.json", "spool"}
    assert not any(made.secret.encode() in path.read_bytes() for path in found if path.is_file())
