"""Keys over a server's life: rotated while they are used, revoked and used while the store can't be read."""

from pathlib import Path

import httpx
import pytest

from fairlead.server.office import KeyMade, Rotation
from journeys.door import SCRIPT, Door, ask, until

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
drain_s = 2

[backends.script]
kind = "script"
zone = "private"
script = "script.toml"

[targets.slow]
backend = "script"
model = "slow-1"
price = { input = 1.0, output = 2.0 }

[routes.slow]
targets = ["slow"]
max_output_tokens = 100
"""


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Not open yet."""
    (tmp_path / "fairlead.toml").write_text(CONFIG)
    (tmp_path / "script.toml").write_text(SCRIPT)
    return Door(tmp_path)


def status(door: Door, made: KeyMade) -> tuple[int, str]:
    """What a caller with that secret hears."""
    said = httpx.post(
        f"{door.url}/v1/chat/completions",
        json={"model": "slow", "messages": [{"role": "user", "content": "hi"}]},
        headers={"authorization": f"Bearer {made.secret}"},
        trust_env=False,
    )
    return said.status_code, said.json().get("error", {}).get("code", "")


def ready(door: Door) -> dict[str, object]:
    transport = httpx.HTTPTransport(uds=str(door.folder / "data" / "admin.sock"))
    with httpx.Client(transport=transport, trust_env=False) as client:
        return client.get("http://fairlead/readyz").json()


def test_a_key_is_rotated_while_it_is_used_and_stays_one_key_in_the_books(door: Door) -> None:
    door.open()
    try:
        first = door.key("app")
        second = ask(door.remote.rotate_key("app", Rotation(3600)))
        assert status(door, first) == status(door, second) == (200, "")
        third = ask(door.remote.rotate_key("app", Rotation(0)))
        assert status(door, first) == status(door, second) == (401, "key_expired")
        assert status(door, third) == (200, "")
        assert [call.key for call in door.calls(first)] == [first.key.id] * 3
        ask(door.remote.revoke_key("app"))
        assert status(door, third) == (401, "key_revoked")
    finally:
        door.close()


def test_a_server_whose_store_is_broken_starts_lets_callers_in_and_takes_the_store_up_again(door: Door) -> None:
    door.open()
    made, other = door.key("app"), door.key("other")
    assert status(door, made) == (200, "")
    door.close()
    store, aside = door.folder / "data" / "fairlead.db", door.folder / "aside"
    store.rename(aside)
    store.write_bytes(b"no database " * 1000)
    door.open()
    try:
        assert status(door, made) == (200, "")
        assert ready(door)["status"] == "ready" and float(str(ready(door)["keys_age_s"])) > 0
        gone = ask(door.remote.revoke_key("other"))
        assert gone.pending and status(door, other) == (401, "key_revoked")
        aside.rename(store)
        until(lambda: ready(door)["keys_age_s"] == 0)
        until(lambda: len(door.calls(made)) == 2)
        assert [key.name for key in ask(door.remote.keys())] == ["app"]
        assert status(door, door.key("new")) == (200, "")
    finally:
        door.close()
