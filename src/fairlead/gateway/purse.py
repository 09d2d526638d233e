"""Holds against limits, in this process: reserve the worst case, settle the truth.

What may be spent is leased from a `Broker`, who sees all processes; while the lease has room nothing is awaited and a
hold costs about a microsecond. A hold belongs to the window that it was opened in, also when it is settled after its
end.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from fairlead.errors import BudgetExceeded, BudgetHeld, FairleadError, LimitExceeded
from fairlead.gateway.call import Limit
from fairlead.ids import now_us
from fairlead.money import format_usd
from fairlead.windows import FOREVER_US, window_end_us, window_start_us

KEEP_US = 120_000_000  # an account of a window that ended is kept this long


class Lease(Struct, frozen=True):
    """What a broker answers: `granted` more of the limit's unit, or none and why.

    `spent` and `held` are over all processes, in the limit's unit.
    """

    granted: int
    spent: int = 0
    held: int = 0


class News(Struct, frozen=True, array_like=True):
    """What became of one account since the broker was told last. `back` was leased, and is the broker's again; where it
    `is_over`, the account is forgotten here, and all is that was not spent."""

    limit: str
    window_us: int
    spent: int
    held: int
    back: int = 0
    is_over: bool = False


class Broker(Protocol):
    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        """Ask for `needed` more than is leased here; `spent` and `held` say what became of what was leased."""
        ...


class Account:
    """What this process has of one limit in one window."""

    __slots__ = ("asking", "ends_us", "held", "leased", "limit", "spent", "told", "window_us")

    def __init__(self, limit: Limit, window_us: int, ends_us: int) -> None:
        self.limit = limit
        self.window_us = window_us
        self.ends_us = ends_us
        self.leased = 0
        self.spent = 0
        self.held = 0
        self.asking = 0  # calls that wait for the broker
        self.told: tuple[int, int] = (0, 0)  # spent and held, to the broker

    @property
    def room(self) -> int:
        return self.leased - self.spent - self.held


Hold = list[tuple[Account, int]]  # what is reserved of each


class LeasedPurse:
    """The purse of one process. All state is touched by one event loop only."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._accounts: dict[str, Account] = {}
        self._others: dict[tuple[str, int], Account] = {}  # of windows that are not the current ones

    async def reserve(self, amounts: Sequence[tuple[Limit, int]], at_us: int) -> Hold:
        """All or none. Raises LimitExceeded, BudgetExceeded, BudgetHeld."""
        hold = [(self._account(limit, at_us), amount) for limit, amount in amounts]
        while short := _short(hold):
            await self._extend(*short)
        for account, amount in hold:
            account.held += amount
        return hold

    def spare(self, amounts: Sequence[tuple[Limit, int]], at_us: int) -> Hold | None:
        """The same where there is room in what is leased; None where the broker is to be asked."""
        hold: Hold = []
        for limit, amount in amounts:
            account = self._accounts.get(limit.id)
            if (
                account is None
                or account.limit is not limit
                or not account.window_us <= at_us < account.ends_us
                or account.leased - account.spent - account.held < amount
            ):
                for taken, back in hold:
                    taken.held -= back
                return None
            account.held += amount
            hold.append((account, amount))
        return hold

    def settle(self, hold: Hold, amounts: Sequence[int | None]) -> None:
        for (account, reserved), truth in zip(hold, amounts, strict=True):
            account.held -= reserved
            account.spent += reserved if truth is None else truth

    def accounts(self) -> list[Account]:
        return [*self._accounts.values(), *self._others.values()]

    def give_back(self, limit_id: str, window_us: int) -> News | None:
        """The broker wants what lies idle: it is its own when it is told this. None: there is no such account."""
        account = self._accounts.get(limit_id)
        if account is None or account.window_us != window_us:
            account = self._others.get((limit_id, window_us))
        if account is None:
            return None
        idle = max(0, account.room)
        account.leased -= idle
        return News(limit_id, window_us, account.spent, account.held, back=idle)

    def news(self, at_us: int) -> list[News]:
        """What the broker was not told yet. Accounts of windows that ended, and that nobody holds of, are forgotten."""
        found: list[News] = []
        for account in self.accounts():
            is_over = account.ends_us + KEEP_US < at_us and not (account.held or account.asking)
            if is_over or (account.spent, account.held) != account.told:
                account.told = (account.spent, account.held)
                found.append(News(account.limit.id, account.window_us, *account.told, is_over=is_over))
            if is_over:
                self._forget(account)
        return found

    def leave_places(self) -> list[News]:
        """What is leased of places in flight and not in use may be somebody else's by now."""
        idle = [one for one in self._accounts.values() if one.limit.unit == "concurrent" and one.room > 0]
        given = (self.give_back(account.limit.id, account.window_us) for account in idle)
        return [news for news in given if news is not None]

    def _account(self, limit: Limit, at_us: int) -> Account:
        account = self._accounts.get(limit.id)
        if account is None or not account.window_us <= at_us < account.ends_us:
            account = self._turn(limit, at_us, account)
        account.limit = limit  # its amount may have been changed
        return account

    def _turn(self, limit: Limit, at_us: int, before: Account | None) -> Account:
        """The account of another window: a new one, or where the clock went back, the one that was there then."""
        if before is not None:
            self._others[limit.id, before.window_us] = before
        concurrent = limit.unit == "concurrent"
        start = 0 if concurrent else window_start_us(limit.window, limit.timezone, at_us)
        account = self._others.pop((limit.id, start), None)
        if account is None:
            ends = FOREVER_US if concurrent else window_end_us(limit.window, limit.timezone, at_us)
            account = Account(limit, start, ends)
        self._accounts[limit.id] = account
        return account

    def _forget(self, account: Account) -> None:
        if self._accounts.get(account.limit.id) is account:
            del self._accounts[account.limit.id]
        else:
            self._others.pop((account.limit.id, account.window_us), None)

    async def _extend(self, account: Account, needed: int) -> None:
        """Lease what is missing, or say why it can't be had."""
        missing = needed - account.room
        account.asking += 1
        asking = asyncio.ensure_future(
            self._broker.lease(account.limit, account.window_us, missing, account.spent, account.held)
        )
        asking.add_done_callback(lambda done: _credit(account, done))  # also where the caller has hung up meanwhile
        lease = await asyncio.shield(asking)
        if account.room < needed and lease.granted < missing:
            raise refusal(account.limit, needed, lease, account.ends_us)


