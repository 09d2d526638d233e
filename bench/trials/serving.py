"""The processes of a trial: providers and servers, started, watched, killed and ended, and what they take."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("provider.toml")
PATIENCE_S = 60.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def children(pid: int, word: bytes) -> list[int]:
    """The child processes whose command line has `word` in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid and word in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return sorted(found)


def resident_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return 0.0


def descriptors(pid: int) -> int:
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def answers(port: int, path: bytes = b"/healthz") -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5) as sock:
        sock.settimeout(2)
        sock.sendall(b"GET %b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" % path)
        return b" 200 " in sock.recv(64)
    return False


class Provider:
    """A stand-in that plays `provider.toml` and counts, on a port of its own."""

    def __init__(self, folder: Path, *, traces: bool = False) -> None:
        self.port = free_port()
        self._tally = folder / "provider.json"
        command = [sys.executable, "-m", "trials.provider", str(self.port), str(SCRIPT), str(self._tally)]
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'bench'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        self._process = subprocess.Popen([*command, *(["traces"] if traces else [])], env=env)
        wait_for("the provider", lambda: reachable(self.port))

    def stop(self) -> dict[str, Any]:
        """What it was asked: `plays` by line, `traces` by trace."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        return json.loads(self._tally.read_text())


class Server:
    """A `fairlead serve` in a folder with a configuration, which may die and be started anew."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        with (self.folder / "serve.log").open("ab") as log:
            command = [sys.executable, "-m", "fairlead", "serve"]
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def workers(self) -> list[int]:
        return children(self.pid, b"fairlead.server.worker") if self.is_running else []

    def kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        """As an operator ends it: what is going on comes to its end."""
        assert self.process is not None
        if self.is_running:
            self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def command(self, *arguments: str) -> Any:
        """`fairlead …` in its folder, and what it printed as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "fairlead", *arguments, "--json"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"fairlead {' '.join(arguments)} failed: {done.stderr}")
        return json.loads(done.stdout)

    def log(self) -> str:
        return (self.folder / "serve.log").read_text(errors="replace")


def reachable(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def wait_for(what: str, is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    by = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > by:
            raise SystemExit(f"not within {patience_s:g} s: {what}")
        time.sleep(0.05)


async def until(is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
    """Whether it came to be."""
    by = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > by:
            return False
        await asyncio.sleep(0.1)
    return True
