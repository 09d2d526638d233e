"""A target that is gone is left alone by every worker, also by one that comes later; an operator sees and mends it."""

import json
import os
import re
import signal
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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

[backends.away]
kind = "openai"
zone = "private"
base_url = "http://127.0.0.1:PORT/v1"

[targets.b]
backend = "away"
model = "b"
breaker = { in_a_row = 2, pause_s = 0.5, max_pause_s = 1 }

[routes.comes-back]
targets = ["b"]
retry = { attempts = 0 }

[routes.r]
targets = ["a"]
retry = { attempts = 0 }
"""
ANSWER = {
    "model": "b",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "here"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
WORKERS = 3


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Door]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "fairlead.toml").write_text(CONFIG.replace("PORT", str(port)))
    (tmp_path / "script.toml").write_text('[[lines]]\ntext = "here again"\n')
    door = Door(tmp_path).open()
    yield door
    door.close()


class Provider(BaseHTTPRequestHandler):
    """Answers everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def listening(port: int) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Provider)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask_anew(door: Door, key: KeyMade, route: str = "r") -> tuple[int, str]:
    """On a connection of its own, so that any worker may take it: the status, and the error's code."""
    asked = json.dumps({"model": route, "messages": [{"role": "user", "content": "hi"}]}).encode()
    request = urllib.request.Request(
        f"{door.url}/v1/chat/completions", asked, {"authorization": f"Bearer {key.secret}", "connection": "close"}
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


def test_what_comes_back_is_found_by_a_probe_and_asked_by_all_workers(house: Door) -> None:
    key = house.key("tests")

    def answers(times: int = 10 * WORKERS) -> set[tuple[int, str]]:
        return {ask_anew(house, key, "comes-back") for _ in range(times)}

    until(lambda: answers(1) and house.status().circuits)
    first = house.status().circuits[0]
    until(lambda: answers(1) and house.status().circuits[0].pauses > first.pauses)  # a probe failed: it waits longer
    [port] = re.findall(r"127.0.0.1:(\d{2,})/", house.file.read_text())
    with listening(int(port)):
        until(lambda: answers() == {(200, "")})
        until(lambda: house.status().circuits == [])
