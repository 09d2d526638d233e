"""Leases over workers and replicas: their sum never exceeds a limit, all of it can be used, and what the dead had comes
back when it is known."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from fairlead.errors import BudgetExceeded, BudgetHeld, LimitExceeded, Unavailable
from fairlead.store.opening import Store, open_store
from server.replicas import MONEY, NOON_US, PLACES, Replica, Town, Worker, run

DAY_US = 86_400_000_000


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as opened:
        yield opened


async def spend(worker: Worker, amount: int) -> None:
    worker.settle(await worker.replica.town.play(worker.reserve(MONEY, amount)), amount)


def test_replicas_together_never_exceed_a_limit_and_may_use_all_of_it(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        workers = [worker for id in "abc" for worker in town.open(id, 2).workers.values()]

        async def one(worker: Worker) -> int:
            taken = 0
            for _ in range(40):
                try:
                    number = await worker.reserve(MONEY, 10)
                except BudgetExceeded:
                    continue
                await asyncio.sleep(0)
                worker.settle(number, 10)
                taken += 10
            return taken

        taken = await town.play(asyncio.gather(*(one(worker) for worker in workers)))
        account = town.account(MONEY)
        assert sum(taken) == 1000 and account.base + account.leased == 1000

    run(play())


def test_the_store_is_seldom_asked(store: Store) -> None:
    async def play() -> None:
        town = Town(store, replace(MONEY, amount=1_000_000))
        replica = town.open("a")
        for _ in range(300):
            await spend(replica.first(), 100)
        assert replica.line.exchanges < 30

    run(play())


def test_what_lies_unused_in_leases_is_at_most_a_quarter_of_what_is_free(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        for replica in [town.open(id) for id in "abcd"]:
            await spend(replica.first(), 10)
        await town.settle_down()
        account = town.account(MONEY)
        assert account.spent == 40 and account.leased - 40 <= 960 // 4

    run(play())


def test_what_lies_idle_anywhere_is_called_in_before_anybody_is_denied(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        first, second = town.open("a", 2), town.open("b", 2)
        for replica in (first, second):
            for worker in replica.workers.values():
                await spend(worker, 10)
        number = await town.play(second.first().reserve(MONEY, 960))
        second.first().settle(number, 960)
        with pytest.raises(BudgetExceeded):
            await town.play(first.first().reserve(MONEY, 1))

    run(play())


def test_two_who_are_short_do_not_wait_for_each_other(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        workers = [town.open(id).first() for id in "ab"]
        for worker in workers:
            await spend(worker, 100)
        asked = [worker.reserve(MONEY, 790) for worker in workers]
        got = await town.play(asyncio.gather(*asked, return_exceptions=True))
        assert [type(one) for one in got if not isinstance(one, int)] == [BudgetHeld]

    run(play())


def test_many_who_are_short_wait_once_for_a_replica_that_does_not_answer(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        first, mute = town.open("a"), town.open("b")
        await spend(mute.first(), 100)
        mute.line.fails = True  # it lives, as far as anybody knows
        await spend(first.first(), 100)
        began = town.clock.s
        asked = [first.first().reserve(MONEY, amount) for amount in range(880, 780, -10)]
        got = await town.play(asyncio.gather(*asked, return_exceptions=True))
        assert {type(one) for one in got} == {BudgetHeld}
        assert town.clock.s - began < 1.5

    run(play())


def test_a_dead_replicas_lease_comes_back_only_when_its_spool_was_read(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        first, second = town.open("a"), town.open("b")
        await town.play(first.first().reserve(MONEY, 300))
        await spend(second.first(), 10)
        spool = first.kill()
        with pytest.raises(BudgetHeld):  # what it had is neither spent nor free
            await town.play(second.first().reserve(MONEY, 680))
        town.replay("a", 1, spool)
        town.clock.pass_by(1.0)
        number = await town.play(second.first().reserve(MONEY, 690))
        second.first().settle(number, 690)
        with pytest.raises(BudgetExceeded):
            await town.play(second.first().reserve(MONEY, 1))

    run(play())


def test_workers_of_a_killed_steward_finish_under_their_own_lease(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        before = town.open("a")
        worker = before.first()
        number = await town.play(worker.reserve(MONEY, 600))
        after = town.open("a", epoch=2)  # the steward is gone, its worker is not
        with pytest.raises(BudgetExceeded):
            await town.play(after.first().reserve(MONEY, 401))
        worker.settle(number, 500)
        town.replay("a", 1, before.spool)
        town.clock.pass_by(1.0)
        await town.play(after.first().reserve(MONEY, 500))

    run(play())


def test_a_dead_workers_part_comes_back_when_its_spool_was_read(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY, is_alone=True)
        replica = town.open("a", 2)
        first, second = replica.workers.values()
        await town.play(first.reserve(MONEY, 900))
        first.die()
        first.replica.spool[0] = (first.name, MONEY, 300, NOON_US)
        replica.broker.release(first.name)
        with pytest.raises(BudgetExceeded):
            await town.play(second.reserve(MONEY, 500))
        await replica.broker.reckon(first.name)
        await town.play(second.reserve(MONEY, 700))

    run(play())


def test_places_of_a_dead_worker_come_back_at_once(store: Store) -> None:
    async def play() -> None:
        town = Town(store, PLACES)
        replica = town.open("a", 2)
        first, second = replica.workers.values()
        await town.play(first.reserve(PLACES, 3))
        with pytest.raises(LimitExceeded):
            await town.play(second.reserve(PLACES, 1))
        replica.broker.release(first.name)
        await town.play(second.reserve(PLACES, 3))

    run(play())


def test_while_the_store_is_away_what_is_leased_is_spent_and_then_nothing(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        replica = town.open("a")
        await spend(replica.first(), 10)
        leased = town.account(MONEY).leased
        replica.line.fails = True
        await spend(replica.first(), leased - 10)
        with pytest.raises(Unavailable) as caught:
            await town.play(replica.first().reserve(MONEY, 1))
        assert caught.value.code == "store_unavailable"
        replica.line.fails = False
        await spend(replica.first(), 1000 - leased)

    run(play())


def test_who_goes_on_without_the_store_spends_a_whole_limit_at_most_and_says_so(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        first, second = (town.open(id, goes_on=True) for id in "ab")
        for replica in (first, second):
            await spend(replica.first(), 10)
            replica.line.fails = True
            await spend(replica.first(), 700)
            with pytest.raises(Unavailable):
                await town.play(replica.first().reserve(MONEY, 300))
            replica.line.fails = False
        await town.settle_down()
        account = town.account(MONEY)
        assert account.spent == 1420 and sum(lease.beyond for lease in account.leases) > 0
        with pytest.raises(BudgetExceeded):
            await town.play(first.first().reserve(MONEY, 1))

    run(play())


def test_who_goes_on_is_not_refused_because_the_store_could_not_be_asked_a_moment_ago(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        first, second = (town.open(id, goes_on=True) for id in "ab")
        await spend(second.first(), 700)
        await spend(first.first(), 10)
        first.line.fails = True
        for _ in range(3):
            await spend(first.first(), 300)

    run(play())


def test_a_lowered_limit_takes_back_what_is_idle_and_a_raised_one_is_there_at_once(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        first, second = town.open("a"), town.open("b")
        number = await town.play(first.first().reserve(MONEY, 200))
        await spend(second.first(), 100)
        town.change(replace(MONEY, amount=310))
        await town.settle_down()
        account = town.account(MONEY)
        assert account.amount == 310 and account.base + account.leased <= 310
        with pytest.raises(BudgetExceeded):
            await town.play(second.first().reserve(replace(MONEY, amount=310), 11))
        town.change(MONEY)
        await town.play(second.first().reserve(MONEY, 700))
        first.first().settle(number, 200)

    run(play())


def test_a_limit_lowered_while_the_store_is_away_binds_nevertheless(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        replica = town.open("a")
        await spend(replica.first(), 10)
        replica.line.fails = True
        town.change(replace(MONEY, amount=20))
        await town.settle_down()
        with pytest.raises(Unavailable):
            await town.play(replica.first().reserve(replace(MONEY, amount=20), 15))
        replica.line.fails = False
        await town.settle_down()
        with pytest.raises(BudgetExceeded):
            await town.play(replica.first().reserve(replace(MONEY, amount=20), 15))
        assert town.account(MONEY).leased <= 20

    run(play())


def test_what_was_spent_while_a_limit_was_not_there_counts_when_it_is_again(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY, is_alone=True)
        replica = town.open("a")
        await spend(replica.first(), 100)
        town.change()
        await town.settle_down()
        account = town.account(MONEY)
        assert account.base == 100 and not account.leases
        replica.spool.append((replica.first().name, MONEY, 250, town.clock.us))
        replica.ship()
        town.clock.pass_by(5.0)
        town.change(MONEY)
        await town.play(replica.first().reserve(MONEY, 650))
        with pytest.raises(BudgetExceeded):
            await town.play(replica.first().reserve(MONEY, 1))

    run(play())


def test_what_cost_more_than_its_hold_is_paid_back_from_what_is_left(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        first, second = town.open("a"), town.open("b")
        first.first().settle(await town.play(first.first().reserve(MONEY, 100)), 900)
        await town.settle_down()
        assert town.account(MONEY).spent == 900
        with pytest.raises(BudgetExceeded):
            await town.play(second.first().reserve(MONEY, 101))
        await town.play(second.first().reserve(MONEY, 100))

    run(play())


def test_what_was_spent_before_there_was_a_limit_is_in_the_books(store: Store) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        town.book([("w", MONEY, 400, NOON_US - 60_000_000)])
        replica = town.open("a")
        with pytest.raises(BudgetExceeded):
            await town.play(replica.first().reserve(MONEY, 601))
        await town.play(replica.first().reserve(MONEY, 600))

    run(play())


@pytest.mark.parametrize("back_us", [DAY_US, DAY_US // 2 + 1])
def test_a_clock_that_goes_back_over_a_windows_start_opens_no_second_window(store: Store, back_us: int) -> None:
    async def play() -> None:
        town = Town(store, MONEY)
        replica = town.open("a")
        worker = replica.first()
        await spend(worker, 600)  # yesterday
        town.clock.us += DAY_US
        number = await town.play(worker.reserve(MONEY, 700))
        town.clock.us -= back_us
        with pytest.raises(BudgetExceeded):
            await town.play(worker.reserve(MONEY, 401))
        await spend(worker, 400)
        worker.settle(number, 700)  # of the window that it was opened in
        town.clock.us += back_us
        with pytest.raises(BudgetExceeded):
            await town.play(worker.reserve(MONEY, 301))
        await spend(worker, 300)

    run(play())


def test_a_window_that_was_forgotten_is_reckoned_by_the_books_when_the_clock_goes_back(store: Store) -> None:
    minute = replace(MONEY, id="key:k1:nusd:hour", window="hour")

    async def play() -> None:
        from fairlead.store.leases import forget_ended

        town = Town(store, minute)
        replica: Replica = town.open("a")
        worker = replica.first()
        worker.settle(await town.play(worker.reserve(minute, 900)), 900)
        town.clock.us += 4 * 3_600_000_000
        worker.settle(await town.play(worker.reserve(minute, 10)), 10)
        replica.tell()
        with store.begin() as connection:
            forget_ended(connection, town.clock.us - 3_600_000_000)
        replica.ship()
        town.clock.us -= 4 * 3_600_000_000
        with pytest.raises(BudgetExceeded):
            await town.play(worker.reserve(minute, 101))
        await town.play(worker.reserve(minute, 100))

    run(play())


def test_the_next_window_is_open_before_it_begins(store: Store) -> None:
    rate = replace(MONEY, id="key:k1:tokens:minute", unit="tokens", window="minute")

    async def play() -> None:
        town = Town(store, rate)
        replica = town.open("a")
        worker = replica.first()
        worker.settle(await town.play(worker.reserve(rate, 10)), 10)
        town.clock.pass_by(58.0)
        replica.tell()
        exchanges = replica.line.exchanges
        town.clock.pass_by(3.0)
        await worker.reserve(rate, 10)  # nobody has a turn meanwhile
        assert replica.line.exchanges == exchanges
        for _ in range(5):
            town.clock.pass_by(60.0)
            replica.tell()
        assert len(replica.broker.accounts()) == 2  # one that nobody uses has no successor

    run(play())
