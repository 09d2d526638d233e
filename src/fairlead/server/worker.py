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
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fairlead import app, config
from fairlead.errors import FairleadError
from fairlead.gateway.call import Limit
from fairlead.gateway.flow import Generation
from fairlead.gateway.purse import Lease, LeasedPurse
from fairlead.ids import now_us
from fairlead.server import channel as say
from fairlead.server.channel import Channel
from fairlead.server.cors import Cors
from fairlead.server.data import DataListener
from fairlead.server.endpoints import ENDPOINTS
from fairlead.server.recording import Recorder
from fairlead.server.unserved import HINTS
from fairlead.store.recordings import CONTENT, Recordings
from fairlead.store.spool import Spool
from fairlead.wire.inbound import Bounds
from fairlead.wire.listener import Listener

log = logging.getLogger("fairlead.worker")
COUNT_EVERY_S = 1.0
OWN_FILES = 64  # open files of a process that are no caller's
FILES_ENOUGH = 65536
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


@dataclass
class _Prepared:
    settings: config.Config
    generation: Generation
    tls: ssl.SSLContext | None


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
        self._wire: Listener
        self._recorder: Recorder | None = None
        self._ready = asyncio.Event()
        self._renewed = time.monotonic()
        self._draining = asyncio.Event()

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
        await self._wire.open(self._listener)
        await self._draining.wait()
        assert self._app is not None
        await self._wire.close(self._drain_s)
        counting.cancel()
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
                news = self._purse.give_back(limit, window_us)
                if news is not None:
                    self._channel.tell(say.Told([news]))  # it counts also where nobody waits for the answer any more
                return say.GivenBack(0 if news is None else news.back)
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
            tls = app.certificate(settings)
        except FairleadError as error:
            return say.Failed(error.message, error.hint)
        self._prepared = _Prepared(settings, made, tls)
        return say.Done()

    def _commit(self) -> None:
        assert self._prepared is not None and self._app is not None
        settings = self._prepared.settings
        self._app.gateway.ledger.config = settings.hash
        self._app.gateway.take(self._prepared.generation)
        if not self._ready.is_set():
            self._open(settings)
        elif self._wire.tls is not None and self._prepared.tls is not None:
            self._wire.tls = self._prepared.tls  # from the next connection on
        self._wire.bounds = bounds_of(settings.server)
        self._data.max_body_bytes = int(settings.server.max_body_mb * 1_000_000)
        origins = settings.server.cors_origins
        self._data.cors = Cors(origins) if origins else None
        self._data.recorder = self._recorder_for(settings)
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
        assert self._prepared is not None
        self._wire = Listener(self._data, bounds_of(settings.server), self._prepared.tls)
        self._drain_s = settings.server.drain_s
        self._ready.set()

    def _recorder_for(self, settings: config.Config) -> Recorder | None:
        """One for the worker's life, made when a route first records."""
        if not any(route.record for route in settings.routes.values()):
            return None
        if self._recorder is None:
            folder = Path(self._begun.spools).with_name(CONTENT) / self._begun.name
            self._recorder = Recorder(Recordings(folder, round(settings.store.content_mb * 1_000_000)))
        return self._recorder

    def _drain(self) -> None:
        if self._ready.is_set():
            self._data.draining = True
            self._draining.set()

    async def _metrics(self) -> bytes:
        return (await self._channel.ask(say.MetricsAsked())).text

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            assert self._app is not None
            lost = self._recorder.lost if self._recorder is not None else 0
            self._channel.tell(say.Counts(self._app.gateway.ledger.open_calls, self._app.identities.refused, lost))
            self._tell_spent()

    def _tell_spent(self) -> None:
        """What became of what was leased; and nobody uses places that others may have by now."""
        news = self._purse.news(now_us())
        if self._begun.places_s and time.monotonic() - self._renewed > self._begun.places_s:
            news += self._purse.leave_places()
        if news:
            self._channel.tell(say.Told(news))


def bounds_of(server: config.Server) -> Bounds:
    """As the settings say, but for connections that the system would not let this process have: each may want a file
    for its caller and one for its target."""
    most = min(server.max_connections, (_files() - OWN_FILES) // 2)
    if most < server.max_connections:
        log.warning("at most %d connections: the system allows this process no more open files (ulimit -n)", most)
    return Bounds(
        head_s=server.head_s,
        body_s=server.body_s,
        idle_s=server.idle_s,
        write_s=server.write_s,
        max_connections=max(1, most),
    )


def _files() -> int:
    """How many files this process may have open; as many as it may ask for."""
    if sys.platform == "win32":
        return FILES_ENOUGH
    import resource  # here, because it is not everywhere

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_ENOUGH if hard == resource.RLIM_INFINITY else min(hard, FILES_ENOUGH)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft


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
