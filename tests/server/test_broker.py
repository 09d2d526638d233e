"""Leases over several workers: their sum never exceeds a limit, and what a dead one had comes back when it is known."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BudgetExceeded
from fairlead.gateway.call import Limit
from fairlead.gateway.purse import Lease, LeasedPurse
from fairlead.ids import now_us
from fairlead.server.broker import LeaseBroker

MONEY = Limit("key:k:nusd:day", "key k", "nusd", 1000, "day", over="key", owner="k")


class House:
    """A broker and the purses of some workers, joined without processes. `books` is what the store says."""

    def __init__(self, workers: int, spent_before: int = 0) -> None:
        self.spent_before = spent_before
        self.by_writer: dict[str, int] = {}
        self.asked_together: asyncio.Barrier | None = None  # of single writers: so many are asked about at once
        self.broker = LeaseBroker(self._spent, self._recall)
        self.purses = {f"w{number}": LeasedPurse(_Line(self, f"w{number}")) for number in range(workers)}

    async def _spent(self, limit: Limit, window_us: int, writer: str | None) -> int:
        if writer is None:
            return self.spent_before
        if self.asked_together is not None:
            await self.asked_together.wait()
        return self.by_writer.get(writer, 0)

    async def _recall(self, worker: str, limit: Limit, window_us: int) -> tuple[int, int, int]:
        await asyncio.sleep(0)
        purse = self.purses.get(worker)
        return purse.give_back(limit.id, window_us) if purse else (0, 0, 0)

    def total(self) -> int:
        accounts = [account for purse in self.purses.values() for account in purse.accounts()]
        return sum(account.spent + account.held for account in accounts)


class _Line:
    def __init__(self, house: House, worker: str) -> None:
        self.house, self.worker = house, worker

    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        await asyncio.sleep(0)
        count = len(self.house.purses)
        return await self.house.broker.lease(self.worker, limit, window_us, needed, spent, held, count)


def test_workers_together_never_exceed_a_limit_and_may_use_all_of_it() -> None:
    async def play() -> None:
        house = House(4, spent_before=200)

        async def one(worker: str) -> int:
            purse, taken = house.purses[worker], 0
            for _ in range(40):
                try:
                    hold = await purse.reserve(((MONEY, 10),), now_us())
                except BudgetExceeded:
                    continue
                assert house.total() + 200 <= 1000
                await asyncio.sleep(0)
                purse.settle(hold, (10,))
                taken += 10
            return taken

        assert sum(await asyncio.gather(*(one(worker) for worker in house.purses))) == 800

    asyncio.run(play())


def test_what_lies_idle_with_one_worker_is_called_in_before_another_is_denied() -> None:
    async def play() -> None:
        house = House(2)
        first, second = house.purses.values()
        first.settle(await first.reserve(((MONEY, 10),), now_us()), (10,))
        [account] = first.accounts()
        assert account.leased > 10  # more than it needed, so that it need not ask each time
        hold = await second.reserve(((MONEY, 990),), now_us())
        second.settle(hold, (990,))

    asyncio.run(play())


def test_a_dead_workers_lease_comes_back_only_when_its_spool_was_read() -> None:
    async def play() -> None:
        house = House(2)
        first, second = house.purses.values()
        await first.reserve(((MONEY, 900),), now_us())
        del house.purses["w0"]
        house.broker.release("w0")
        try:
            await second.reserve(((MONEY, 500),), now_us())
        except BudgetExceeded:
            pass
        else:
            raise AssertionError("what a dead worker had leased was given to another before it was known")
        house.by_writer["w0"] = 300
        await house.broker.reckon("w0")
        await second.reserve(((MONEY, 500),), now_us())

    asyncio.run(play())


def test_two_workers_that_die_at_once_are_both_reckoned() -> None:
    async def play() -> None:
        house = House(3)
        for worker, purse in list(house.purses.items())[:2]:
            await purse.reserve(((MONEY, 300),), now_us())
            house.by_writer[worker] = 300
        house.asked_together = asyncio.Barrier(2)
        await asyncio.gather(house.broker.reckon("w0"), house.broker.reckon("w1"))
        await house.purses["w2"].reserve(((MONEY, 400),), now_us())
        with pytest.raises(BudgetExceeded):
            await house.purses["w2"].reserve(((MONEY, 1),), now_us())

    asyncio.run(play())


def test_a_place_in_flight_comes_back_at_once() -> None:
    places = Limit("key:k:concurrent", "key k", "concurrent", 1, "total", over="key", owner="k")

    async def play() -> None:
        house = House(2)
        first, second = house.purses.values()
        await first.reserve(((places, 1),), now_us())
        del house.purses["w0"]
        house.broker.release("w0")
        await second.reserve(((places, 1),), now_us())

    asyncio.run(play())


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 400), st.integers(0, 400)), max_size=25))
def test_whatever_the_order_no_limit_is_exceeded(steps: list[tuple[int, int, int]]) -> None:
    async def play() -> None:
        house = House(3)
        for worker, amount, truth in steps:
            purse = house.purses[f"w{worker}"]
            try:
                hold = await purse.reserve(((MONEY, amount),), now_us())
            except BudgetExceeded:
                assert house.total() + amount > 1000
                continue
            assert house.total() <= 1000
            purse.settle(hold, (min(truth, amount),))

    asyncio.run(play())
