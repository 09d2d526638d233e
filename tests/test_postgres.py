"""The tests' own PostgreSQL: it keeps what was committed, at one address, and does not outlive the tests."""

import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from postgres import PostgresServer


def test_it_comes_back_from_a_kill_with_what_was_committed() -> None:
    with PostgresServer() as server:
        name = server.new_database()
        server.run("CREATE TABLE kept (x int)", name)
        server.run("INSERT INTO kept VALUES (7)", name)
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            server.run("SELECT 1")
        server.start()
        assert server.run("SELECT x FROM kept", name) == [(7,)]


def test_it_goes_with_those_who_started_it_however_they_die() -> None:
    show = "import os; from postgres import PostgresServer; s = PostgresServer(); s.start()\n"
    show += "print(s.directory, s.port, flush=True); os.kill(os.getpid(), 9)"
    here, program = Path(__file__).parent, [sys.executable, "-c", show]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=False, cwd=here)
    directory, _port = done.stdout.split()
    until = time.monotonic() + 60
    while Path(directory).exists():
        assert time.monotonic() < until
        time.sleep(0.05)
