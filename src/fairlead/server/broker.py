"""Who may spend how much: what this replica has leased of each limit, shared out among its workers.

The store grants leases to the replica (`server/leasing.py` asks it, for all accounts at once), the broker hands out
what lies idle of them. Before anybody is denied, what is free in the store is asked for, what lies idle with other
workers is called in, and other replicas are asked to give back theirs. A worker that died keeps its part until its
spool was read; only then is known what it spent. How the store is reached is not known here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from fairlead.errors import Unavailable
from fairlead.gateway.call import Limit
from fairlead.gateway.purse import Lease, News
from fairlead.server.allotments import Account, Clock
from fairlead.store.leases import PLACES, SHARES, Ask, Key, Standing
from fairlead.windows import window_end_us

KEEP_US = 3_600_000_000  # accounts of windows that ended are forgotten after an hour
PATIENCE_S = 2.0  # for the store's answer
INSIST_S = 1.0  # for what other replicas give back
LOOK_AGAIN_S = 0.05
REFUSED_S = 0.5  # what other replicas could not give is not asked of them again so soon
IDLE_S = 60.0  # what nobody asked for so long goes back to the store
AHEAD_US = 3_000_000  # before a window ends, the next one's account is opened

Spent = Callable[[Limit, int, int, str], Awaitable[int]]  # limit, since, until, writer -> what the books say
Recall = Callable[[str, Limit, int], Awaitable[int]]


class Line(Protocol):
    """The way to the store. `hurry`: somebody waits for what `LeaseBroker.asks` gives."""

    @property
    def is_away(self) -> bool:
        """The store could not be reached the last time."""
        ...

    @property
    def is_alone(self) -> bool:
        """No other replica can have a part of any limit: what was free in the store last is free now."""
        ...

    @property
    def living(self) -> int:
        """How many replicas are heard of."""
        ...

    def has_places(self) -> bool:
        """Others still take us for alive, so that our places in flight are ours."""
        ...

    def hurry(self) -> None: ...


class Asked:
    """An account's part in one exchange with the store; `heard` is who waits for it."""

    __slots__ = ("account", "ask", "heard")

    def __init__(self, account: Account, ask: Ask, heard: asyncio.Future[Standing] | None) -> None:
        self.account = account
        self.ask = ask
        self.heard = heard


