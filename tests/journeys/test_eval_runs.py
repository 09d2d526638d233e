"""`fairlead eval run` through the door: in its own process and at a server, killed, capped, interrupted and resumed."""

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.running import command, environment, fairlead, until
from journeys.door import Door

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
[backends.far]
kind = "script"
zone = "public"
script = "script.toml"
[targets.good]
backend = "script"
model = "good-1"
price = { input = 1.0, output = 2.0 }
[targets.slow]
backend = "script"
model = "slow-1"
[targets.far]
backend = "far"
model = "far-1"
[routes.chat]
targets = ["good"]
"""
SCRIPT = """\
[[lines]]
when = "slowly"
text = "w1"
latency_s = 0.05
[[lines]]
when = "w3 3[.]"
status = 500
message = "out of order"
[[lines]]
when = "w4"
text = "w4"
[[lines]]
text = "w1"
"""
SUITE = """
name = "words"
zone = "private"
[cases]
file = "cases.jsonl"
[prompts]
plain = "plain.md"
slow = "slow.md"
long = "long.md"
[params]
max_tokens = 10
[scorers.exact]
[primary]
metric = "exact"
margin = 0.05
[holdout]
share = 0.0
"""

SLOWLY = ("--on", "slow", "--sweep", "prompt=slow", "--repeats", "3")
# What a prompt holds is bounded by its bytes: only of a long one the truth comes near to that.
CAPPED = ("--on", "good", "--sweep", "prompt=long", "--max-cost", "0.008usd", "--concurrency", "1")


def furnish(folder: Path, count: int = 8) -> Path:
    (folder / "fairlead.toml").write_text(CONFIG)
    (folder / "script.toml").write_text(SCRIPT)
    suite = folder / "suite"
    suite.mkdir()
    (suite / "suite.toml").write_text(SUITE)
    (suite / "plain.md").write_text("Say {word}.")
    (suite / "long.md").write_text("Say {word}. " + "And so on. " * 400)
    (suite / "slow.md").write_text("Say {word} slowly.")
    rows = [{"id": f"c{n}", "vars": {"word": f"w{n} {n}"}, "gold": "w1"} for n in range(count)]
    (suite / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return furnish(tmp_path)


@pytest.fixture(params=["in_process", "at_a_server"])
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[Path]:
    if request.param == "in_process":
        yield folder
        return
    door = Door(folder).open()
    yield folder
    door.close()


def ran(folder: Path, *arguments: str, ends: int = 0) -> Any:
    result = fairlead(folder, "eval", "run", *arguments, "--json")
    assert result.exit_code == ends, result.output
    return json.loads(result.stdout)


def suite(folder: Path) -> str:
    return str(folder / "suite")


def calls(folder: Path) -> list[Any]:
    return json.loads(fairlead(folder, "call", "list", "--limit", "1000", "--json").stdout)


def test_a_suite_is_asked_of_a_target_and_of_a_route_and_stands_in_the_books(place: Path) -> None:
    done = ran(place, suite(place), "--on", "good", "--on", "chat")
    of = {one["name"]: one for one in done["run"]["candidates"]}
    assert done["stopped"] is None and done["run"]["status"] == "done" and set(of) == {"good", "chat"}
    assert of["good"]["route"] == "target:good" and of["good"]["models"] == ["good-1"]
    assert of["good"]["statuses"] == {"ok": 7, "failed": 1}
    assert of["good"]["metrics"]["exact"]["mean"]["value"] == pytest.approx(6 / 8)  # a target that fails scores 0
    assert done["progress"]["cost_nusd"] > 0 and done["progress"]["missing"] == 0
    told = [call for call in calls(place) if "eval" in call["tags"]]
    assert {call["session"] for call in told} == {done["run"]["id"]}
    assert {call["route"] for call in told} == {"target:good", "chat"}
    keys = json.loads(fairlead(place, "key", "list", "--revoked", "--json").stdout)
    assert [key["revoked_us"] is not None for key in keys] == [True]
    assert keys[0]["zone"] == "private" and keys[0]["expires_us"] is not None


def test_what_another_run_has_an_answer_to_is_not_asked_again_unless_that_is_wanted(place: Path) -> None:
    ran(place, suite(place), "--on", "good")
    before = len(calls(place))
    again = ran(place, suite(place), "--on", "good", "--repeats", "2")
    assert (again["progress"]["cached"], again["progress"]["asked"]) == (7, 9)  # one had failed, and is asked anew
    anew = ran(place, suite(place), "--on", "good", "--no-cache")
    assert (anew["progress"]["cached"], anew["progress"]["asked"]) == (0, 8)
    assert len(calls(place)) - before >= 9 + 8


def test_prompts_and_parameters_are_swept(folder: Path) -> None:
    (folder / "shout.md").write_text("SAY {word}!")
    shout = str(folder / "shout.md")
    sweeps = ("--sweep", "temperature=0,0.7", "--sweep", f"prompt=plain,{shout}")
    done = ran(folder, suite(folder), "--on", "good", *sweeps)
    found = [(one["params"]["temperature"], one["prompt"]) for one in done["run"]["candidates"]]
    assert found == [(0, "plain"), (0, shout), (0.7, "plain"), (0.7, shout)]
    assert done["run"]["answers"] == 4 * 8


def test_a_cost_cap_stops_before_it_is_passed_and_the_run_is_resumed_with_a_higher_one(place: Path) -> None:
    stopped = ran(place, suite(place), *CAPPED, ends=1)
    assert "budget exhausted" in stopped["stopped"]["why"]
    spent, answers = stopped["progress"]["cost_nusd"], stopped["run"]["answers"]
    assert spent <= 8_000_000 and 0 < answers < 8 and stopped["run"]["status"] == "stopped"
    done = ran(place, "--resume", stopped["run"]["id"], "--max-cost", "1usd")
    assert done["run"]["status"] == "done" and done["run"]["answers"] == 8
    assert done["progress"]["planned"] == 8 - answers


def test_without_a_price_nothing_is_spent_under_a_cap(folder: Path) -> None:
    stopped = ran(folder, suite(folder), "--on", "slow", "--max-cost", "1usd", ends=1)
    assert "price of target" in stopped["stopped"]["why"] and "[targets.slow]" in stopped["stopped"]["hint"]
    assert stopped["run"]["answers"] == 0


def test_a_suite_does_not_leave_its_zone(place: Path) -> None:
    stopped = ran(place, suite(place), "--on", "far", ends=1)
    assert "zone" in stopped["stopped"]["why"] and stopped["run"]["answers"] == 0


def began(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / "run.log").open("wb") as log:
        words = command("eval", "run", "-c", str(folder / "fairlead.toml"), *arguments)
        return subprocess.Popen(words, stdout=log, stderr=log, env=environment(), start_new_session=True)


def answered(folder: Path) -> list[tuple[str, str]]:
    """(case, call) of all answers that are in the store."""
    file = folder / "data" / "evals.db"
    if not file.exists():
        return []
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        try:
            return list(connection.execute("SELECT item || '/' || repeat, call FROM answer"))
        except sqlite3.OperationalError:
            return []


@pytest.mark.parametrize("where", ["in_process", "at_a_server"])
def test_after_kill_9_nothing_is_asked_again_that_was_answered(where: str, tmp_path: Path) -> None:
    folder = furnish(tmp_path, 40)
    door = Door(folder).open() if where == "at_a_server" else None
    process = began(folder, suite(folder), *SLOWLY, "--concurrency", "2")
    try:
        until("some are answered", lambda: len(answered(folder)) >= 10 or process.poll() is not None)
        assert process.poll() is None, (folder / "run.log").read_text()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        there = dict(answered(folder))
        assert 10 <= len(there) < 120
        done = ran(folder, "--resume", "last")
        assert done["run"]["status"] == "done" and done["run"]["answers"] == 120
        assert done["progress"]["asked"] == 120 - len(there) and done["progress"]["cached"] == 0
        after = dict(answered(folder))
        assert {case: after[case] for case in there} == there
        asked = [call for call in calls(folder) if call["session"] == done["run"]["id"]]
        assert 120 <= len(asked) <= 120 + 2  # at most what was under way when it was killed
        keys = json.loads(fairlead(folder, "key", "list", "--json").stdout)
        assert keys == []  # the killed one's key was found and revoked
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if door is not None:
            door.close()


def test_ctrl_c_waits_for_what_was_asked_and_says_how_to_go_on(tmp_path: Path) -> None:
    folder = furnish(tmp_path, 40)
    process = began(folder, suite(folder), *SLOWLY, "--concurrency", "2")
    until("some are answered", lambda: len(answered(folder)) >= 5 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 1
    log = (folder / "run.log").read_text()
    assert "was stopped: it was interrupted" in log and "fairlead eval run --resume" in log
    assert {call["status"] for call in calls(folder)} == {"ok"}  # nobody hung up
    assert len(calls(folder)) == len(answered(folder))
    assert ran(folder, "--resume", "last")["run"]["answers"] == 120


def test_a_second_ctrl_c_does_not_wait_and_says_how_to_go_on_too(tmp_path: Path) -> None:
    folder = furnish(tmp_path, 40)
    (folder / "script.toml").write_text(
        SCRIPT.replace("latency_s = 0.05", "latency_s = 2")
    )  # else nothing is waited for
    process = began(folder, suite(folder), *SLOWLY, "--concurrency", "2")
    until("some are answered", lambda: len(answered(folder)) >= 3 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    until("the first is heard", lambda: "Ctrl-C again" in (folder / "run.log").read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 1
    log = (folder / "run.log").read_text()
    assert "was stopped: it was interrupted" in log and "Traceback" not in log
    assert ran(folder, "--resume", "last", "--concurrency", "60")["run"]["answers"] == 120


def test_a_run_that_is_done_stays_done_whatever_is_wrong_when_it_is_resumed_or_scored(place: Path) -> None:
    run = ran(place, suite(place), *CAPPED, ends=1)["run"]["id"]
    assert ran(place, "--resume", run, "--max-cost", "1usd")["run"]["status"] == "done"
    assert ran(place, "--resume", run)["run"]["status"] == "done"  # its own cap is used up
    (place / "suite" / "suite.toml").write_text(SUITE + '[scorers.alike]\nkind = "similarity"\nroute = "nowhere"\n')
    assert ran(place, "--resume", run)["progress"]["asked"] == 0
    assert fairlead(place, "eval", "score", run).exit_code == 1
    assert json.loads(fairlead(place, "eval", "show", run, "--json").stdout)["status"] == "done"


def test_a_cap_that_is_reached_names_the_command_that_raises_it(folder: Path) -> None:
    stopped = fairlead(folder, "eval", "run", suite(folder), *CAPPED)
    assert stopped.exit_code == 1 and "was stopped: its cost cap of 0.0" in stopped.stderr, stopped.stderr
    (line,) = [line for line in stopped.stderr.splitlines() if "--resume" in line]
    assert line.startswith("hint: fairlead eval run --resume ") and " --max-cost AMOUNT raises it" in line


def test_a_question_that_the_house_cannot_read_stops_the_run_and_scores_nobody_0(folder: Path) -> None:
    odd = fairlead(folder, "eval", "run", suite(folder), "--on", "good", "--sweep", "temperature=warm")
    assert odd.exit_code == 1 and "can't be asked of good temperature=warm: `temperature`" in odd.stderr, odd.stderr
    assert not answered(folder)


def test_a_run_has_one_writer(tmp_path: Path) -> None:
    folder = furnish(tmp_path, 40)
    door = Door(folder).open()
    process = began(folder, suite(folder), *SLOWLY, "--concurrency", "1")
    try:
        until("some are answered", lambda: len(answered(folder)) >= 3 or process.poll() is not None)
        second = fairlead(folder, "eval", "run", "--resume", "last")
        assert second.exit_code == 1 and "is being written by another process" in second.output
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        door.close()


def test_what_has_changed_since_a_run_began_is_not_mixed_into_it(folder: Path) -> None:
    stopped = ran(folder, suite(folder), *CAPPED, ends=1)
    (folder / "fairlead.toml").write_text(CONFIG.replace("good-1", "good-2"))
    changed = fairlead(folder, "eval", "run", "--resume", stopped["run"]["id"], "--max-cost", "1usd")
    assert changed.exit_code == 1 and "what stands behind target:good has changed" in changed.output
    (folder / "fairlead.toml").write_text(CONFIG)
    (folder / "suite" / "long.md").write_text("Please say {word}.")
    changed = fairlead(folder, "eval", "run", "--resume", stopped["run"]["id"], "--max-cost", "1usd")
    assert changed.exit_code == 1 and "has changed since the run began" in changed.output


def test_runs_are_listed_shown_scored_again_and_forgotten(folder: Path) -> None:
    done = ran(folder, suite(folder), "--on", "good")
    run = done["run"]["id"]
    (listed,) = json.loads(fairlead(folder, "eval", "list", "--json").stdout)
    assert listed["run"]["id"] == run and listed["tally"]["statuses"] == {"ok": 7, "failed": 1}
    cases = (folder / "suite" / "cases.jsonl").read_text()
    (folder / "suite" / "cases.jsonl").write_text(cases.replace('"gold": "w1"', '"gold": "other"'))
    before = len(calls(folder))
    again = fairlead(folder, "eval", "score", run[:16])
    assert again.exit_code == 0 and "8 answers were scored again" in again.output and len(calls(folder)) == before
    shown = json.loads(fairlead(folder, "eval", "show", "last", "--json").stdout)
    assert shown["candidates"][0]["metrics"]["exact"]["mean"]["value"] == 0
    assert shown["suite_hash"] != done["run"]["suite_hash"]
    (folder / "suite" / "cases.jsonl").write_text(cases.replace("w7", "w9"))
    other = fairlead(folder, "eval", "score", run)
    assert other.exit_code == 1 and "is not what it was when the run asked it" in other.output
    assert fairlead(folder, "eval", "forget", run).exit_code == 0
    assert json.loads(fairlead(folder, "eval", "list", "--json").stdout) == []


def test_old_runs_are_forgotten_but_for_those_that_stay_and_both_are_told_beforehand(folder: Path) -> None:
    old, kept, labelled, fresh = (ran(folder, suite(folder), "--on", "good")["run"]["id"] for _ in range(4))
    assert fairlead(folder, "eval", "keep", kept).exit_code == 0
    label = "'l', 'words', 'exact', 'r', ?, 'good', 'c1', 0, 0, 'h', 1.0, 1, 1, 'ann', 'drawn', '{}'"
    with sqlite3.connect(folder / "data" / "evals.db") as connection:
        connection.execute(f"INSERT INTO label VALUES ({label})", (labelled,))
        connection.execute("UPDATE run SET ended_us = 1 WHERE id <> ?", (fresh,))
    would = json.loads(fairlead(folder, "eval", "forget", "--older-than", "30d", "--dry-run", "--json").stdout)
    assert [(one["run"]["id"], one["stays"]) for one in would] == [
        (old, ""),
        (kept, "it is kept"),
        (labelled, "people's labels hang on it: 1"),
    ]
    refused = fairlead(folder, "eval", "forget", labelled)
    assert refused.exit_code == 1 and "--with-labels" in refused.output
    done = fairlead(folder, "eval", "forget", "--older-than", "30d")
    assert done.exit_code == 0 and "1 runs are forgotten, with 8 answers; 2 old ones stay." in done.output
    assert "it is kept" in done.output
    listed = json.loads(fairlead(folder, "eval", "list", "--json").stdout)
    assert {one["run"]["id"] for one in listed} == {kept, labelled, fresh}
    assert fairlead(folder, "eval", "forget", labelled, "--with-labels").exit_code == 0
    assert fairlead(folder, "eval", "keep", kept, "--no-longer").exit_code == 0
    assert fairlead(folder, "eval", "forget", kept).exit_code == 0
    for wrong in ((), ("--older-than", "soon"), (fresh, "--older-than", "30d")):
        assert fairlead(folder, "eval", "forget", *wrong).exit_code == 2


def test_the_scores_of_a_sealed_holdout_are_shown_only_as_a_look_that_counts(folder: Path) -> None:
    text = (folder / "suite" / "suite.toml").read_text().replace("share = 0.0", "share = 0.5")
    (folder / "suite" / "suite.toml").write_text(text)
    done = ran(folder, suite(folder), "--on", "good", "--split", "all")
    (candidate,) = done["run"]["candidates"]
    assert done["run"]["sealed"] and candidate["metrics"]["exact"]["cases"] < 8 and done["run"]["looks"] == 0
    looked = json.loads(fairlead(folder, "eval", "show", "last", "--holdout", "--json").stdout)
    assert looked["candidates"][0]["metrics"]["exact"]["cases"] == 8 and looked["looks"] == 1
    assert json.loads(fairlead(folder, "eval", "show", "last", "--json").stdout)["looks"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--on", "nobody"), "there is no route 'nobody'"),
        ((), "--on NAME"),
        (("--on", "good", "--on", "good"), "is there twice"),
        (("--on", "good", "--sweep", "temperature"), "no sweep"),
        (("--on", "good", "--split", "holdout"), "no cases in the split"),
        (("--on", "good", "--max-cost", "much"), "no amount"),
    ],
)
def test_what_can_not_be_run_is_told_before_anybody_is_asked(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    told = fairlead(folder, "eval", "run", suite(folder), *arguments)
    assert told.exit_code in (1, 2) and said in told.output
    assert not answered(folder)


def test_a_scorer_that_hangs_costs_its_scores_and_neither_the_run_nor_the_others(folder: Path) -> None:
    settings = folder / "suite" / "suite.toml"
    pattern = '[scorers.shape]\nkind = "regex"\npattern = "^(w+)+1$"\nlimit_s = 1\n[primary]'
    settings.write_text(settings.read_text().replace("[primary]", pattern))
    script = (folder / "script.toml").read_text()
    (folder / "script.toml").write_text(script.replace('text = "w4"', f'text = "{"w" * 60}"'))
    done = ran(folder, suite(folder), "--on", "good")
    of = done["run"]["candidates"][0]["metrics"]
    assert done["stopped"] is None and done["progress"]["missing"] == 1
    assert (of["shape"]["cases"], of["shape"]["missing"]) == (7, 1) and of["exact"]["missing"] == 0
    again = fairlead(folder, "eval", "score", "last")
    assert again.exit_code == 0 and "8 answers were scored again; 1 scores are missing" in again.output
