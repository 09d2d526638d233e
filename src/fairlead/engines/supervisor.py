"""An engine: a model server in a process of its own that is started, watched, restarted and stopped.

Whatever happens to that process never reaches ours: a crash, a hang or a full disk there is a state here. What is
started is a recipe's business (`llamacpp.py`); what a model says to anybody is not known here.
"""

import asyncio
import random
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from fairlead.engines.health import is_well
from fairlead.engines.ports import Port
from fairlead.engines.process import Child, Launch
from fairlead.errors import EngineBroken, OperatorError
from fairlead.ids import now_us

State = Literal["starting", "ready", "down", "stopped", "broken"]


class EngineStatus(Struct, frozen=True, kw_only=True):
    """`since_us` is when the state began; `restarts` counts tries to bring it back; `url` has no path."""

    name: str
    kind: str
    model: str
    state: State
    pid: int | None
    url: str
    restarts: int
    since_us: int
    last_error: str


class Pace(Struct, frozen=True):
    """How patient a supervisor is. All in seconds but `failures`, the failed checks in a row that mean: it hangs."""

    start_timeout_s: float = 300.0
    check_every_s: float = 2.0
    check_timeout_s: float = 10.0
    failures: int = 3
    first_wait_s: float = 0.25
    longest_wait_s: float = 30.0
    stable_s: float = 60.0
    stop_timeout_s: float = 5.0


class Recipe(Protocol):
    """What to start. `prepare` may block and runs off the event loop, before every start; it raises OperatorError."""

    def prepare(self, port: int, key: str) -> Launch: ...


class Backoff:
    """How long to wait before the next try: doubled every time, spread by chance, short again after a stable time."""

    def __init__(self, pace: Pace, chance: Callable[[], float] = random.random) -> None:
        self._pace = pace
        self._chance = chance
        self._tries = 0

    def next_s(self) -> float:
        wait_s = min(self._pace.first_wait_s * 2 ** min(self._tries, 30), self._pace.longest_wait_s)
        self._tries += 1
        return wait_s * (0.5 + self._chance() / 2)

    def was_ready(self, for_s: float) -> None:
        if for_s >= self._pace.stable_s:
            self._tries = 0


class Engine:
    """`start` it once, `stop` it once. `url` and `key` stay the same over restarts. One event loop owns it."""

    def __init__(
        self, name: str, kind: str, model: str, recipe: Recipe, log: Path, *, port: int = 0, pace: Pace | None = None
    ) -> None:
        self.name = name
        self.key = secrets.token_urlsafe(24)
        self._kind = kind
        self._model = model
        self._recipe = recipe
        self._log = log
        self._pace = pace or Pace()
        self._port = Port(port)
        self._child: Child | None = None
        self._life: asyncio.Task[None] | None = None
        self._state: State = "stopped"
        self._since_us = now_us()
        self._restarts = 0
        self._last_error = ""

    def __repr__(self) -> str:
        return f"Engine({self.name}, {self._state}, {self.url})"  # never its key

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; "" before the start."""
        return f"http://127.0.0.1:{self._port.number}" if self._port.number else ""

    def status(self) -> EngineStatus:
        return EngineStatus(
            name=self.name,
            kind=self._kind,
            model=self._model,
            state=self._state,
            pid=self._child.pid if self._child else None,
            url=self.url,
            restarts=self._restarts,
            since_us=self._since_us,
            last_error=self._last_error,
        )

    async def start(self) -> None:
        """Returns when the engine answers. Raises EngineBroken, ExtraMissing or InUse where it never will.

        From then on it is watched until `stop`. A caller who is cancelled while waiting leaves nothing running. The
        errors say what is wrong, not with which engine: the caller knows, and knows where that is written.
        """
        if self._life is not None:
            raise EngineBroken(f"engine {self.name} was started before", hint="an engine is started once")
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(first), name=f"engine {self.name}")
        try:
            await first
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends it: politely, then not. Harmless where nothing runs."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])
        self._port.free()

    def kill(self) -> bool:
        """Ends its process as a crash would; the supervisor brings it back. False where there is none to end."""
        return self._child is not None and self._child.kill()

    # --- its life, in one task ---------------------------------------------------------------------------------------

    async def _live(self, first: "asyncio.Future[None]") -> None:
        try:
            await self._begin(first)
            backoff = Backoff(self._pace)
            while True:
                ready_at = asyncio.get_running_loop().time()
                self._became("down", await self._until_unwell())
                await self._end_child()
                backoff.was_ready(asyncio.get_running_loop().time() - ready_at)
                await self._come_back(backoff)
        except OperatorError as error:
            self._became("broken", error.message)
            self._port.free()
            if not first.done():
                first.set_exception(error)
        finally:
            await self._end_child()
            if self._state != "broken":
                self._became("stopped")
            if not first.done():
                first.set_exception(EngineBroken("stopped before it was ready"))

    async def _begin(self, first: "asyncio.Future[None]") -> None:
        self._became("starting")
        self._port.reserve(self.name)
        await self._launch()
        if not first.done():
            first.set_result(None)

    async def _come_back(self, backoff: Backoff) -> None:
        """Tries until it answers again. A model that is gone for an hour may be back after two."""
        while True:
            await asyncio.sleep(backoff.next_s())
            self._restarts += 1
            self._became("starting")
            try:
                return await self._launch()
            except OperatorError as error:
                self._became("down", error.message)

    async def _launch(self) -> None:
        """Starts a child and waits until it answers; leaves none behind where it doesn't."""
        try:
            launch = await asyncio.to_thread(self._recipe.prepare, self._port.number, self.key)
            self._child = await Child.spawn(launch, self._log)
            await self._until_well(self._child)
        except OperatorError:
            await self._end_child()
            raise
        except OSError as error:
            await self._end_child()
            raise EngineBroken(f"can't be started: {error}") from error
        self._became("ready")

    async def _until_well(self, child: Child) -> None:
        clock = asyncio.get_running_loop().time
        ends, pause_s = clock() + self._pace.start_timeout_s, 0.01
        while not await is_well(self._port.number, self._pace.check_timeout_s):
            if await child.ended(pause_s):
                raise EngineBroken(child.last_words(), hint=f"its log is {self._log}")
            if clock() > ends:
                raise EngineBroken(f"not ready within {self._pace.start_timeout_s:g} s", hint=f"its log is {self._log}")
            pause_s = min(pause_s * 1.5, 0.25)

    async def _until_unwell(self) -> str:
        """Watches the child; returns why it is to be replaced."""
        child, failures = self._child, 0
        assert child is not None
        while failures < self._pace.failures:
            if await child.ended(self._pace.check_every_s):
                return child.last_words()
            await asyncio.to_thread(child.trim_log)
            failures = 0 if await is_well(self._port.number, self._pace.check_timeout_s) else failures + 1
        return f"did not answer {failures} health checks in a row"

    async def _end_child(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            await child.end(self._pace.stop_timeout_s)

    def _became(self, state: State, error: str | None = None) -> None:
        self._state = state
        self._since_us = now_us()
        if error is not None:
            self._last_error = error