class LeaseBroker:
    """`recall` lets a worker give back what lies idle, by `tell`, and says how much that was. `spent` asks the books.

    `goes_on`: while the store is away, each replica may hand out up to the whole limit by itself.
    """

    def __init__(
        self,
        line: Line,
        spent: Spent,
        recall: Recall | None = None,
        *,
        goes_on: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._line = line
        self._spent = spent
        self._recall = recall
        self._goes_on = goes_on
        self._clock = clock or Clock()
        self._accounts: dict[Key, Account] = {}
        self._stirred: dict[Key, Account] = {}  # something happened to them since they were last looked at
        self._known: dict[str, Limit] = {}  # the limits in force
        self._since: dict[str, int] = {}  # since when
        self._newest: dict[str, int] = {}  # the latest window of a limit that was asked for
        self._giving: set[asyncio.Task[None]] = set()
        self.beyond = 0  # how often was handed out what the store did not grant

    # --- what workers ask --------------------------------------------------------------------------------------------

    async def lease(
        self, worker: str, limit: Limit, window_us: int, needed: int, spent: int, held: int, workers: int = 1
    ) -> Lease:
        """Raises Unavailable where the store must be asked and is away."""
        account = self._account(limit, window_us)
        part = account.part(worker)
        part.tell(spent, held)
        self._stir(account)
        if not account.lock.locked() and self._may_hand(account) and account.idle >= part.growth(needed):
            return account.hand(part, needed, SHARES * workers)
        async with account.lock:
            failed = await self._get(account, worker, part.growth(needed))
            if account.idle < part.growth(needed) and not self._line.is_alone and failed is None:
                needed += await self._take_back(account, worker)
                failed = await self._insist(account, part.growth(needed))
            if account.idle >= part.growth(needed) and (failed is None or account.unit != PLACES):
                return account.hand(part, needed, SHARES * workers)
            if failed is not None:
                if not self._goes_on or not account.go_on(part.growth(needed)):
                    raise failed
                self.beyond += 1
                return account.hand(part, needed, SHARES * workers)
            return Lease(0, *account.stand())

    def tell(self, worker: str, news: Iterable[News]) -> None:
        """A worker says what became of its parts."""
        for one in news:
            account = self._accounts.get((one.limit, one.window_us))
            part = account.parts.get(worker) if account is not None else None
            if account is None or part is None:
                continue
            part.tell(one.spent, one.held)
            part.leased -= one.back
            if one.is_over:
                account.leave(worker, one.spent)
            self._stir(account)

    def release(self, worker: str) -> None:
        """A worker is gone. What nobody holds any more (a place in flight) comes back at once."""
        for account in self._accounts.values():
            if account.unit == PLACES and worker in account.parts:
                account.leave(worker, 0)
                self._stir(account)

    async def reckon(self, worker: str) -> None:
        """A dead worker's spool was read: what it spent is known now, the rest of its part comes back. Its requests
        are not reckoned one by one: all that it had of them counts as used, for the rest of their minute."""
        for account in list(self._accounts.values()):
            part = account.parts.get(worker)
            if part is None:
                continue
            spent = part.in_use
            if account.unit != "requests" and account.since_us is not None and account.ends_us > self._clock.at_us():
                since_us = max(account.window_us, account.since_us)
                spent = max(part.spent, await self._spent(account.limit, since_us, account.ends_us, worker))
            account.leave(worker, spent)  # in a step of its own: two workers may die at once
            self._stir(account)

    # --- what limits there are ---------------------------------------------------------------------------------------

    def expect(self, limits: Iterable[Limit]) -> None:
        """These limits will be in force in a moment: whatever is spent under one from now on is leased."""
        at_us = self._clock.at_us()
        for limit in limits:
            self._since.setdefault(limit.id, at_us)

    def enforce(self, limits: Iterable[Limit]) -> None:
        """These limits are in force, and no others: what lies idle of one that was lowered or removed goes back."""
        self._known = {limit.id: limit for limit in limits}
        self._since = {id: since_us for id, since_us in self._since.items() if id in self._known}
        for account in self._accounts.values():
            before, account.limit = account.limit, self._known.get(account.limit.id, account.limit)
            account.is_dropped = account.limit.id not in self._known
            if account.is_dropped or account.limit.amount < before.amount:
                self._give_soon(account)
            elif account.limit.amount > before.amount:
                account.is_stale = True  # what is free is more than was said
                self._stir(account)

    # --- what the store is asked -------------------------------------------------------------------------------------

    def asks(self) -> list[Asked]:
        """What there is to say and to ask, of all accounts that something happened to."""
        stirred, self._stirred = self._stirred, {}
        found: list[Asked] = []
        for key, account in stirred.items():
            if self._is_owing(account) or account.needs or account.has_news():
                found.append(Asked(account, account.ask(), account.heard))
                account.want_nothing()
            elif key in self._accounts and account.spent_and_held() != account.told:
                self._stirred[key] = account  # to be told, but not by itself
        return found

    def learned(self, asked: list[Asked], standings: Iterable[Standing]) -> None:
        by_key = {standing.key: standing for standing in standings}
        for one in asked:
            standing = by_key[one.account.key]
            one.account.learn(one.ask, standing)
            if self._is_owing(one.account):
                self._stir(one.account)
            if one.heard is not None and not one.heard.done():
                one.heard.set_result(standing)

    def failed(self, asked: list[Asked], error: Unavailable) -> None:
        """It may be that the store has done it nevertheless: all is said again."""
        for one in asked:
            self._stir(one.account)
            if one.heard is not None and not one.heard.done():
                one.heard.set_exception(error)

    def give_back(self, keys: Iterable[Key]) -> None:
        """Other replicas are short of these."""
        for key in keys:
            if key in self._accounts:
                self._give_soon(self._accounts[key])

    def refresh(self) -> None:
        """What is free in the store is more than was said: a dead holder's leases came back."""
        for account in self._accounts.values():
            account.is_stale = True

    def look_around(self) -> None:
        """Once a second: what will be needed soon, what nobody needs any more, what is over."""
        at_us, now = self._clock.at_us(), self._clock.now_s()
        for account in list(self._accounts.values()):
            if account.ends_us + KEEP_US < at_us and not account.held:
                del self._accounts[account.key]
            elif account.is_dropped:
                if account.is_open:
                    self._give_soon(account)
            elif account.ends_us - AHEAD_US < at_us < account.ends_us and account.used_s + IDLE_S > now:
                self._open_next(account)
            elif account.used_s + IDLE_S < now and account.is_idle and not self._line.is_alone:
                account.used_s = now
                self._give_soon(account)

    def accounts(self) -> Mapping[Key, Account]:
        return self._accounts

    def shown(self) -> dict[tuple[str, str], dict[str, int]]:
        """Of limits that an operator named, in their present windows: what became of them, as far as is known here."""
        at_us = self._clock.at_us()
        return {
            (account.limit.id, account.unit): account.shown()
            for account in self._accounts.values()
            if account.limit.over != "key" and account.window_us <= at_us < account.ends_us
        }

    async def close(self) -> None:
        for giving in self._giving:
            giving.cancel()
        await asyncio.gather(*self._giving, return_exceptions=True)

    # --- within ------------------------------------------------------------------------------------------------------

    def _account(self, limit: Limit, window_us: int) -> Account:
        limit = self._known.get(limit.id, limit)
        account = self._accounts.get((limit.id, window_us))
        if account is None:
            ends_us = 2**63 - 1 if limit.unit == PLACES else window_end_us(limit.window, limit.timezone, window_us)
            newest = self._newest.get(limit.id, window_us)
            since_us = max(window_us, self._since.get(limit.id, 0))
            account = Account(limit, window_us, ends_us, None if window_us < newest else since_us, self._clock)
            self._accounts[account.key] = account
            self._newest[limit.id] = max(newest, window_us)
        account.limit = limit
        account.used_s = self._clock.now_s()
        return account

    def _open_next(self, account: Account) -> None:
        """Its next window, so that nobody waits for the store when it begins."""
        if (account.limit.id, account.ends_us) not in self._accounts:
            following = self._account(account.limit, account.ends_us)
            following.used_s = account.used_s  # it is not used yet: else there would be a next one for ever
            self._stir(following)

    def _stir(self, account: Account) -> None:
        self._stirred[account.key] = account

    def _is_owing(self, account: Account) -> bool:
        """Is there something that nobody waits for, but that the store should do?"""
        if account.owes or account.in_use > account.granted or not (account.is_open or account.is_dropped):
            return True
        if account.is_dropped or account.gave_s + INSIST_S > self._clock.now_s():
            return False  # who was short may have it first
        return account.idle < max(0, account.free + account.idle) // (SHARES * self._line.living) // 2

    def _may_hand(self, account: Account) -> bool:
        return account.unit != PLACES or self._line.has_places()

    async def _get(self, account: Account, worker: str, growth: int) -> Unavailable | None:
        """Get so much idle, from wherever it can be had; the lock is held. Gives why the store could not be asked."""
        failed: Unavailable | None = None
        if not self._may_hand(account):
            failed = _away()
        if account.idle < growth and account.may_get(growth):
            failed = await self._ask(account, growth)
        if account.idle < growth:
            await self._call_in(account, worker)
        return failed

    async def _ask(
        self, account: Account, needed: int, *, gives: bool = False, is_short: bool = False, leaves: bool = False
    ) -> Unavailable | None:
        if self._line.is_away:
            self._stir(account)
            return _away()
        account.want(needed, gives=gives, is_short=is_short, leaves=leaves)
        heard = account.heard = asyncio.get_running_loop().create_future()
        self._stir(account)
        self._line.hurry()
        try:
            await asyncio.wait_for(heard, PATIENCE_S)
        except (TimeoutError, Unavailable) as error:
            account.want_nothing()
            return error if isinstance(error, Unavailable) else _away()
        return None

    async def _call_in(self, account: Account, asking: str) -> None:
        """Take back what lies idle with other workers."""
        others = [worker for worker, part in account.parts.items() if worker != asking and part.leased]
        await asyncio.gather(*(self._take_back(account, worker) for worker in others))

    async def _take_back(self, account: Account, worker: str) -> int:
        """What lies idle with one worker. Gives how much that was."""
        return 0 if self._recall is None else await self._recall(worker, account.limit, account.window_us)

    async def _insist(self, account: Account, growth: int) -> Unavailable | None:
        """The other replicas are asked to give back what lies idle; theirs is the last word, or a second of silence.
        Ours is given back meanwhile (whoever asks had to, too), so that two who are short don't wait for each other."""
        now = self._clock.now_s()
        if account.refused_s + REFUSED_S > now and (growth >= account.refused or not account.may_get(growth)):
            return None  # all that others had is free by now, and too little: who waited meanwhile need not ask, too
        ends = now + INSIST_S
        failed = await self._ask(account, growth, gives=True, is_short=True)
        while failed is None and account.idle < growth and account.unheard and self._clock.now_s() < ends:
            await self._clock.pause(LOOK_AGAIN_S)
            failed = await self._ask(account, growth, gives=True)
        if failed is None and account.idle < growth:
            account.refused, account.refused_s = growth, self._clock.now_s()
        return failed

    def _give_soon(self, account: Account) -> None:
        if account.is_giving:
            return
        account.is_giving = True
        giving = asyncio.create_task(self._give(account))
        self._giving.add(giving)
        giving.add_done_callback(self._giving.discard)

    async def _give(self, account: Account) -> None:
        """Back to the store with all that is not in use. Where that can't be said now, it is said when it can."""
        async with account.lock:
            account.is_giving = False  # whoever is short from here on is short of what is left afterwards
            account.gave_s = self._clock.now_s()
            await self._call_in(account, "")
            if await self._ask(account, 0, gives=True, leaves=account.is_dropped and account.is_settled) is not None:
                account.owes = True
                account.granted = min(account.granted, account.in_use)


def _away() -> Unavailable:
    return Unavailable(
        "what is left of a limit can't be told: the store is away, and what this replica had leased is used up",
        hint="try again later; [store] when_away tells what happens then, the log of `fairlead serve` why",
        code="store_unavailable",
    )
