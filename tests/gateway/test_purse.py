"""Holds and leases: nothing is reserved twice, nothing is lost, and every hold comes back."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BudgetExceeded, BudgetHeld, LimitExceeded
from fairlead.gateway.call import Limit
from fairlead.gateway.purse import Lease, LeasedPurse, News
from fairlead.ids import now_us
from world import CountingBroker

DAY_US = 86_400_000_000


def money(amount: int) -> Limit:
    return Limit("key:k:nusd:day", "key k", "nusd", amount, "day")


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60), st.booleans()), max_size=30))
def test_holds_return_to_zero_and_spending_is_the_sum_of_truths(steps: list[tuple[int, int, bool]]) -> None:
    limit = money(100)

    async def play() -> None:
        purse = LeasedPurse(CountingBroker())
        open_holds, spent, reserved = [], 0, 0
        for amount, truth, keep in steps:
            try:
                hold = await purse.reserve(((limit, amount),), now_us())
            except BudgetExceeded as error:
                assert spent + reserved + amount > 100
                assert isinstance(error, BudgetHeld) == (spent + amount <= 100)
                continue
            reserved += amount
            assert spent + reserved <= 100 or truth  # only an overrun can lead beyond
            open_holds.append((hold, amount))
            if not keep:
                done, was = open_holds.pop(0)
                truth = min(truth, was)
                purse.settle(done, (truth,))
                reserved, spent = reserved - was, spent + truth
        for done, _ in open_holds:
            purse.settle(done, (0,))
        assert [(account.held, account.spent) for account in purse.accounts()] in ([], [(0, spent)])

    asyncio.run(play())


def test_all_amounts_are_reserved_or_none() -> None:
    small = Limit("b", "key k", "tokens", 5, "minute")

    async def play() -> None:
        purse = LeasedPurse(CountingBroker())
        with pytest.raises(LimitExceeded) as caught:
            await purse.reserve(((money(100), 10), (small, 6)), now_us())
        assert "alone is over the limit" in caught.value.hint and caught.value.details["retry_after_s"] is None
        assert [account.held for account in purse.accounts()] == [0, 0]

    asyncio.run(play())


def test_a_hold_belongs_to_the_window_that_it_was_opened_in() -> None:
    async def play() -> None:
        purse = LeasedPurse(CountingBroker())
        monday = 1_767_571_200_000_000 + DAY_US - 1
        hold = await purse.reserve(((money(100), 60),), monday)
        later = await purse.reserve(((money(100), 60),), monday + DAY_US)
        purse.settle(hold, (50,))
        spent = {account.window_us: (account.spent, account.held) for account in purse.accounts()}
        assert sorted(spent.values()) == [(0, 60), (50, 0)]
        purse.settle(later, (1,))

    asyncio.run(play())


def test_what_lies_idle_is_given_back_and_what_is_held_is_not() -> None:
    async def play() -> None:
        purse, limit = LeasedPurse(CountingBroker()), money(100)
        hold = await purse.reserve(((limit, 30),), now_us())
        [account] = purse.accounts()
        account.leased += 50
        assert purse.give_back(limit.id, account.window_us) == News(limit.id, account.window_us, 0, 30, back=50)
        purse.settle(hold, (10,))
        assert purse.give_back(limit.id, account.window_us) == News(limit.id, account.window_us, 10, 0, back=20)
        assert purse.give_back("unknown", 0) is None

    asyncio.run(play())


def test_the_broker_is_not_asked_while_the_lease_has_room() -> None:
    async def play() -> None:
        broker = CountingBroker()
        purse, limit = LeasedPurse(broker), money(100)
        for _ in range(5):
            purse.settle(await purse.reserve(((limit, 10),), now_us()), (0,))
        assert broker.asked == 1

    asyncio.run(play())


class SlowBroker(CountingBroker):
    """Grants at once, and is heard when `may_answer` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        lease = await super().lease(limit, window_us, needed, spent, held)
        await self.may_answer.wait()
        return lease


def test_a_lease_granted_after_its_caller_hung_up_is_not_lost() -> None:
    async def play() -> None:
        broker = SlowBroker()
        purse = LeasedPurse(broker)
        waiting = asyncio.create_task(purse.reserve(((money(100), 100),), now_us()))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        broker.may_answer.set()
        await asyncio.sleep(0.01)
        hold = await purse.reserve(((money(100), 100),), now_us())
        purse.settle(hold, (100,))
        assert [(account.held, account.spent) for account in purse.accounts()] == [(0, 100)]

    asyncio.run(play())
