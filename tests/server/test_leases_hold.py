"""Whatever happens to replicas on one store, in any order: what is spent and held never exceeds the limit, but for what
cost more than its hold; and when all is quiet, all that was not spent can be spent."""

import asyncio
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from fairlead.errors import BudgetExceeded, Unavailable
from fairlead.store.leases import list_accounts
from fairlead.store.opening import open_store
from postgres import PostgresServer
from server.replicas import MONEY, Replica, Town, Worker

IDS = st.sampled_from("abc")
AMOUNTS = st.integers(1, 500)


class Leases(RuleBasedStateMachine):
    """Three replicas of two workers each. What they wrote down is theirs until it is shipped."""

    place: Path | str = ""
    holds: Any = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(self.place or Path(self.folder.name))
        self.town = Town(self.store, replace(MONEY, id=f"key:{id(self)}:nusd:day", owner=f"k{id(self)}"))
        self.epochs = dict.fromkeys("abc", 0)
        self.unread: list[tuple[str, int, list[Any]]] = []  # spools of dead lives
        self.spent = 0
        self.allowed = 1000  # the highest that the limit has been
        self.over = 0  # spent beyond holds
        for name in "abc":
            self.start(name)

    def teardown(self) -> None:
        for replica in self.town.replicas.values():
            self.run(replica.broker.close())
        self.loop.close()
        self.store.close()
        self.folder.cleanup()

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(self.town.play(work))

    def start(self, name: str) -> Replica:
        self.epochs[name] += 1

        async def opened() -> Replica:
            return self.town.open(name, 2, self.epochs[name])

        return self.loop.run_until_complete(opened())

    @property
    def limit(self) -> Any:
        return self.town.limits[0]

    @property
    def held(self) -> int:
        workers = [worker for replica in self.town.replicas.values() for worker in replica.workers.values()]
        return sum(amount for worker in workers for _, _, amount, _ in worker.held.values())

    @rule(target=holds, name=IDS, second=st.booleans(), amount=AMOUNTS)
    def reserve(self, name: str, second: bool, amount: int) -> Any:
        replica = self.town.replicas[name]
        worker = list(replica.workers.values())[second]
        self.town.clock.pass_by(0.6)  # nobody remembers what the others could not give
        before = self.spent + self.held
        try:
            number = self.run(worker.reserve(self.limit, amount))
        except BudgetExceeded:
            everybody = not self.unread and not any(other.line.fails for other in self.town.replicas.values())
            assert not everybody or before + amount > self.limit.amount, "it was there, and was denied"
            return multiple()
        except Unavailable:
            assert replica.line.fails
            return multiple()
        assert before + amount <= self.allowed + self.over
        return worker, number, amount

    @rule(hold=consumes(holds), part=st.integers(0, 100), beyond=st.sampled_from([0, 0, 0, 50]))
    def settle(self, hold: tuple[Worker, int, int], part: int, beyond: int) -> None:
        worker, number, amount = hold
        if number not in worker.held:
            return  # its worker is dead
        truth = amount + beyond if beyond else amount * part // 100
        worker.settle(number, truth)
        self.spent += truth
        self.over += max(0, truth - amount)

    @rule(name=IDS, second=st.booleans())
    def kill_worker(self, name: str, second: bool) -> None:
        replica = self.town.replicas[name]
        worker = list(replica.workers.values())[second]
        if replica.line.fails:
            return  # it is reckoned when the store is back
        self.spent += sum(amount for _, _, amount, _ in worker.held.values())
        self.loop.run_until_complete(replica.bury(worker))
        replica.hire()

    @rule(name=IDS, shipped=st.booleans())
    def kill_replica(self, name: str, shipped: bool) -> None:
        replica = self.town.replicas[name]
        if shipped and not replica.line.fails:
            replica.ship()
        self.spent += sum(amount for worker in replica.workers.values() for *_, amount, _ in worker.held.values())
        self.unread.append((name, replica.epoch, replica.kill()))
        self.loop.run_until_complete(replica.broker.close())
        self.start(name)

    @rule()
    def replay(self) -> None:
        for dead in self.unread:
            self.town.replay(*dead)
        self.unread.clear()

    @rule(name=IDS, away=st.booleans())
    def lose_the_store(self, name: str, away: bool) -> None:
        self.town.replicas[name].line.fails = away

    @rule(amount=st.sampled_from([300, 700, 1000, 1400]))
    def reload(self, amount: int) -> None:
        async def changed() -> None:
            self.town.change(replace(self.limit, amount=amount))
            await self.town.settle_down()

        self.loop.run_until_complete(changed())
        self.allowed = max(self.allowed, amount)

    @rule(seconds=st.sampled_from([1, 70]))
    def wait(self, seconds: int) -> None:
        self.town.clock.pass_by(seconds)
        self.loop.run_until_complete(self.town.settle_down())

    @invariant()
    def never_more_than_there_is(self) -> None:
        assert self.spent + self.held <= self.allowed + self.over
        if self.limit.id in {account.limit for account in self.rows()}:
            account = self.town.account(self.limit)
            assert account.base + account.leased <= self.allowed + self.over

    def rows(self) -> list[Any]:
        with self.store.read() as connection:
            return list_accounts(connection, self.town.clock.us)

    @rule()
    def all_that_was_not_spent_can_be_spent(self) -> None:
        """Everything comes back, is read, and is given back: then one call may take it all."""
        for replica in list(self.town.replicas.values()):
            replica.line.fails = False
            for worker in replica.workers.values():
                for number in list(worker.held):
                    worker.settle(number, 0)
        self.replay()
        self.loop.run_until_complete(self.town.settle_down())
        self.town.clock.pass_by(1.0)
        left = self.limit.amount - self.spent
        worker = self.town.replicas["a"].first()
        if left > 0:
            worker.settle(self.run(worker.reserve(self.limit, left)), 0)
        with pytest.raises(BudgetExceeded):
            self.run(worker.reserve(self.limit, max(0, left) + 1))


TUNED = settings(max_examples=10, stateful_step_count=18, deadline=None, suppress_health_check=list(HealthCheck))


def test_no_limit_is_exceeded_and_nothing_is_lost_whatever_happens() -> None:
    run_state_machine_as_test(Leases, settings=TUNED)


@pytest.mark.slow
def test_it_is_so_on_postgres(postgres: PostgresServer, made_store: str) -> None:
    name = postgres.new_database(made_store)

    class OnPostgres(Leases):
        place = postgres.url(name)

    run_state_machine_as_test(OnPostgres, settings=settings(TUNED, max_examples=4))
    postgres.drop_database(name)
