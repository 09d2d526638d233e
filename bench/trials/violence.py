"""What is done to replicas, their database, their engines and their disks while they are asked; seeded.

Each act is a coroutine that undoes what it did. It judges nothing.
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from trials.serving import Server, answers, children, until

LOOK_S = 0.25


class Database(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def frozen(self) -> contextlib.AbstractContextManager[None]: ...


class Violence:
    """`small` is the folder of a disk that can be filled, where there is one; `acts` counts what was done."""

    def __init__(
        self, replicas: list[Server], database: Database | None, small: Path | None, seed: int, *, engines: bool = True
    ) -> None:
        self.acts: Counter[str] = Counter()
        self._replicas = replicas
        self._database = database
        self._small = small
        self._chance = random.Random(seed)
        self._busy: set[str] = set()  # what an act has in its hands
        self._tasks: set[asyncio.Task[None]] = set()
        self._choices: list[tuple[int, str, Callable[[], Awaitable[None]]]] = [
            (30, "a worker killed", self._kill_worker),
            (10, "a steward killed", self._kill_steward),
            (6, "a steward and its workers killed at once", self._kill_all),
            (6, "a replica stopped and started", self._restart),
            *([(8, "an engine killed", self._kill_engine)] if engines else []),
            *([(4, "a disk filled", self._fill_disk)] if small else []),
        ]
        if database is not None:
            self._choices += [
                (3, "the database stopped and started", self._stop_database),
                (2, "the database killed", self._kill_database),
                (2, "the database frozen", self._freeze_database),
            ]

    async def run(self, seconds: float) -> None:
        """Acts, one every second or two, and whatever died is started again; then all is as it was."""
        keeping = asyncio.create_task(self._keep())
        ends = time.monotonic() + seconds
        weights = [weight for weight, _, _ in self._choices]
        while time.monotonic() < ends:
            await asyncio.sleep(self._chance.uniform(0.5, 2.0))
            [(_, name, act)] = self._chance.choices(self._choices, weights)
            print(f"{ends - time.monotonic():6.1f} s left: {name}", file=sys.stderr, flush=True)
            task = asyncio.create_task(self._act(name, act))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.gather(*self._tasks)
        await until(lambda: all(server.is_running and answers(server.port, b"/readyz") for server in self._replicas))
        keeping.cancel()

    async def _act(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(ProcessLookupError):
            await act()
            self.acts[name] += 1

    async def _keep(self) -> None:
        """As a supervisor does."""
        while True:
            await asyncio.sleep(LOOK_S)
            for server in self._replicas:
                if not server.is_running:
                    await asyncio.sleep(self._chance.uniform(0, 1.5))
                    server.start()

    def _one(self) -> Server:
        return self._chance.choice([server for server in self._replicas if server.is_running] or self._replicas)

    # --- acts ---

    async def _kill_worker(self) -> None:
        workers = self._one().workers()
        if workers:
            os.kill(self._chance.choice(workers), signal.SIGKILL)

    async def _kill_steward(self) -> None:
        os.kill(self._one().pid, signal.SIGKILL)

    async def _kill_all(self) -> None:
        server = self._one()
        for pid in (server.pid, *server.workers()):
            os.kill(pid, signal.SIGKILL)

    async def _restart(self) -> None:
        os.kill(self._one().pid, signal.SIGTERM)

    async def _kill_engine(self) -> None:
        for server in self._replicas:
            for pid in children(server.pid, b"llamacpp_child") if server.is_running else []:
                os.kill(pid, signal.SIGKILL)

    async def _fill_disk(self) -> None:
        if self._small is None or "disk" in self._busy:
            return
        self._busy.add("disk")
        filling = self._small / "filling"
        try:
            with contextlib.suppress(OSError), filling.open("wb") as file:
                while True:
                    file.write(bytes(64 * 1024))
                    file.flush()
            await asyncio.sleep(self._chance.uniform(5, 15))
        finally:
            filling.unlink(missing_ok=True)
            self._busy.discard("disk")

    async def _stop_database(self) -> None:
        if self._database is not None and "database" not in self._busy:
            self._busy.add("database")
            await asyncio.to_thread(self._database.stop)
            await self._bring_back()

    async def _kill_database(self) -> None:
        if self._database is not None and "database" not in self._busy:
            self._busy.add("database")
            await asyncio.to_thread(self._database.kill)
            await self._bring_back()

    async def _bring_back(self) -> None:
        assert self._database is not None
        await asyncio.sleep(self._chance.uniform(1, 8))
        await asyncio.to_thread(self._database.start)
        self._busy.discard("database")

    async def _freeze_database(self) -> None:
        if self._database is not None and "database" not in self._busy:
            self._busy.add("database")
            with self._database.frozen():
                await asyncio.sleep(self._chance.uniform(1, 5))
            self._busy.discard("database")
