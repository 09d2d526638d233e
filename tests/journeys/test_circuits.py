"""A target that is gone is left alone by every worker, also by one that comes later; an operator sees and mends it."""

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.server.office import KeyMade
from journeys.door import Door, until

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
workers = 3
drain_s = 2

[backends.gone]
kind = "openai"
zone = "private"
base_url = "http://127.0.0.1:9/v1"

[backends.script]
kind = "script"
zone = "private"
script = "script.toml"

[targets.a]
backend = "gone"
model = "a"
breaker = { in_a_row = 2, pause_s = 300, max_pause_s = 300 }

[routes.r]
targets = ["a"]
retry = { attempts = 0 }
"""
ASKED = json.dumps({"model": "r", "messages": [{"role": "user", "content": "hi"}]}).encode()
WORKERS = 3


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Door]:
    (tmp_path / "fairlead.toml").write_text(CONFIG)
    (tmp_path / "script.toml").write_text('[[lines]]\ntext = "here again"\n')
    door = Door(tmp_path).open()
    yield door
    door.close()


def ask_anew(door: Door, key: KeyMade) -> tuple[int, str]:
    """On a connection of its own, so that any worker may take it: the status, and the error's code."""
    request = urllib.request.Request(
        f"{door.url}/v1/chat/completions", ASKED, {"authorization": f"Bearer {key.secret}", "connection": "close"}
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
            return response.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]["code"]


def test_all_workers_leave_alone_what_one_found_gone(house: Door) -> None:
    key = house.key("tests")

    def answers(times: int = 10 * WORKERS) -> set[tuple[int, str]]:
        return {ask_anew(house, key) for _ in range(times)}

    until(lambda: answers(1) and house.status().circuits)
    [circuit] = house.status().circuits
    assert (circuit.target, circuit.backend, circuit.state) == ("a", "gone", "open")
    assert circuit.why == "target_unreachable"
    until(lambda: answers() == {(503, "circuit_open")})
    first = house.status().workers[0]
    os.kill(first, signal.SIGKILL)
    until(lambda: first not in house.status().workers and len(house.status().workers) == WORKERS)
    assert answers() <= {(503, "circuit_open"), (0, "")}
    assert sum(call.attempts for call in house.calls(key)) <= 2 * WORKERS
    house.rewrite(('backend = "gone"\nmodel', 'backend = "script"\nmodel'))
    os.kill(house.process.pid, signal.SIGHUP)
    until(lambda: answers() == {(200, "")})
    assert house.status().circuits == []