def _short(hold: Hold) -> tuple[Account, int] | None:
    """The first account in which there is no room for what is to be held."""
    for account, amount in hold:
        if account.leased - account.spent - account.held < amount:
            return account, amount
    return None


def _credit(account: Account, asking: asyncio.Future[Lease]) -> None:
    """What was granted is there for whoever comes first, before anything else happens."""
    account.asking -= 1
    if not asking.cancelled() and asking.exception() is None:
        account.leased += asking.result().granted


def refusal(limit: Limit, needed: int, lease: Lease, ends_us: int) -> FairleadError:
    """Exhausted if it would not fit though every hold came back empty; held if it would."""
    now = now_us()
    until_s = max(0.001, (ends_us - now) / 1e6)
    fits_later = lease.spent + needed <= limit.amount
    if limit.unit == "nusd":
        numbers = {
            "budget": limit.id,
            "amount_nusd": limit.amount,
            "spent_nusd": lease.spent,
            "held_nusd": lease.held,
            "needed_nusd": needed,
        }
        told = (
            f"{limit.scope}: {format_usd(limit.amount)} per {limit.window}, {format_usd(lease.spent)} spent, "
            f"{format_usd(lease.held)} held by calls in flight; this one may cost {format_usd(needed)}"
        )
        if fits_later:
            return BudgetHeld(f"budget held: {told}", hint="try again in a moment", retry_after_s=1.0, **numbers)
        hint = "lower max_tokens, or raise the budget"
        if limit.window != "total":
            numbers["resets_us"] = ends_us
            hint += f"; it starts anew in {until_s / 3600:.1f} h" if until_s > 3600 else f"; anew in {until_s:.0f} s"
        return BudgetExceeded(f"budget exhausted: {told}", hint=hint, **numbers)
    told = f"{limit.scope}: {limit.amount} {limit.unit}" + (
        "" if limit.unit == "concurrent" else f" per {limit.window}"
    )
    fits_ever = needed <= limit.amount
    wait_s = 1.0 if limit.unit == "concurrent" or fits_later else until_s
    return LimitExceeded(
        f"limit reached: {told}; {lease.spent} used, {lease.held} held, {needed} needed",
        hint="try again later" if fits_ever else "this request alone is over the limit: lower max_tokens",
        limit=limit.id,
        unit=limit.unit,
        amount=limit.amount,
        used=lease.spent + lease.held,
        needed=needed,
        retry_after_s=wait_s if fits_ever else None,
    )
