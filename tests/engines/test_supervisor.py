"""Engines are started, watched, brought back and ended; here with small programs in the place of a model server."""

import asyncio
import os
import signal
import socket
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fairlead.engines.health import is_well
from fairlead.engines.process import Launch
from fairlead.engines.supervisor import Backoff, Engine, Pace
from fairlead.errors import EngineBroken, ExtraMissing, InUse

FAST = Pace(
    start_timeout_s=20, check_every_s=0.02, check_timeout_s=0.3, failures=2, first_wait_s=0.01, longest_wait_s=0.05,
    stop_timeout_s=0.5,
)  # fmt: skip

SERVES = """
import http.server, socketserver, socket, sys, threading, os, time
port, key = sys.stdin.readline().split()
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind(self.server_address)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
Server(("127.0.0.1", int(port)), Health).serve_forever()
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


class Program:
    """A recipe that runs Python code; `fails` raises instead, for as long as it is set."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.fails: Exception | None = None
        self.prepared = 0

    def prepare(self, port: int, key: str) -> Launch:
        self.prepared += 1
        if self.fails is not None:
            raise self.fails
        return Launch((sys.executable, "-c", textwrap.dedent(self.code)), f"{port} {key}".encode())


@asynccontextmanager
async def running(recipe: Program, tmp_path: Path, pace: Pace = FAST, port: int = 0) -> AsyncIterator[Engine]:
    engine = Engine("one", "test", "model", recipe, tmp_path / "one.log", port=port, pace=pace)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def until(is_so: Callable[[], bool], within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def refused(engine: Engine) -> EngineBroken:
    with pytest.raises(EngineBroken) as caught:
        await engine.start()
    await engine.stop()
    return caught.value


def test_a_started_engine_answers_and_a_stopped_one_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(Program(SERVES), tmp_path) as engine:
            status = engine.status()
            assert (status.state, status.restarts, status.last_error) == ("ready", 0, "")
            assert status.pid is not None and is_alive(status.pid)
            assert await is_well(int(status.url.rpartition(":")[2]), 1)
        assert engine.status().state == "stopped"
        assert engine.status().pid is None
        assert not is_alive(status.pid)

    asyncio.run(story())


def test_a_killed_engine_comes_back_at_the_same_url_with_the_same_key(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(Program(SERVES), tmp_path) as engine:
            before, key = engine.status(), engine.key
            assert before.pid is not None
            os.kill(before.pid, signal.SIGKILL)
            await until(lambda: engine.status().restarts == 1 and engine.status().state == "ready")
            after = engine.status()
            assert after.url == before.url and after.pid != before.pid and engine.key == key
            assert "killed by SIGKILL" in after.last_error

    asyncio.run(story())


def test_an_engine_can_be_killed_on_purpose_as_long_as_it_runs(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(Program(SERVES), tmp_path) as engine:
            assert engine.kill()
            await until(lambda: engine.status().restarts == 1 and engine.status().state == "ready")
        assert not engine.kill()

    asyncio.run(story())


def test_an_engine_that_hangs_is_replaced(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(Program(SERVES), tmp_path) as engine:
            hung = engine.status().pid
            assert hung is not None
            os.kill(hung, signal.SIGSTOP)
            await until(lambda: engine.status().state == "ready" and engine.status().pid != hung)
            assert "did not answer 2 health checks" in engine.status().last_error
            assert not is_alive(hung)

    asyncio.run(story())


def test_it_keeps_trying_while_its_model_is_away(tmp_path: Path) -> None:
    async def story() -> None:
        recipe = Program(SERVES)
        async with running(recipe, tmp_path) as engine:
            recipe.fails = EngineBroken("the file is gone", hint="bring it back")
            os.kill(engine.status().pid or 0, signal.SIGKILL)
            await until(lambda: recipe.prepared >= 4)
            assert engine.status().state in ("down", "starting")
            assert engine.status().last_error == "the file is gone"
            recipe.fails = None
            await until(lambda: engine.status().state == "ready")

    asyncio.run(story())


@pytest.mark.parametrize("error", [EngineBroken("no such file", hint="look"), ExtraMissing("not there", hint="pip")])
def test_what_the_recipe_says_is_passed_on_with_its_hint(tmp_path: Path, error: EngineBroken) -> None:
    recipe = Program(SERVES)
    recipe.fails = error
    engine = Engine("one", "test", "model", recipe, tmp_path / "one.log", pace=FAST)
    with pytest.raises(type(error)) as caught:
        asyncio.run(engine.start())
    assert caught.value.hint == error.hint
    assert engine.status().state == "broken"
    assert engine.status().last_error == error.message


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('0.00.009.786 E llama_model_load: error loading model: bad magic'); raise SystemExit(1)", "bad magic"),
        ("import sys; print('what I know'); sys.exit('out of luck')", "out of luck"),
        ("import os; os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
        ("raise SystemExit(7)", "exit status 7"),
    ],
)
def test_an_engine_that_dies_at_its_start_says_why(tmp_path: Path, code: str, reason: str) -> None:
    error = asyncio.run(refused(Engine("one", "test", "model", Program(code), tmp_path / "one.log", pace=FAST)))
    assert reason in error.message
    assert "one.log" in error.hint


def test_an_earlier_death_is_not_taken_for_this_one(tmp_path: Path) -> None:
    (tmp_path / "one.log").write_text("0.00.1 E srv load: an old story\n")
    code = "raise SystemExit(7)"
    error = asyncio.run(refused(Engine("one", "test", "model", Program(code), tmp_path / "one.log", pace=FAST)))
    assert "old story" not in error.message


def test_a_program_that_does_not_exist_is_an_engine_that_is_broken(tmp_path: Path) -> None:
    class Nowhere:
        def prepare(self, port: int, key: str) -> Launch:
            return Launch(("/nowhere/server",), b"")

    error = asyncio.run(refused(Engine("one", "test", "model", Nowhere(), tmp_path / "one.log", pace=FAST)))
    assert "/nowhere/server" in error.message


def test_one_that_never_gets_ready_is_given_up_and_leaves_nothing_behind(tmp_path: Path) -> None:
    pace = Pace(start_timeout_s=0.3, check_timeout_s=0.1, stop_timeout_s=0.1)
    error = asyncio.run(refused(Engine("one", "test", "model", Program(DEAF), tmp_path / "one.log", pace=pace)))
    assert "not ready within 0.3 s" in error.message


def test_stopping_during_the_start_ends_the_start(tmp_path: Path) -> None:
    async def story() -> None:
        engine = Engine("one", "test", "model", Program(DEAF), tmp_path / "one.log", pace=FAST)
        starting = asyncio.create_task(engine.start())
        await until(lambda: (tmp_path / "one.log").exists() and "deaf" in (tmp_path / "one.log").read_text())
        pid = engine.status().pid
        await engine.stop()
        with pytest.raises(EngineBroken, match="stopped before it was ready"):
            await starting
        assert pid is not None and not is_alive(pid)
        assert engine.status().state == "stopped"

    asyncio.run(story())


def test_who_is_cancelled_while_starting_leaves_nothing_running(tmp_path: Path) -> None:
    async def story() -> None:
        engine = Engine("one", "test", "model", Program(DEAF), tmp_path / "one.log", pace=FAST)
        starting = asyncio.create_task(engine.start())
        await until(lambda: engine.status().pid is not None)
        pid = engine.status().pid
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert pid is not None and not is_alive(pid)

    asyncio.run(story())


def test_a_port_that_somebody_listens_on_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        engine = Engine("one", "test", "model", Program(SERVES), tmp_path / "one.log", port=port, pace=FAST)
        with pytest.raises(InUse, match=f"port {port} of engine one is taken"):
            asyncio.run(engine.start())


def test_two_engines_never_share_a_port(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(Program(SERVES), tmp_path) as first:
            port = int(first.url.rpartition(":")[2])
            second = Engine("two", "test", "model", Program(SERVES), tmp_path / "two.log", port=port, pace=FAST)
            with pytest.raises(InUse, match="of engine two is taken"):
                await second.start()

    asyncio.run(story())


def test_waiting_doubles_up_to_its_limit_and_starts_over_after_a_stable_time() -> None:
    backoff = Backoff(Pace(first_wait_s=0.25, longest_wait_s=30, stable_s=60), chance=lambda: 1.0)
    assert [backoff.next_s() for _ in range(9)] == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.was_ready(59)
    assert backoff.next_s() == 30
    backoff.was_ready(60)
    assert backoff.next_s() == 0.25


def test_waiting_is_spread_over_half_of_its_length() -> None:
    assert Backoff(Pace(first_wait_s=4), chance=lambda: 0.0).next_s() == 2


def test_nobody_sees_the_key_by_accident(tmp_path: Path) -> None:
    recipe = Program(SERVES)
    engine = Engine("one", "test", "model", recipe, tmp_path / "one.log")
    assert engine.key not in repr(engine)
    assert engine.key not in repr(recipe.prepare(1, engine.key))
    assert engine.key not in repr(engine.status())
