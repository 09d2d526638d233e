"""Replicas without processes: brokers and the purses of their workers, over one real store. Time passes when told to,
and a line carries what brokers have to ask without a thread in between. The books are written as shipping would."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from fairlead.errors import Unavailable
from fairlead.gateway.call import Limit
from fairlead.gateway.purse import Hold, Lease, LeasedPurse
from fairlead.ids import new_id
from fairlead.server.allotments import Clock
from fairlead.server.broker import LeaseBroker
from fairlead.store import budgets, leases
from fairlead.store.joining import Joiner
from fairlead.store.landing import land
from fairlead.store.opening import Store
from fairlead.store.reading import Position
from store.made import intent, outcome

T = TypeVar("T")
NOON_US = 1_767_614_400_000_000  # of 5 January 2026
MONEY = Limit("key:k1:nusd:day", "key one", "nusd", 1000, "day", over="key", owner="k1")
PLACES = Limit("key:k1:concurrent:total", "key one", "concurrent", 3, "total", over="key", owner="k1")


class Told(Clock):
    """A clock that stands still until somebody waits."""

    def __init__(self) -> None:
        self.us = NOON_US
        self.s = 0.0

    def at_us(self) -> int:
        return self.us

    def now_s(self) -> float:
        return self.s

    async def pause(self, seconds: float) -> None:
        self.pass_by(seconds)
        await asyncio.sleep(0)

    def pass_by(self, seconds: float) -> None:
        self.s += seconds
        self.us += round(seconds * 1e6)


class Line:
    """One replica's way to the store."""

    def __init__(self, town: "Town", holder: str) -> None:
        self.town = town
        self.holder = holder
        self.broker: LeaseBroker
        self.fails = False
        self.exchanges = 0

    @property
    def is_away(self) -> bool:
        return self.fails

    @property
    def is_alone(self) -> bool:
        return self.town.is_alone

    @property
    def living(self) -> int:
        return len(self.town.living())

    def has_places(self) -> bool:
        return not self.fails

    def hurry(self) -> None:
        asyncio.get_running_loop().call_soon(self.turn)

    def turn(self) -> None:
        asked = self.broker.asks()
        try:
            if self.fails:
                raise Unavailable("the store is away", code="store_unavailable")
            if asked:
                self.exchanges += 1
            with self.town.store.begin() as connection:
                asks = [one.ask for one in asked]
                at_us = self.town.clock.us
                found = leases.exchange(connection, self.holder, asks, living=self.town.living(), at_us=at_us)
                short = leases.wanted(connection, self.holder)
        except Unavailable as error:
            self.broker.failed(asked, error)
        else:
            self.broker.learned(asked, found)
            self.broker.give_back(short)


class Worker:
    def __init__(self, replica: "Replica", name: str) -> None:
        self.replica = replica
        self.name = name
        self.purse = LeasedPurse(self)
        self.held: dict[int, tuple[Hold, Limit, int, int]] = {}

    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        await asyncio.sleep(0)
        count = len(self.replica.workers)
        return await self.replica.broker.lease(self.name, limit, window_us, needed, spent, held, count)

    async def reserve(self, limit: Limit, amount: int) -> int:
        """The number of the hold."""
        at_us = self.replica.town.clock.us
        hold = await self.purse.reserve(((limit, amount),), at_us)
        number = self.replica.town.next_number()
        self.held[number] = (hold, limit, amount, at_us)
        return number

    def settle(self, number: int, truth: int) -> None:
        hold, limit, _, at_us = self.held.pop(number)
        self.purse.settle(hold, (truth,))
        self.replica.spool.append((self.name, limit, truth, at_us))

    def die(self) -> None:
        """By kill -9: what it holds is lost, at the price that was held."""
        self.replica.workers.pop(self.name)
        self.replica.spool += [(self.name, limit, amount, at_us) for _, limit, amount, at_us in self.held.values()]
        self.held.clear()


