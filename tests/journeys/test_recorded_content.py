"""What is said is recorded where a route says so, shown to admins, forgotten on demand; and stands nowhere else."""

import sqlite3
from pathlib import Path

import httpx
import pytest

from fairlead.errors import RemoteFailed
from fairlead.server.office import KeyMade, Whose
from journeys.door import Door, ask, until
from journeys.test_keys import CONFIG

RECORDED = """
[routes.kept]
targets = ["slow"]
record = { keep = "1h" }

[routes.brief]
targets = ["slow"]
record = { keep = "0s" }
"""
SCRIPT = '[[lines]]\ntext = "a marzipan answer"\n'


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Not open yet."""
    (tmp_path / "fairlead.toml").write_text(CONFIG + RECORDED)
    (tmp_path / "script.toml").write_text(SCRIPT)
    return Door(tmp_path)


def call(door: Door, key: KeyMade, route: str, text: str, *, stream: bool = False) -> str:
    """The id of the call."""
    said = httpx.post(
        f"{door.url}/v1/chat/completions",
        json={"model": route, "messages": [{"role": "user", "content": text}], "stream": stream},
        headers={"authorization": f"Bearer {key.secret}"},
        trust_env=False,
    )
    assert said.status_code == 200, said.text
    return said.headers["x-fairlead-call"]


def test_what_is_recorded_is_shown_and_forgotten_and_what_is_not_is_nowhere(door: Door) -> None:
    door.open()
    try:
        key, other = door.key("app"), door.key("other")
        kept = call(door, key, "kept", "a marzipan question")
        streamed = call(door, key, "kept", "a marzipan question", stream=True)
        silent = call(door, key, "slow", "a nougat question")
        brief = call(door, key, "brief", "a nougat question")
        others = call(door, other, "kept", "a marzipan question")
        said = ask(door.remote.content(kept))
        assert [one.kind for one in said] == ["request", "answer"]
        assert "marzipan question" in said[0].body and "marzipan answer" in said[1].body
        assert "data: " in ask(door.remote.content(streamed))[1].body
        assert ask(door.remote.content(silent)) == ask(door.remote.content(brief)) == []
        assert ask(door.remote.forget_content(Whose(call=kept))).count == 2
        assert ask(door.remote.content(kept)) == []
        assert ask(door.remote.forget_content(Whose(key="app"))).count >= 2
        assert ask(door.remote.content(streamed)) == [] and ask(door.remote.content(others)) != []
        with pytest.raises(RemoteFailed):
            ask(door.remote.content("nobody"))
        with pytest.raises(RemoteFailed):
            ask(door.remote.forget_content(Whose()))
        assert list((door.folder / "data" / "content").rglob("*.said")) == []
        texts = {path.name: path.read_bytes() for path in door.folder.rglob("*.spool")}
        assert not [name for name, text in texts.items() if b"marzipan" in text or b"nougat" in text]
    finally:
        door.close()


def test_what_was_recorded_when_everything_was_killed_is_there_after(door: Door) -> None:
    door.open()
    key = door.key("app")
    calls = [call(door, key, "kept", f"a marzipan question {number}") for number in range(20)]
    door.kill_all()
    door.open()
    try:
        for number, id in enumerate(calls):
            assert f"question {number}" in ask(door.remote.content(id))[0].body
    finally:
        door.close()
    with sqlite3.connect(door.folder / "data" / "fairlead.db") as books:
        assert books.execute("SELECT count(*), count(DISTINCT id) FROM content").fetchone() == (40, 40)


def test_while_the_store_is_away_content_waits_and_nobody_does(door: Door) -> None:
    door.open()
    key = door.key("app")
    door.close()
    store, aside = door.folder / "data" / "fairlead.db", door.folder / "aside"
    store.rename(aside)
    store.write_bytes(b"no database " * 1000)
    door.open()
    try:
        id = call(door, key, "kept", "a marzipan question")
        assert len(list((door.folder / "data" / "content").rglob("*.said"))) == 1
        aside.rename(store)
        until(lambda: not list((door.folder / "data" / "content").rglob("*.said")))
        assert "marzipan" in ask(door.remote.content(id))[0].body
    finally:
        door.close()
