"""Journeys with the installed command: a configuration with scripted backends, `fairlead` as a process, calls to it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from fairlead.cli import main

PATIENCE_S = 40.0
SCRIPT = '[[lines]]\ntext = "Hello there."\n'
BROKEN = '[[lines]]\nstatus = 500\nmessage = "out of order"\n'


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def write_config(folder: Path, port: int, more: str = "") -> Path:
    """Route `chat` falls back from a target that always fails to one that answers; `data_dir` is beside the file."""
    (folder / "answers.toml").write_text(SCRIPT)
    (folder / "fails.toml").write_text(BROKEN)
    path = folder / "fairlead.toml"
    path.write_text(
        f"""
data_dir = "data"
[server]
listen = "127.0.0.1:{port}"
admin = "off"
drain_s = 2
[backends.well]
kind = "script"
zone = "private"
script = "answers.toml"
[backends.ill]
kind = "script"
zone = "private"
script = "fails.toml"
[targets.good]
backend = "well"
model = "m-good"
price = {{ input = 1, output = 2 }}
[targets.bad]
backend = "ill"
model = "m-bad"
[routes.chat]
targets = ["bad", "good"]
{more}"""
    )
    return path


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAIRLEAD_")}
    return kept | {"NO_COLOR": "1"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fairlead", *arguments]


def run(*arguments: str, env: dict[str, str | None] | None = None, keys: str | None = None) -> Result:
    """One command, in this process: a second is worth a lot where there are many. `keys` are pressed."""
    names = (name for name in os.environ if name.startswith("FAIRLEAD_"))
    return CliRunner().invoke(main.fairlead, list(arguments), env={**dict.fromkeys(names), **(env or {})}, input=keys)


def fairlead(folder: Path, *arguments: str, keys: str | None = None) -> Result:
    """One command, in this process, for the configuration in that folder."""
    return run("--config", str(folder / "fairlead.toml"), *arguments, keys=keys)


def process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, as a process in that folder, to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


class Server:
    """A running `fairlead serve`."""

    def __init__(self, folder: Path, port: int, *arguments: str) -> None:
        self.folder, self.port = folder, port
        self.log = folder / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command("serve", *arguments),
                cwd=folder,
                env=environment(),
                stdout=(folder / "serve.out").open("wb"),
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        until("it serves", lambda: self.is_up() or self.process.poll() is not None)
        assert self.process.poll() is None, self.told()

    def is_up(self) -> bool:
        return "Fairlead serves on" in self.told()

    def told(self) -> str:
        return self.log.read_text()

    def ask(self, key: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]})
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {key}"})
        response = connection.getresponse()
        try:
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def serving(folder: Path, *arguments: str, more: str = "") -> Iterator[Server]:
    port = free_port()
    write_config(folder, port, more)
    server = Server(folder, port, *arguments)
    try:
        server.wait()
        yield server
    finally:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait(PATIENCE_S)


def until(what: str, is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    by = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < by, f"not within {patience_s} s: {what}"
        time.sleep(0.02)
