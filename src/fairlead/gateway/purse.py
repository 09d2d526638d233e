"""Holds against limits, in this process: reserve the worst case, settle the truth.

What may be spent is leased from a `Broker`, who sees all processes; while the lease has room nothing is awaited and a
hold costs about a microsecond. A hold belongs to the window that it was opened in, also when it is settled after its
end.
"""

import asyncio
from typing import Protocol

from msgspec import Struct

from fairlead.errors import BudgetExceeded, BudgetHeld, FairleadError, LimitExceeded
from fairlead.gateway.call import Limit
from fairlead.ids import now_us
from fairlead.money import format_usd
from fairlead.windows import window_end_us, window_start_us

KEEP_US = 120_000_000  # an account of a window that ended is kept this long for late settlements


class Lease(Struct, frozen=True):
    """What a broker answers: `granted` more of the limit's unit, or none and why.

    `spent` and `held` are over all processes, in the limit's unit.
    """

    granted: int
    spent: int = 0
    held: int = 0


class Broker(Protocol):
    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        """Ask for `needed` more than is leased here; `spent` and `held` say what became of what was leased."""
        ...


class Account:
    """What this process has of one limit in one window."""

    __slots__ = ("ends_us", "held", "leased", "limit", "spent", "window_us")

    def __init__(self, limit: Limit, window_us: int, ends_us: int) -> None:
        self.limit = limit
        self.window_us = window_us
        self.ends_us = ends_us
        self.leased = 0
        self.spent = 0
        self.held = 0

    @property
    def room(self) -> int:
        return self.leased - self.spent - self.held


class Hold:
    __slots__ = ("accounts", "amounts")

    def __init__(self, accounts: tuple[Account, ...], amounts: tuple[int, ...]) -> None:
        self.accounts = accounts
        self.amounts = amounts


class LeasedPurse:
    """The purse of one process. All state is touched by one event loop only."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._accounts: dict[str, Account] = {}
        self._ended: list[Account] = []

    async def reserve(self, amounts: tuple[tuple[Limit, int], ...], at_us: int) -> Hold:
        """All or none. Raises LimitExceeded, BudgetExceeded, BudgetHeld."""
        accounts = tuple(self._account(limit, at_us) for limit, _ in amounts)
        needed = tuple(amount for _, amount in amounts)
        while short := next((pair for pair in zip(accounts, needed, strict=True) if pair[0].room < pair[1]), None):
            await self._extend(*short)
        for account, amount in zip(accounts, needed, strict=True):
            account.held += amount
        return Hold(accounts, needed)

    def settle(self, hold: Hold, amounts: tuple[int | None, ...]) -> None:
        for account, reserved, truth in zip(hold.accounts, hold.amounts, amounts, strict=True):
            account.held -= reserved
            account.spent += reserved if truth is None else truth

    def accounts(self) -> list[Account]:
        return [*self._accounts.values(), *self._ended]

    def give_back(self, limit_id: str, window_us: int) -> tuple[int, int, int]:
        """The broker wants what lies idle: returns (given back, spent, held)."""
        for account in self.accounts():
            if account.limit.id == limit_id and account.window_us == window_us:
                idle = max(0, account.room)
                account.leased -= idle
                return idle, account.spent, account.held
        return 0, 0, 0

    def _account(self, limit: Limit, at_us: int) -> Account:
        account = self._accounts.get(limit.id)
        if account is None or at_us >= account.ends_us:
            if account is not None:
                self._retire(account, at_us)
            start = 0 if limit.unit == "concurrent" else window_start_us(limit.window, limit.timezone, at_us)
            ends = 2**63 - 1 if limit.unit == "concurrent" else window_end_us(limit.window, limit.timezone, at_us)
            account = self._accounts[limit.id] = Account(limit, start, ends)
        account.limit = limit  # its amount may have been changed
        return account

    def _retire(self, account: Account, at_us: int) -> None:
        self._ended = [old for old in self._ended if old.held or old.ends_us + KEEP_US > at_us]
        self._ended.append(account)

    async def _extend(self, account: Account, needed: int) -> None:
        """Lease what is missing, or say why it can't be had."""
        missing = needed - account.room
        asking = asyncio.ensure_future(
            self._broker.lease(account.limit, account.window_us, missing, account.spent, account.held)
        )
        try:
            lease = await asyncio.shield(asking)
        except asyncio.CancelledError:  # the caller hung up, but the broker will have granted it all the same
            asking.add_done_callback(lambda done: _credit(account, done))
            raise
        account.leased += lease.granted
        if account.room < needed and lease.granted < missing:
            raise refusal(account.limit, needed, lease, account.ends_us)


def _credit(account: Account, asking: asyncio.Future[Lease]) -> None:
    """What was granted to nobody who waits is there for whoever comes next."""
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
