"""A road in this process, for one caller and for as long as it asks: where no server runs on the data directory.

It is the road of a worker and what a steward has behind it, in one process: the spool is a writer's of its own and is
shipped, limits are leased, engines are started and stopped; only those that the asked routes need. Nothing listens.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

from msgspec.structs import replace

from fairlead import app
from fairlead.config import Config
from fairlead.errors import InUse, Unavailable
from fairlead.gateway.call import Caller, Limit
from fairlead.gateway.flow import Gateway
from fairlead.gateway.identity import digest
from fairlead.gateway.purse import Lease, LeasedPurse
from fairlead.gateway.routes import OF_TARGET
from fairlead.ids import new_id, now_us
from fairlead.server.engine_room import EngineRoom, addresses
from fairlead.server.keyring import callers
from fairlead.server.office import Office
from fairlead.server.premises import Premises
from fairlead.server.treasury import Treasury, limits_in_force
from fairlead.store.spool import Spool

log = logging.getLogger("fairlead.own_road")
TELL_EVERY_S = 1.0
SHIP_EVERY_S = 5.0  # at least: nobody else reads these books meanwhile, and few rows cost what many do


class _Broker:
    """The broker, who is in the same process."""

    def __init__(self, treasury: Treasury, name: str) -> None:
        self._broker = treasury.broker
        self._name = name

    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        return await self._broker.lease(self._name, limit, window_us, needed, spent, held)


class OwnRoad:
    """`open`, then `admit` whoever asks. Closed by the house that it was opened in: by then nobody may be asking.
    What routes record of what is said is not recorded here: that is for what applications say."""

    gateway: Gateway
    office: Office

    def __init__(self, premises: Premises, settings: Config) -> None:
        self._premises = premises
        self._settings = settings
        self._treasury: Treasury
        self._purse: LeasedPurse
        self._name = ""

    async def open(self, house: AsyncExitStack, routes: Sequence[str]) -> None:
        """The engines of these routes are ready then. Raises ConfigInvalid, EngineBroken, ExtraMissing, StoreMismatch,
        OperatorError."""
        settings = self._settings = needed(self._settings, routes)
        treasury = self._treasury = await Treasury.open(house, self._premises, settings, None, lost=_say, patient=False)
        self.office = treasury.office
        engines = EngineRoom(self._premises.path)
        house.push_async_callback(engines.stop)
        running = await engines.prepare(settings)
        engines.commit(running, 0)
        treasury.shipping.start(max(settings.store.ship_every_s, SHIP_EVERY_S))
        house.push_async_callback(treasury.shipping.stop)
        treasury.leasing.start()
        self._name = treasury.leasing.replica.writers + new_id()
        spool = Spool(self._premises.path / "spool" / self._name, sync=settings.store.sync)
        self._purse = LeasedPurse(_Broker(treasury, self._name))
        made = app.build(settings, spool=spool, purse=self._purse, engines=addresses(running))
        self.gateway = made.gateway
        house.push_async_callback(self._close, spool)
        house.push_async_callback(made.pool.close)
        telling = asyncio.create_task(self._tell())
        house.callback(telling.cancel)

    async def admit(self, secret: str) -> Caller:
        """Whose key that is; its limits count from now on."""
        _, keys = await self.office.known_keys()
        caller = callers(keys)[digest(secret)]
        limits = limits_in_force(self._settings, [caller])
        self._treasury.broker.expect(limits)
        self._treasury.broker.enforce(limits)
        return caller

    async def _close(self, spool: Spool) -> None:
        """What was asked is in the books then, and what was leased is given back."""
        spool.close()
        broker = self._treasury.broker
        broker.tell(self._name, self._purse.news(now_us()))
        broker.release(self._name)
        with suppress(Unavailable):  # the next start reckons
            await broker.reckon(self._name)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            news = self._purse.news(now_us())
            if not self._treasury.leasing.has_places():
                news += self._purse.leave_places()
            if news:
                self._treasury.broker.tell(self._name, news)


def _say(lost: InUse) -> None:
    """Another process has the name of this data directory: from here on nothing more is leased."""
    log.error("%s (%s)", lost.message, lost.hint)


def needed(settings: Config, routes: Sequence[str]) -> Config:
    """Of a configuration what these routes need, under the same hash."""
    kept = {route: settings.routes[route] for route in routes if route in settings.routes}
    names = {target for one in kept.values() for target in one.targets}
    names |= {route.removeprefix(OF_TARGET) for route in routes if route not in kept}
    targets = {name: one for name, one in settings.targets.items() if name in names}
    engines = {one.engine for one in targets.values()}
    homes = {home for one in targets.values() for home in (one.backend, *one.backends)}
    return replace(
        settings,
        routes=kept,
        targets=targets,
        engines={name: one for name, one in settings.engines.items() if name in engines},
        backends={name: one for name, one in settings.backends.items() if name in homes},
    )
