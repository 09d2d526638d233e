"""The leasing room: who a replica is in its store, what its dead lives had, and how long it waits for a store."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fairlead.errors import InUse, NotFound, Unavailable
from fairlead.gateway.purse import News
from fairlead.ids import now_us
from fairlead.server import leasing
from fairlead.server.broker import LeaseBroker
from fairlead.server.leasing import LeasingRoom, Neighbours
from fairlead.server.office import Office
from fairlead.server.premises import Replica
from fairlead.store import schema
from fairlead.store.audit import list_audit
from fairlead.store.leases import list_accounts
from fairlead.store.opening import Store, open_store
from fairlead.store.replicas import ReplicaRow, find_replica, shut_out
from fairlead.store.spool import Spool
from server.replicas import MONEY, PLACES
from store.made import intent

WINDOW_US = now_us() // 86_400_000_000 * 86_400_000_000


class House:
    """A room and its broker, and what befell them."""

    def __init__(self, store: Store, folder: Path, replica: Replica, *, is_shared: bool) -> None:
        self.lost: list[InUse] = []
        self.renewed = 0
        self.room = LeasingRoom(store, replica, folder / "spool", is_shared=is_shared, ship=self._ship)
        self.broker = LeaseBroker(self.room, self._spent)
        self.broker.expect([MONEY, PLACES])
        self.broker.enforce([MONEY, PLACES])
        self.room.serve(self.broker, renewed=self._renew, lost=self.lost.append)

    async def _ship(self) -> bool:
        return True

    async def _spent(self, *_: object) -> int:
        return 0

    def _renew(self) -> None:
        self.renewed += 1


@asynccontextmanager
async def living(
    store: Store, folder: Path, *, id: str = "r", epoch: int = 1, shared: bool = True
) -> AsyncIterator[House]:
    house = House(store, folder, Replica(id, epoch), is_shared=shared)
    (folder / "spool").mkdir(parents=True, exist_ok=True)
    await house.room.enter(lambda after: Replica(id, after + 1))
    house.room.start()
    try:
        yield house
    finally:
        await house.room.close()


async def until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < ends, "it never came to pass"
        await asyncio.sleep(0.02)


def granted(store: Store) -> dict[str, int]:
    with store.read() as connection:
        accounts = list_accounts(connection, now_us())
    return {lease.holder: lease.granted for account in accounts for lease in account.leases}


def test_what_is_asked_is_granted_and_what_is_left_at_the_end_is_free(tmp_path: Path, place: Path | str) -> None:
    async def play() -> None:
        with open_store(place) as store:
            async with living(store, tmp_path) as house:
                lease = await house.broker.lease("r-1-w", MONEY, WINDOW_US, 100, 0, 0)
                assert lease.granted >= 100 and granted(store)["r.1"] >= 100
            assert granted(store) == {}
            with store.read() as connection:
                row = find_replica(connection, "r")
            assert row is not None and row.has_left

    asyncio.run(play())


def test_the_lease_of_a_dead_life_stands_until_its_spool_is_gone(tmp_path: Path) -> None:
    async def play() -> None:
        with open_store(tmp_path / "data") as store:
            first = House(store, tmp_path, Replica("r", 1), is_shared=False)
            await first.room.enter(lambda after: Replica("r", after + 1))
            first.room.start()
            await first.broker.lease("r-1-w", MONEY, WINDOW_US, 100, 0, 0)
            spool = tmp_path / "spool" / "r-1-w"
            with Spool(spool) as writer:
                writer.append(intent("c"))
            assert first.room._running is not None
            first.room._running.cancel()  # as by kill -9
            async with living(store, tmp_path, epoch=2, shared=False) as second:
                await second.broker.lease("r-2-w", MONEY, WINDOW_US, 100, 0, 0)
                assert set(granted(store)) == {"r.1", "r.2"}
                spool.rename(tmp_path / "spool" / "r-1-w.gone")  # as shipping does when all is in the store
                await until(lambda: set(granted(store)) == {"r.2"})
            await first.room.close()

    asyncio.run(play())


def test_a_name_that_is_in_use_elsewhere_is_refused(tmp_path: Path) -> None:
    async def play() -> None:
        with open_store(tmp_path / "data") as store:
            async with living(store, tmp_path / "one"):
                with pytest.raises(InUse, match="a second steward on one store"):
                    async with living(store, tmp_path / "two", epoch=2):
                        pass

    asyncio.run(play())


def test_a_moved_directory_whose_last_life_was_killed_is_taken_up(tmp_path: Path) -> None:
    async def play() -> None:
        with open_store(tmp_path / "data") as store:
            killed = House(store, tmp_path / "one", Replica("r", 7), is_shared=True)
            await killed.room.enter(lambda after: Replica("r", after + 1))
            async with living(store, tmp_path / "two", epoch=3) as house:  # restored from an old copy
                assert house.room.replica == Replica("r", 8)
            await killed.room.broker.close()

    asyncio.run(play())


def test_who_finds_his_name_taken_stops(tmp_path: Path) -> None:
    async def play() -> None:
        with open_store(tmp_path / "data") as store:
            async with living(store, tmp_path) as house:
                thief = House(store, tmp_path, Replica("r", 2), is_shared=True)  # in the same place: nothing to see
                await thief.room.enter(lambda after: Replica("r", after + 1))
                await until(lambda: house.lost)
                with pytest.raises(Unavailable):
                    await house.broker.lease("r-1-w", MONEY, WINDOW_US, 100, 0, 0)

    asyncio.run(play())


def test_nobody_waits_long_for_a_store_that_hangs(tmp_path: Path, postgres_url: str) -> None:
    async def play() -> None:
        with open_store(postgres_url) as store:
            async with living(store, tmp_path) as house:
                await house.broker.lease("w", MONEY, WINDOW_US, 1, 0, 0)
                with store.begin() as somebody:
                    somebody.execute(schema.lease_account.select().with_for_update()).all()
                    began = time.monotonic()
                    with pytest.raises(Unavailable) as caught:
                        await house.broker.lease("w", MONEY, WINDOW_US, 900, 0, 0)
                    assert caught.value.code == "store_unavailable" and time.monotonic() - began < 20
                    with pytest.raises(Unavailable):  # it is known to be away: the broker need not try
                        await house.broker.lease("w", MONEY, WINDOW_US, 900, 0, 0)
                await until(lambda: not house.room.is_away)
                assert (await house.broker.lease("w", MONEY, WINDOW_US, 900, 0, 0)).granted >= 900

    asyncio.run(play())


def row(id: str, beat: int) -> ReplicaRow:
    return ReplicaRow(id, 1, "life", beat, "", 0, False)


def test_a_replica_is_silent_by_the_clock_of_who_listens() -> None:
    heard = Neighbours()
    heard.hear([row("a", 1), row("b", 1)], 0)
    for second in range(1, 21):
        heard.hear([row("a", 1), row("b", second)], second)
    assert heard.silent_s("a") == 20 and heard.silent_s("b") == 0


def test_who_did_not_listen_can_not_say_that_somebody_was_silent() -> None:
    heard = Neighbours()
    heard.hear([row("a", 1)], 0)
    heard.hear([row("a", 1)], 3600)
    assert heard.silent_s("a") == 0


def test_places_of_a_replica_that_nobody_hears_of_are_free(tmp_path: Path) -> None:
    async def play() -> None:
        with open_store(tmp_path / "data") as store:
            async with living(store, tmp_path / "one", id="a") as house:
                lost = House(store, tmp_path / "two", Replica("b", 1), is_shared=True)
                await lost.room.enter(lambda after: Replica("b", after + 1))
                lost.room.start()
                await lost.broker.lease("w", PLACES, 0, 3, 0, 3)
                await until(lambda: lost.room._living == {"a.1", "b.1"})
                assert lost.room._running is not None
                lost.room._running.cancel()
                assert (await house.broker.lease("w", PLACES, 0, 1, 0, 0)).granted == 0
                house.room._neighbours._heard["b"] = (*house.room._neighbours._heard["b"][:2], -leasing.PLACES_S)
                await until(lambda: "b.1" not in granted(store))
                ends = time.monotonic() + 30  # for a moment nobody asks again for what was just not to be had
                while not (await house.broker.lease("w", PLACES, 0, 1, 0, 0)).granted:
                    assert time.monotonic() < ends
                await lost.room.close()

    asyncio.run(play())


def test_a_lost_replica_is_written_off_at_what_it_said_last(tmp_path: Path, place: Path | str) -> None:
    async def play() -> None:
        with open_store(place) as store:
            lost = House(store, tmp_path, Replica("lost", 1), is_shared=True)
            await lost.room.enter(lambda after: Replica("lost", after + 1))
            lost.room.start()
            await lost.broker.lease("lost-1-w", MONEY, WINDOW_US, 300, 0, 0)
            lost.broker.tell("lost-1-w", [News(MONEY.id, WINDOW_US, 100, 50)])
            await until(lambda: told(store).get("lost.1") == (100, 50))
            await die(lost)
            assert granted(store)["lost.1"] >= 300
            office = Office(store)
            gone = await office.release_replica("lost", by="cli")
            assert (gone.lives, gone.leases) == (1, 1)
            with store.read() as connection:
                (account,) = list_accounts(connection, now_us())
                assert (account.base, account.leases) == (150, ())
                assert [row.action for row in list_audit(connection)] == ["budget.release"]
            assert (await office.release_replica("lost", by="cli")).leases == 0

    asyncio.run(play())


def test_a_replica_that_lives_is_not_written_off_and_one_that_was_written_off_stops(tmp_path: Path) -> None:
    async def play() -> None:
        with open_store(tmp_path) as store:
            office = Office(store)
            with pytest.raises(NotFound):
                await office.release_replica("r", by="cli")
            async with living(store, tmp_path) as house:
                lease = await house.broker.lease("r-1-w", MONEY, WINDOW_US, 100, 0, 0)
                with pytest.raises(InUse):
                    await office.release_replica("r", by="cli")
                assert granted(store)["r.1"] >= lease.granted
                with store.begin() as connection:
                    found = find_replica(connection, "r")
                    assert found is not None and shut_out(connection, found)
                await until(lambda: house.lost)

    asyncio.run(play())


def told(store: Store) -> dict[str, tuple[int, int]]:
    with store.read() as connection:
        accounts = list_accounts(connection, now_us())
    return {lease.holder: (lease.spent, lease.held) for account in accounts for lease in account.leases}


async def die(house: House) -> None:
    """As by kill -9: nothing is given back, nothing is told."""
    assert house.room._running is not None
    house.room._running.cancel()
    await asyncio.gather(house.room._running, return_exceptions=True)
    await house.broker.close()
