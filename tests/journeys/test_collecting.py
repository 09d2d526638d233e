"""What a route recorded becomes a suite, with a server and without, and the audit says who read it."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fairlead.cli.main import fairlead
from fairlead.evals.suite import read_suite
from journeys.door import Door, ask, until
from journeys.test_keys import CONFIG
from journeys.test_recorded_content import RECORDED, SCRIPT, call


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Not open yet."""
    (tmp_path / "fairlead.toml").write_text(CONFIG + RECORDED)
    (tmp_path / "script.toml").write_text(SCRIPT)
    return Door(tmp_path)


def collect(door: Door, *words: str) -> Result:
    return CliRunner().invoke(fairlead, ["eval", "collect", *words, "-c", str(door.folder / "fairlead.toml")])


def test_what_was_said_becomes_a_suite_that_can_be_read(door: Door, tmp_path: Path) -> None:
    door.open()
    try:
        key = door.key("app")
        said = [f"question {n} of ann@example.com about {n} {'xyz'[n]} things" for n in range(3)]
        ids = [call(door, key, "kept", text) for text in said]
        call(door, key, "kept", "question 0 of ann@example.com about 0 x things", stream=True)
        call(door, key, "slow", "what nobody records")
        until(lambda: ask(door.remote.content(ids[-1])))
        [zone] = {one.zone for one in ask(door.remote.content(ids[0]))}
        made = collect(door, str(tmp_path / "live"), "--route", "kept")
        assert made.exit_code == 0, made.output
        assert "1 near-duplicates" in made.stderr and "1 email" in made.stderr
        none = collect(door, str(tmp_path / "none"), "--route", "slow")
        assert none.exit_code != 0 and "not recorded" in none.stderr and not (tmp_path / "none").exists()
    finally:
        door.close()
    suite = read_suite(tmp_path / "live")
    assert len(suite.cases) == 3 and suite.zone == zone and not suite.show_text
    assert {case.gold["recorded"] for case in suite.cases} == {"a marzipan answer"}
    assert "ann@" not in (tmp_path / "live" / "cases.jsonl").read_text()
    assert (tmp_path / "live").stat().st_mode & 0o77 == 0
    again = collect(door, str(tmp_path / "still"), "--route", "kept", "--count", "2", "--json")
    assert json.loads(again.stdout)["cases"] == 2
    with sqlite3.connect(door.folder / "data" / "fairlead.db") as books:
        [(read,)] = books.execute("SELECT count(*) FROM audit WHERE action = 'content.read'").fetchall()
    assert read >= 6


def test_a_folder_that_is_there_is_not_written_over(door: Door, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert "is there already" in collect(door, str(tmp_path / "there"), "--route", "kept").stderr
    assert "NAME=REGEX" in collect(door, str(tmp_path / "new"), "--route", "kept", "--scrub", "x").stderr
