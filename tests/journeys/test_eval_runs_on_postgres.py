"""`fairlead eval` through the door of a server whose store is PostgreSQL: runs lie in a schema of that database. One is
gone on with after kill -9, from another machine too, compared, gated, reported and forgotten."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.running import command, environment, fairlead, until
from journeys import test_eval_runs
from journeys.door import Door

CONFIG = test_eval_runs.CONFIG + '[store]\nurl = "file:url"\nzone = "private"\n'
SLOWLY = test_eval_runs.SLOWLY


def place(folder: Path, url: str, suite: str, count: int) -> Path:
    """A machine of its own: its data directory, its configuration, its copy of the suite."""
    folder.mkdir()
    test_eval_runs.furnish(folder, count)
    (folder / "fairlead.toml").write_text(CONFIG)
    (folder / "url").write_text(url)
    (folder / "suite" / "suite.toml").write_text(test_eval_runs.SUITE.replace('"words"', f'"{suite}"'))
    return folder


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
def folder(tmp_path: Path, url: str) -> Iterator[Path]:
    """Where a server runs."""
    made = place(tmp_path / "one", url, "words", 40)
    door = Door(made).open()
    yield made
    door.close()


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        try:
            return connection.execute(query.encode()).fetchall()
        except psycopg.errors.UndefinedTable:
            return []


def answers(url: str) -> dict[tuple[str, str, int], str]:
    """The calls by run, case and repeat."""
    return {
        (run, item, repeat): call
        for run, item, repeat, call in rows(url, "SELECT run, item, repeat, call FROM fairlead_evals.answer")
    }


def began(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / "run.log").open("wb") as log:
        words = command("eval", "run", "-c", str(folder / "fairlead.toml"), str(folder / "suite"), *arguments)
        return subprocess.Popen(words, stdout=log, stderr=log, env=environment(), start_new_session=True)


def are_answered(url: str, count: int) -> bool:
    return len(answers(url)) >= count


def said(folder: Path, *arguments: str, ends: int = 0) -> Any:
    result = fairlead(folder, *arguments, "--json")
    assert result.exit_code == ends, result.output
    return json.loads(result.stdout)


def test_a_run_that_is_killed_is_gone_on_with_from_another_machine(folder: Path, url: str, tmp_path: Path) -> None:
    process = began(folder, *SLOWLY, "--concurrency", "2")
    until("some are answered", lambda: len(answers(url)) >= 10 or process.poll() is not None)
    assert process.poll() is None, (folder / "run.log").read_text()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    there = answers(url)
    assert 10 <= len(there) < 120
    shutil.move(folder / "suite", tmp_path / "gone")
    other = place(tmp_path / "two", url, "words", 40)
    lost = fairlead(other, "eval", "run", "--resume", "last")
    assert lost.exit_code == 1 and "fairlead eval run SUITE --resume" in lost.output
    # no server runs there: it asks in its own process
    done = said(other, "eval", "run", str(other / "suite"), "--resume", "last")
    assert done["run"]["status"] == "done" and done["progress"]["asked"] == 120 - len(there)
    after = answers(url)
    assert len(after) == 120 and {key: after[key] for key in there} == there
    of_run = f"SELECT id FROM call WHERE session = '{done['run']['id']}'"
    until("its calls are in the books", lambda: len(rows(url, of_run)) >= 120)
    assert len(rows(url, of_run)) <= 120 + 2  # at most what was under way when it was killed


def test_two_runs_at_once_from_two_machines_do_not_meet(folder: Path, url: str, tmp_path: Path) -> None:
    other = place(tmp_path / "two", url, "others", 30)
    door = Door(other).open()
    try:
        processes = [began(one, *SLOWLY, "--no-cache") for one in (folder, other)]
        for one, process in zip((folder, other), processes, strict=True):
            assert process.wait(120) == 0, (one / "run.log").read_text()
    finally:
        door.close()
    listed = said(folder, "eval", "list")
    assert {(one["run"]["name"], one["run"]["status"], one["run"]["planned"]) for one in listed} == {
        ("words", "done", 120),
        ("others", "done", 90),
    }
    assert len(answers(url)) == 210


def test_a_run_that_another_machine_writes_is_not_written_twice(folder: Path, url: str, tmp_path: Path) -> None:
    other = place(tmp_path / "two", url, "words", 40)
    process = began(folder, *SLOWLY, "--concurrency", "1")
    try:
        until("some are answered", lambda: len(answers(url)) >= 3 or process.poll() is not None)
        second = fairlead(other, "eval", "run", "--resume", "last")
        assert second.exit_code == 1 and "is being written by another process" in second.output
        assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_what_was_run_is_compared_gated_reported_scored_again_and_forgotten(folder: Path, url: str) -> None:
    run = said(folder, "eval", "run", str(folder / "suite"), "--on", "good", "--on", "chat")["run"]["id"]
    compared = fairlead(folder, "eval", "compare", run, "--margin", "0.3")
    assert compared.exit_code == 0 and "equivalent" in compared.output
    gated = fairlead(folder, "eval", "gate", f"{run}:good", f"{run}:chat", "--margin", "0.3")
    assert gated.exit_code == 0 and "pass" in gated.output
    report = folder / "report.html"
    assert fairlead(folder, "eval", "report", run, "-o", str(report)).exit_code == 0
    assert "<html" in report.read_text()[:200].lower()
    again = fairlead(folder, "eval", "score", run)
    assert again.exit_code == 0 and "80 answers were scored again" in again.output
    assert fairlead(folder, "eval", "forget", run).exit_code == 0
    for table in ("run", "answer", "score", "item", "suite"):
        assert rows(url, f"SELECT count(*) FROM fairlead_evals.{table}") == [(0,)], table


def test_the_database_may_go_away_for_a_moment_while_a_run_goes_on(folder: Path, url: str) -> None:
    """Its sessions are cut, all of them, again and again."""
    process = began(folder, *SLOWLY, "--concurrency", "2")
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    for count in (5, 15, 30):
        until("some are answered", partial(are_answered, url, count))
        rows(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    assert process.wait(120) == 0, (folder / "run.log").read_text()
    assert len(answers(url)) == 120
