"""A worker: one process that does the road and nothing else.

It is started by the steward with two inherited sockets: the data listener's, and one end of a channel. Everything
else (the configuration, keys, leases) comes over the channel; when that ends, the steward is gone, and the worker
finishes what it has and goes too.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from fairlead import app, config
from fairlead.errors import FairleadError
from fairlead.gateway.call import Limit
from fairlead.gateway.flow import Generation
from fairlead.gateway.purse import Lease, LeasedPurse
from fairlead.ids import now_us
from fairlead.server import channel as say
from fairlead.server.channel import Channel
from fairlead.server.data import DataListener
from fairlead.server.endpoints import ENDPOINTS
from fairlead.server.protocol import BoundedProtocol
from fairlead.server.unserved import HINTS
from fairlead.store.spool import Spool

COUNT_EVERY_S = 1.0
KEEP_ALIVE_S = 75
LAST_WORDS_S = 1.0
COLLECT_AFTER = (10_000, 20, 50)  # a call leaves hardly a cycle behind, so looking for them may be rare


class _Broker:
    """The broker at the other end of the channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        return (await self._channel.ask(say.LeaseAsked(limit, window_us, needed, spent, held))).lease


class _Archive:
    """What is kept of responses, at the other end of the channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def keep(self, kept: say.Keep) -> None:
        await self._channel.ask(kept)

    async def find(self, response: str, owner: str) -> say.Found:
        return await self._channel.ask(say.Find(response, owner))

    async def forget(self, response: str, owner: str) -> bool:
        return (await self._channel.ask(say.Forget(response, owner))).body is not None


class _Server(uvicorn.Server):
    """Without signals: it would die of them as soon as it has served, before the records are closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@dataclass
class _Prepared:
    settings: config.Config
    generation: Generation


class Worker:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._channel: Channel
        self._begun: say.Begin
        self._app: app.App | None = None
        self._data: DataListener
        self._purse: LeasedPurse
        self._spool: Spool
        self._prepared: _Prepared | None = None
        self._server: uvicorn.Server
        self._ready = asyncio.Event()
        self._renewed = time.monotonic()

    async def run(self, end: socket.socket) -> None:
        self._channel = await Channel.over(end, self._handle)
        gone = asyncio.create_task(self._channel.closed.wait())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({gone, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.is_set():
            return
        counting = asyncio.create_task(self._count())
        gone.add_done_callback(lambda _: self._drain())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._drain)  # some end a whole group at once
        gc.freeze()  # what was loaded at start lives as long as the process: the collector need not look at it
        gc.set_threshold(*COLLECT_AFTER)
        await self._server.serve(sockets=[self._listener])
        if cut_off := set(self._server.server_state.tasks):  # by the end of the drain: they still write their records
            await asyncio.wait(cut_off, timeout=LAST_WORDS_S)
        counting.cancel()
        assert self._app is not None
        await self._app.pool.close()
        self._spool.close()
        self._channel.close()

    async def _handle(self, message: object) -> say.Message | None:
        match message:
            case say.Begin():
                self._begun = message
                self._spool = Spool(Path(message.spools) / message.name, sync=message.sync)  # type: ignore[arg-type]
                self._purse = LeasedPurse(_Broker(self._channel))
                return say.Done()
            case say.Prepare():
                return self._prepare(message)
            case say.Commit():
                self._commit()
                return say.Done()
            case say.Keys(callers):
                assert self._app is not None
                self._app.identities.replace(callers)
                return say.Done()
            case say.CircuitChanged(state):
                assert self._app is not None
                self._app.gateway.circuits.told(state)
            case say.Recall(limit, window_us):
                return say.GivenBack(*self._purse.give_back(limit, window_us))
            case say.Renewed():
                self._renewed = time.monotonic()
            case say.Drain():
                self._drain()
        return None

    def _prepare(self, message: say.Prepare) -> say.Message:
        try:
            settings = config.decode(message.config)
            if self._app is None:
                self._app = app.build(settings, spool=self._spool, purse=self._purse, engines=message.engines)
                self._app.gateway.circuits.tell = lambda state: self._channel.tell(say.CircuitChanged(state))
                made = self._app.gateway.generation
            else:
                made = app.generation(settings, self._app.pool, message.engines)
        except FairleadError as error:
            return say.Failed(error.message, error.hint)
        self._prepared = _Prepared(settings, made)
        return say.Done()

    def _commit(self) -> None:
        assert self._prepared is not None and self._app is not None
        settings = self._prepared.settings
        self._app.gateway.ledger.config = settings.hash
        self._app.gateway.take(self._prepared.generation)
        if not self._ready.is_set():
            self._open(settings)
        self._data.max_body_bytes = int(settings.server.max_body_mb * 1_000_000)
        self._data.metrics = self._metrics if self._begun.metrics and settings.server.metrics == "auto" else None

    def _open(self, settings: config.Config) -> None:
        assert self._app is not None
        self._data = DataListener(
            self._app.gateway,
            self._app.identities,
            ENDPOINTS,
            HINTS,
            max_body_bytes=int(settings.server.max_body_mb * 1_000_000),
            hash_key=self._begun.hash_key,
            archive=_Archive(self._channel),
        )
        self._server = _Server(
            uvicorn.Config(
                self._data,  # type: ignore[arg-type]
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=max(1, round(settings.server.drain_s)),
            )
        )
        self._ready.set()

    def _drain(self) -> None:
        if self._ready.is_set():
            self._data.draining = True
            self._server.should_exit = True

    async def _metrics(self) -> bytes:
        return (await self._channel.ask(say.MetricsAsked())).text

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            assert self._app is not None
            self._channel.tell(say.Counts(self._app.gateway.ledger.open_calls, self._app.identities.refused))
            self._tell_spent()

    def _tell_spent(self) -> None:
        """What became of what was leased; and nobody uses places that others may have by now."""
        news = self._purse.news(now_us())
        if self._begun.places_s and time.monotonic() - self._renewed > self._begun.places_s:
            news += self._purse.leave_places()
        if news:
            self._channel.tell(say.Told(news))


def main() -> None:
    """`python -m fairlead.server.worker LISTENER_FD CHANNEL_FD`."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    listener, end = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    worker = Worker(listener)
    if sys.platform == "win32":
        asyncio.run(worker.run(end))
    else:
        import uvloop  # here, because it can't be installed everywhere

        uvloop.run(worker.run(end))


if __name__ == "__main__":
    main()
