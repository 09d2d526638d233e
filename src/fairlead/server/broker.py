"""Who may spend how much: the steward's side of the leases, over all workers.

The sum of what was spent and what is leased never exceeds a limit. What is in the store is asked once for each
window, at its first lease; from then on the workers say what became of theirs. A worker that died keeps its lease
until its spool was read; only then is known what it spent.
"""

import asyncio
from collections.abc import Awaitable, Callable

from fairlead.gateway.call import Limit
from fairlead.gateway.purse import Lease
from fairlead.ids import now_us

KEEP_US = 3_600_000_000  # accounts of windows that ended are forgotten after an hour
SHARES = 4  # a lease takes this share of what is left, so that it is seldom asked for again

Spent = Callable[[Limit, int, str | None], Awaitable[int]]  # limit, window's start, writer (None: all) -> spent


class _Part:
    """What one worker has of one account."""

    __slots__ = ("held", "leased", "spent")

    def __init__(self) -> None:
        self.leased = 0
        self.spent = 0
        self.held = 0


class _Account:
    def __init__(self, limit: Limit, base: int) -> None:
        self.limit = limit
        self.base = base  # spent before any lease of ours, and by workers that are gone
        self.parts: dict[str, _Part] = {}
        self.used_us = now_us()
        self.lock = asyncio.Lock()

    @property
    def leased(self) -> int:
        return sum(part.leased for part in self.parts.values())

    def stand(self) -> tuple[int, int]:
        """Spent and held, over all workers, as far as they have said."""
        parts = self.parts.values()
        return self.base + sum(part.spent for part in parts), sum(part.held for part in parts)


class LeaseBroker:
    """`recall` asks a worker to give back what lies idle: (given back, spent, held)."""

    def __init__(
        self, spent: Spent, recall: Callable[[str, Limit, int], Awaitable[tuple[int, int, int]]] | None = None
    ) -> None:
        self._spent = spent
        self._recall = recall
        self._accounts: dict[tuple[str, int], _Account] = {}
        self._opening = asyncio.Lock()

    async def lease(
        self, worker: str, limit: Limit, window_us: int, needed: int, spent: int, held: int, workers: int = 1
    ) -> Lease:
        account = await self._account(limit, window_us)
        async with account.lock:
            part = account.parts.setdefault(worker, _Part())
            part.spent, part.held = spent, held
            free = limit.amount - account.base - account.leased
            if free < needed:
                await self._call_in(account, limit, window_us, worker)
                free = limit.amount - account.base - account.leased
            total_spent, total_held = account.stand()
            if free < needed:
                return Lease(0, total_spent, total_held)
            granted = needed + (free - needed) // (SHARES * workers)
            part.leased += granted
            return Lease(granted, total_spent, total_held)

    def release(self, worker: str) -> None:
        """A worker is gone. What nobody holds any more (a place in flight) comes back at once."""
        for account in self._accounts.values():
            if account.limit.unit == "concurrent":
                account.parts.pop(worker, None)

    async def reckon(self, worker: str) -> None:
        """A dead worker's spool was read: what it spent is known now, the rest of its leases comes back. Its requests
        are not reckoned one by one: all that it had leased of them counts as used, for the rest of their minute."""
        for (_, window_us), account in list(self._accounts.items()):
            part = account.parts.get(worker)
            if part is not None:
                by_count = account.limit.unit == "requests"
                spent = part.leased if by_count else await self._spent(account.limit, window_us, worker)
                account.base += spent  # in a step of its own: two workers may die at once
                account.parts.pop(worker, None)

    async def _account(self, limit: Limit, window_us: int) -> _Account:
        key = (limit.id, window_us)
        async with self._opening:
            account = self._accounts.get(key)
            if account is None:
                base = 0 if limit.unit == "concurrent" else await self._spent(limit, window_us, None)
                self._forget()
                account = self._accounts[key] = _Account(limit, base)
            account.limit = limit  # its amount may have been changed
            account.used_us = now_us()
            return account

    def _forget(self) -> None:
        old = now_us() - KEEP_US
        newest: dict[str, int] = {}
        for limit_id, window_us in self._accounts:
            newest[limit_id] = max(newest.get(limit_id, 0), window_us)
        for (limit_id, window_us), account in list(self._accounts.items()):
            if account.used_us < old and window_us < newest[limit_id]:
                del self._accounts[limit_id, window_us]

    async def _call_in(self, account: _Account, limit: Limit, window_us: int, asking: str) -> None:
        """Before anybody is denied, the others give back what lies idle with them."""
        others = [worker for worker in account.parts if worker != asking and account.parts[worker].leased]
        if self._recall is None or not others:
            return
        answers = await asyncio.gather(*(self._recall(worker, limit, window_us) for worker in others))
        for worker, (back, spent, held) in zip(others, answers, strict=True):
            part = account.parts.get(worker)
            if part is not None:
                part.leased -= back
                part.spent, part.held = max(part.spent, spent), held
