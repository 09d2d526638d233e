"""The steward: owns engines, workers, the store, leases, the configuration and the admin listener.

`run` is the story of one `fairlead serve`, from the lock on the data directory to the last row shipped. It never
touches a request: workers do the road, and the steward may be busy without a caller noticing.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict

from fairlead import config
from fairlead.config import Config
from fairlead.errors import ConfigInvalid, FairleadError, InUse, Unavailable
from fairlead.gateway.call import Caller, Limit
from fairlead.server import channel as say
from fairlead.server.crew import Crew, Hand, Orders
from fairlead.server.engine_room import EngineRoom, addresses
from fairlead.server.premises import Premises, Tenant, address_of, bind, is_loopback
from fairlead.spans import seconds_of
from fairlead.store.recordings import CONTENT
from fairlead.telemetry import Metrics

if TYPE_CHECKING:
    from fairlead.server.archiving import ArchiveRoom
    from fairlead.server.broker import LeaseBroker
    from fairlead.server.keyring import Keyring
    from fairlead.server.leasing import LeasingRoom
    from fairlead.server.office import Office, Released
    from fairlead.server.shipping import ShippingRoom

log = logging.getLogger("fairlead.steward")
RECKON_AGAIN_S = 1.0
FORGET_EVERY_S = 60.0
CARRY_EVERY_S = 1.0
PRUNE_EVERY_S = 3600.0
RESTART_ONLY = ("listen", "admin", "workers", "drain_s")


class Serving(Struct, frozen=True):
    """What is told when calls are taken: the addresses, and a fresh key where there was no configuration file."""

    listen: str
    admin: str
    data_dir: str
    routes: tuple[str, ...]
    source: str
    key: str = ""


class Reloaded(Struct, frozen=True):
    hash: str
    changed: bool
    needs_restart: tuple[str, ...] = ()  # settings that differ and are only read at start


class Steward:
    """One run. `path` is the configuration file that a reload reads again (None: the built-in one)."""

    def __init__(self, settings: Config, path: Path | None) -> None:
        self.settings = settings
        self._path = path
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._lost: InUse | None = None  # our name, to another process
        self._tasks: set[asyncio.Task[None]] = set()
        self.metrics = Metrics()
        self.premises: Premises
        self.office: Office
        self.keyring: Keyring
        self.archive: ArchiveRoom
        self.engines: EngineRoom
        self.crew: Crew
        self._shipping: ShippingRoom
        self._leasing: LeasingRoom
        self.broker: LeaseBroker
        self.listen = ""
        self.tls = bool(settings.server.tls_cert)

    async def run(self, announce: Callable[[Serving], None]) -> None:
        """Serve until told to stop. Raises OperatorError where it can't begin."""
        os.umask(0o077)  # what is made from here on, also by workers and engines, is for its owner alone
        self._listen_to_signals()
        async with AsyncExitStack() as house:
            if not await self._done_before_stop(self._open(house)):
                return
            announce(self._serving())
            await self._stopping.wait()
            log.info("draining: calls in flight get %g s", self.settings.server.drain_s)
        if self._lost is not None:
            raise self._lost

    def stop(self) -> None:
        """Once: drain. A second time: leave at once (the workers are gone with us, their spools stay)."""
        if self._stopping.is_set():
            raise SystemExit(1)
        self._stopping.set()

    async def reload(self) -> Reloaded:
        """Read the configuration again: all workers take it, or the old one stands. Raises ConfigInvalid, …"""
        async with self._reloading:
            fresh = await asyncio.to_thread(config.load, self._path, self.settings.overrides)
            if fresh.data_dir != self.settings.data_dir:
                raise ConfigInvalid("data_dir can't change while it serves", hint="restart")
            engines = await self.engines.prepare(fresh)
            self.broker.expect(self._limits(fresh))
            try:
                await self.crew.change(fresh, addresses(engines))
            except FairleadError:
                self.broker.enforce(self._limits(self.settings))
                await self.engines.abandon(engines)
                raise
            self.engines.commit(engines, grace_s=fresh.server.drain_s)
            before, self.settings = self.settings, fresh
            self.broker.enforce(self._limits(fresh))
            await self._note_configuration()
            differs = tuple(
                f"server.{name}" for name in RESTART_ONLY if getattr(fresh.server, name) != getattr(before.server, name)
            )
            differs += ("server.tls_cert",) if bool(fresh.server.tls_cert) != self.tls else ()
            differs += ("store",) if fresh.store != before.store else ()
            log.info("configuration %s is in force", fresh.hash)
            return Reloaded(fresh.hash, fresh.hash != before.hash, differs)

    async def exposition(self) -> bytes:
        """The metrics of all processes, for Prometheus."""
        await self._shipping.ship()
        return self.metrics.exposition(
            open_calls=self.crew.open_calls(),
            refused=self.crew.refused(),
            engines={status.name: (status.state == "ready", status.restarts) for status in self.engines.status()},
            lag_s=self._shipping.lag_s(),
            keys_age_s=self.keyring.age_s(),
            limits=self.broker.shown(),
            leases_beyond=self.broker.beyond,
            leases_away=self._leasing.is_away,
            unrecorded=self.crew.unrecorded(),
            circuits=[(one.target, one.backend, one.state) for one in self.crew.circuits()],
        )

    async def ship(self) -> None:
        """What has ended until now stands in the store when this returns, if the store is there."""
        await self._shipping.ship()

    async def release(self, replica: str) -> "Released":
        """A lost replica's leases end. Raises NotFound; InUse where it lives."""
        if replica == self._leasing.replica.id:
            from fairlead.server.office import alive

            raise alive(replica)  # on a store of its own it does not beat
        return await self.office.release_replica(replica, by="admin")

    # --- beginning ---------------------------------------------------------------------------------------------------

    async def _open(self, house: AsyncExitStack) -> None:
        async with self._reloading:  # whoever wants a reload meanwhile waits until there is something to reload
            await self._move_in(house)
            await self._begin(house)

    async def _done_before_stop(self, work: Coroutine[Any, Any, None]) -> bool:
        """An engine may load for minutes: who tells us to stop meanwhile need not wait for that."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.wait({working})
        if working.cancelled():
            return False
        working.result()
        return True

    async def _move_in(self, house: AsyncExitStack) -> None:
        """The data directory, the addresses, the store: what only one steward can have."""
        server = self.settings.server
        self.premises = Premises(self.settings.data_dir, Tenant(os.getpid(), server.listen, server.admin))
        house.callback(self.premises.close)
        self._listener = bind(server.listen, "listen")
        house.callback(self._listener.close)
        self.listen = address_of(self._listener)
        self.crew = Crew(self._listener, self._serve_worker, self._worker_died)
        house.push_async_callback(self._drain)  # of recruits, where the start fails before they have their orders
        await self.crew.recruit(server.workers)
        # Loaded here, while the workers load theirs: SQL is half of what a start takes.
        from fairlead.server.archiving import ArchiveRoom
        from fairlead.server.keyring import Keyring
        from fairlead.server.treasury import Treasury

        treasury = await Treasury.open(
            house,
            self.premises,
            self.settings,
            self.metrics,
            recall=self._recall,
            renewed=lambda: self.crew.tell(say.Renewed()),
            lost=self._lose,
            patient=True,
        )
        self.office, self.broker = treasury.office, treasury.broker
        self._shipping, self._leasing = treasury.shipping, treasury.leasing
        self.crew.names = self._leasing.replica.writers
        self.keyring = Keyring(self.office, self.premises.path, self._tell_keys)
        await self.keyring.open(seconds_of(self.settings.store.keys_good_for) or 0)
        self.archive = ArchiveRoom(self.office, self.premises.path / CONTENT, self.crew.hands.keys)
        house.push_async_callback(self.archive.stop)

    async def _begin(self, house: AsyncExitStack) -> None:
        """Engines, workers, the admin listener."""
        self.engines = EngineRoom(self.premises.path)
        house.push_async_callback(self.engines.stop)
        self._shipping.start(self.settings.store.ship_every_s)
        house.push_async_callback(self._shipping.stop)
        running = await self.engines.prepare(self.settings)
        self.engines.commit(running, 0)
        self._key = await self._quick_start_key()
        self._leasing.start()
        house.push_async_callback(self._drain)  # before the engines stop and the store closes
        self.broker.expect(self._limits(self.settings))
        await self.crew.muster(
            Orders(
                say.Begin(
                    spools=str(self.premises.path / "spool"),
                    sync=self.settings.store.sync,
                    hash_key=self.premises.secret("hash.key"),
                    metrics=is_loopback(self.listen),
                    places_s=self._leasing.places_s,
                ),
                say.Prepare(config.encode(self.settings), addresses(running)),
                self.keyring.callers(),
            ),
        )
        self.broker.enforce(self._limits(self.settings))

        self.archive.start(CARRY_EVERY_S)
        self.keyring.start()
        house.push_async_callback(self.keyring.stop)
        await self._note_configuration()
        forgetting = asyncio.create_task(self._forget_expired())
        house.callback(forgetting.cancel)
        pruning = asyncio.create_task(self._prune())
        house.callback(pruning.cancel)
        from fairlead.server.admin import AdminListener  # not before: the workers take calls by now

        self.admin = AdminListener(self)
        await self.admin.start()
        house.push_async_callback(self.admin.stop)

    async def _quick_start_key(self) -> str:
        """Where there is no configuration file, there is nobody's key either."""
        if self.settings.source:
            return ""
        secret = await self.office.quick_start_key()
        await self.keyring.open(0)
        return secret

    async def _forget_expired(self) -> None:
        """What was kept of responses goes when its time has come; while the store is away, none is given out."""
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            with contextlib.suppress(Unavailable):
                await self.office.forget_expired()

    async def _prune(self) -> None:
        """What is older than the books, and runs of evaluations, are to be kept goes; sums of long ago are put
        together."""
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            with contextlib.suppress(Unavailable):
                await self.office.prune(self.settings.store.keep)
                where = Path(self.settings.data_dir), self.settings.store.url.value
                await self.office.forget_runs(self.settings.store.keep_runs, *where)

    async def _note_configuration(self) -> None:
        """It is in force, whether that can be written down or not."""
        try:
            await self.office.took(self.settings)
        except Unavailable as error:
            log.warning("configuration %s is not in the store's list: %s", self.settings.hash, error.message)

    def _serving(self) -> Serving:
        return Serving(
            listen=self.listen,
            admin=self.admin.address,
            data_dir=self.settings.data_dir,
            routes=tuple(self.settings.routes),
            source=self.settings.source,
            key=self._key,
        )

    def _lose(self, error: InUse) -> None:
        log.error("%s (%s)", error.message, error.hint)
        if self._lost is None:
            self._lost = error
            self._stopping.set()

    async def _drain(self) -> None:
        self._listener.close()  # when the workers have closed theirs, nobody waits for an answer that never comes
        await self.crew.drain(self.settings.server.drain_s)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._keep(asyncio.create_task(self._reload_on_signal())))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload_on_signal(self) -> None:
        try:
            await self.reload()
        except FairleadError as error:
            log.error("the old configuration stands: %s (%s)", error.message, error.hint)

    # --- what workers ask --------------------------------------------------------------------------------------------

    async def _serve_worker(self, hand: Hand, message: object) -> say.Message | None:
        match message:
            case say.LeaseAsked(limit, window_us, needed, spent, held):
                if hand.name not in self.crew.hands:
                    return None  # it died before this was read, and its parts are being reckoned
                count = max(1, len(self.crew.hands))
                return say.Leased(await self.broker.lease(hand.name, limit, window_us, needed, spent, held, count))
            case say.Told(news):
                self.broker.tell(hand.name, news)
            case say.Counts():
                hand.counts = message
            case say.CircuitChanged():
                self.crew.tell_circuit(message, by=hand)
            case say.MetricsAsked():
                return say.Text(await self.exposition())
            case say.Keep():
                await self.office.keep_response(**asdict(message))
                return say.Done()
            case say.Find(response, owner):
                found = await self.office.find_response(response, owner)
                return say.Found(None) if found is None else say.Found(*found)
            case say.Forget(response, owner):
                return say.Found(b"" if await self.office.forget_response(response, owner) else None)
        return None

    def _worker_died(self, hand: Hand) -> None:
        """Its places in flight come back at once, its money when its spool was read."""
        self.broker.release(hand.name)
        self._keep(asyncio.create_task(self._reckon(hand.name)))

    async def _reckon(self, worker: str) -> None:
        while True:
            try:
                return await self.broker.reckon(worker)
            except Unavailable:  # nobody knows what it spent before its records are in the store
                await asyncio.sleep(RECKON_AGAIN_S)

    async def _tell_keys(self, callers: dict[str, Caller]) -> None:
        self.broker.expect([limit for caller in callers.values() for limit in caller.limits])
        await self.crew.tell_keys(callers)
        self.broker.enforce(self._limits(self.settings))

    def _limits(self, settings: Config) -> list[Limit]:
        from fairlead.server.treasury import limits_in_force

        return limits_in_force(settings, self.keyring.callers().values())

    async def _recall(self, worker: str, limit: Limit, window_us: int) -> int:
        return await self.crew.recall(worker, limit.id, window_us)
