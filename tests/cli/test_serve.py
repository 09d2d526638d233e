"""Journeys: `fairlead serve` as a process, and the other commands beside it."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cli.running import Server, command, environment, fairlead, free_port, process, serving, write_config
from fairlead import config
from fairlead.cli.serve import banner, curl, plain_invoice, reachable
from fairlead.server.steward import Serving


def new_key(folder: Path, name: str) -> str:
    made = fairlead(folder, "key", "new", "--name", name)
    assert made.exit_code == 0, made.stderr
    return made.stdout.strip()


def test_a_day_in_the_life_of_a_server(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert f"http://127.0.0.1:{server.port}/v1" in server.told()
        assert "fallback: bad, good" in server.told()
        key = new_key(tmp_path, "app")
        assert server.ask(key)[0] == 200

        status = json.loads(fairlead(tmp_path, "status", "--json").stdout)
        assert status["listen"] == f"127.0.0.1:{server.port}" and status["pid"] == server.process.pid

        assert json.loads(fairlead(tmp_path, "engine", "list", "--json").stdout) == []
        missing = fairlead(tmp_path, "engine", "restart", "nano")
        assert missing.exit_code == 1 and "there is no engine 'nano'" in missing.stderr
        running = fairlead(tmp_path, "config", "show", "--running").stdout
        assert running == fairlead(tmp_path, "config", "show").stdout

        call = json.loads(fairlead(tmp_path, "call", "list", "--json").stdout)[0]
        assert (call["status"], call["target"], call["attempts"]) == ("ok", "good", 2)
        story = fairlead(tmp_path, "call", "show", call["id"][:16]).stdout
        assert story.index("target bad") < story.index("target good") < story.index("It was answered by good")
        assert 'key "app"' in story and "bad answered 500" in story
        assert "out of order" not in story  # a provider's words may be somebody's: they are told, not written down
        sums = json.loads(fairlead(tmp_path, "call", "summary", "--by", "target", "--json").stdout)
        assert {one["group"]["target"]: one["attempts"] for one in sums} == {"bad": 1, "good": 1}

        started = time.monotonic()
        assert fairlead(tmp_path, "key", "revoke", "app").exit_code == 0
        refused = server.ask(key)
        assert refused[0] == 401 and refused[1]["error"]["code"] == "key_revoked"
        assert time.monotonic() - started < 30  # the command's own start included, on a busy machine

        assert server.end(signal.SIGTERM) == 0
    gone = fairlead(tmp_path, "status")
    assert gone.exit_code == 1 and "no server is running" in gone.stderr


def test_a_second_server_is_refused_and_told_who_is_there(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        same = process(tmp_path, "serve")
        assert same.returncode == 1 and f"process id {server.process.pid}" in same.stderr
        elsewhere = process(tmp_path, "serve", "--data-dir", str(tmp_path / "other"))
        assert elsewhere.returncode == 1
        assert f"127.0.0.1:{server.port} is taken by another Fairlead server" in elsewhere.stderr
        assert "Traceback" not in same.stderr + elsewhere.stderr


def test_what_ended_before_a_kill_is_in_the_books(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        key = new_key(tmp_path, "app")
        for _ in range(5):
            assert server.ask(key)[0] == 200
        server.end(signal.SIGKILL)
    listed = json.loads(fairlead(tmp_path, "call", "list", "--json").stdout)
    assert [(call["status"], call["attempts"]) for call in listed] == [("ok", 2)] * 5


def test_a_reload_takes_the_file_and_keeps_what_the_command_line_said(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    with serving(tmp_path, "--data-dir", str(folder)) as server:
        before = json.loads(fairlead(tmp_path, "--data-dir", str(folder), "status", "--json").stdout)
        assert before["data_dir"] == str(folder)
        write_config(tmp_path, server.port, '[routes.more]\ntargets = ["good"]\n')
        done = fairlead(tmp_path, "config", "reload", "--data-dir", str(folder), "--json")
        assert json.loads(done.stdout)["changed"] is True, done.stderr
        write_config(tmp_path, server.port, '[routes.more]\ntargets = ["missing"]\n')
        refused = fairlead(tmp_path, "config", "reload", "--data-dir", str(folder))
        assert refused.exit_code == 1 and "routes.more.targets[0]" in refused.stderr
        after = json.loads(fairlead(tmp_path, "--data-dir", str(folder), "status", "--json").stdout)
        assert after["routes"] == ["chat", "more"]


def test_ctrl_c_ends_a_server_cleanly_and_it_says_nothing_on_stdout(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.end(signal.SIGINT) == 0
        assert "Traceback" not in server.told()
        assert (tmp_path / "serve.out").read_text() == ""


def test_a_start_that_can_not_be_says_what_which_and_why(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF but not really, at all, whatever the name says")
    path = write_config(tmp_path, free_port(), '[engines.e]\nmodel = "broken.gguf"\n[targets.e]\nengine = "e"\n')
    done = process(tmp_path, "serve")
    assert done.returncode == 1
    assert f"{path}: engines.e: " in done.stderr and "broken.gguf" in done.stderr and "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    reading = subprocess.Popen(
        command("config", "show"), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert reading.stdout and reading.stderr
    reading.stdout.close()
    said = reading.stderr.read()
    reading.stderr.close()
    assert reading.wait() == 141 and said == b""


def test_a_wider_listen_is_shown_so_that_the_line_works_as_it_is() -> None:
    assert reachable("0.0.0.0:4000") == "127.0.0.1:4000"
    assert reachable("[::]:4000") == "[::1]:4000"
    assert reachable("10.0.0.7:4000") == "10.0.0.7:4000"


def test_the_banner_of_a_server_without_a_file_shows_a_key_and_a_line_to_paste() -> None:
    settings = config.load(None)
    shown = banner(
        settings, Serving("127.0.0.1:4000", "127.0.0.1:4001", "/data", tuple(settings.routes), "", "fl_secret")
    )
    assert "export FAIRLEAD_KEY=fl_secret" in shown and curl("127.0.0.1:4000") in shown
    assert "invoices  fallback: mini, nano" in shown


@pytest.mark.engine
def test_without_a_configuration_the_line_that_is_shown_works_as_it_is(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_port()}"
    server = Server(tmp_path, 0, "--listen", listen, "--admin", "off", "--data-dir", str(tmp_path / "data"))
    try:
        server.wait()
        lines = [line.strip() for line in server.told().splitlines()]
        typed = "\n".join(line for line in lines if line.startswith(("export ", "curl ")))
        said = subprocess.run(["bash", "-c", typed], capture_output=True, timeout=60, check=True).stdout
        read = json.loads(json.loads(said)["choices"][0]["message"]["content"])
        assert set(read) == set(plain_invoice().gold)
    finally:
        assert server.end() == 0