class Replica:
    def __init__(self, town: "Town", id: str, workers: int, epoch: int = 1, *, goes_on: bool = False) -> None:
        self.town = town
        self.id = id
        self.epoch = epoch
        self.line = Line(town, f"{id}.{epoch}")
        self.broker = LeaseBroker(self.line, self._spent, self._recall, goes_on=goes_on, clock=town.clock)
        self.broker.expect(town.limits)
        self.broker.enforce(town.limits)
        self.line.broker = self.broker
        self.workers: dict[str, Worker] = {}
        self.spool: list[tuple[str, Limit, int, int]] = []  # what its workers wrote, and the store does not have
        for _ in range(workers):
            self.hire()

    @property
    def holder(self) -> str:
        return self.line.holder

    def hire(self) -> Worker:
        worker = Worker(self, f"{self.id}-{self.epoch}-{self.town.next_number()}")
        self.workers[worker.name] = worker
        return worker

    def first(self) -> Worker:
        return next(iter(self.workers.values()))

    def ship(self) -> None:
        """Raises Unavailable."""
        if self.line.fails:
            raise Unavailable("the store is away", code="store_unavailable")
        self.town.book(self.spool)
        self.spool.clear()

    def tell(self) -> None:
        """As workers do once a second, and the room."""
        for worker in self.workers.values():
            self.broker.tell(worker.name, worker.purse.news(self.town.clock.us))
        self.broker.look_around()
        self.line.turn()

    def kill(self) -> list[tuple[str, Limit, int, int]]:
        """kill -9 of all of it. Gives what lies in its spools."""
        for worker in list(self.workers.values()):
            worker.die()
        self.town.replicas.pop(self.id)
        return self.spool

    async def bury(self, worker: Worker) -> None:
        worker.die()
        self.broker.release(worker.name)
        await self.broker.reckon(worker.name)

    async def _spent(self, limit: Limit, since_us: int, until_us: int, writer: str) -> int:
        self.ship()
        with self.town.store.read() as connection:
            of = (limit.unit, limit.over, limit.owner, since_us)
            return budgets.spent(connection, *of, until_us=until_us, writers=writer)

    async def _recall(self, name: str, limit: Limit, window_us: int) -> int:
        await asyncio.sleep(0)
        worker = self.workers.get(name)
        news = worker.purse.give_back(limit.id, window_us) if worker else None
        if news is None:
            return 0
        self.broker.tell(name, [news])
        return news.back


class Town:
    """Replicas on one store."""

    def __init__(self, store: Store, *limits: Limit, is_alone: bool = False) -> None:
        self.store = store
        self.limits = limits
        self.is_alone = is_alone
        self.clock = Told()
        self.replicas: dict[str, Replica] = {}
        self._number = 0

    def open(self, id: str, workers: int = 1, epoch: int = 1, *, goes_on: bool = False) -> Replica:
        replica = self.replicas[id] = Replica(self, id, workers, epoch, goes_on=goes_on)
        return replica

    def living(self) -> frozenset[str]:
        return frozenset(replica.holder for replica in self.replicas.values())

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def change(self, *limits: Limit) -> None:
        """A reload, everywhere."""
        self.limits = limits
        for replica in self.replicas.values():
            replica.broker.expect(limits)
            replica.broker.enforce(limits)

    def book(self, spent: list[tuple[str, Limit, int, int]]) -> None:
        with self.store.begin() as connection:
            for writer, limit, amount, at_us in spent:
                begun = intent(new_id(at_us), at_us=at_us, key=limit.owner)
                land(connection, Joiner(writer).join((begun, outcome(begun, cost_nusd=amount)), Position()), writer)

    def replay(self, id: str, epoch: int, spool: list[tuple[str, Limit, int, int]]) -> None:
        """A dead life's records are shipped, and its leases end."""
        self.book(spool)
        with self.store.begin() as connection:
            while known := leases.reckon(connection, f"{id}.{epoch}", f"{id}-{epoch}-", self.clock.us):
                leases.end(connection, f"{id}.{epoch}", known, self.clock.us)
        for replica in self.replicas.values():
            replica.broker.refresh()

    async def play(self, work: Awaitable[T]) -> T:
        """Until it is done, everybody has their turns."""
        task = asyncio.ensure_future(work)
        while not task.done():
            for replica in list(self.replicas.values()):
                replica.line.turn()
            for _ in range(5):
                await asyncio.sleep(0)
        return task.result()

    async def settle_down(self) -> None:
        """A few seconds in which nobody asks for anything."""
        for _ in range(8):
            self.clock.pass_by(1.0)
            for replica in list(self.replicas.values()):
                replica.tell()
            for _ in range(20):
                await asyncio.sleep(0)

    def account(self, limit: Limit) -> leases.AccountRow:
        with self.store.read() as connection:
            found = leases.list_accounts(connection, self.clock.us)
        return next(account for account in found if account.limit == limit.id)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
