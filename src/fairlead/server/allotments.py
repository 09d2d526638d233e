"""What this replica was granted of one limit in one window, and which worker has how much of it. Arithmetic only."""

import asyncio
import time

from fairlead.gateway.call import Limit
from fairlead.gateway.purse import Lease
from fairlead.ids import now_us
from fairlead.store.leases import Ask, Key, Limited, Standing

TELL_S = 1.0  # how old what the store was told of spending may be


class Clock:
    """What time it is: by the wall, by a clock that never goes back, and a while later."""

    def at_us(self) -> int:
        return now_us()

    def now_s(self) -> float:
        return time.monotonic()

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Part:
    """What one worker has. It may have spent more than it was given: an attempt that cost more than its hold."""

    __slots__ = ("held", "leased", "spent")

    def __init__(self) -> None:
        self.leased = 0
        self.spent = 0
        self.held = 0

    @property
    def in_use(self) -> int:
        return max(self.leased, self.spent + self.held)

    def growth(self, needed: int) -> int:
        """By how much `in_use` grows with so much more leased: less than that where it owes."""
        return max(self.in_use, self.leased + needed) - self.in_use

    def tell(self, spent: int, held: int) -> None:
        self.spent, self.held = spent, held


class Account:
    """`granted` is the store's word, `gone` was spent by workers that have no part any more."""

    def __init__(self, limit: Limit, window_us: int, ends_us: int, since_us: int | None, clock: Clock) -> None:
        self._clock = clock
        self.limit = limit
        self.key: Key = (limit.id, window_us)
        self.unit = limit.unit
        self.window_us = window_us
        self.ends_us = ends_us
        self.since_us = since_us
        self.parts: dict[str, Part] = {}
        self.granted = 0
        self.gone = 0
        self.used_s = clock.now_s()
        self.lock = asyncio.Lock()
        self.is_dropped = False  # there is no such limit any more
        self.is_giving = False
        self.owes = False  # it is to give back all that is not in use, and the store could not be told
        self._beyond = 0  # handed out while the store was away, which it does not know yet
        # as the store said last
        self.is_open = False
        self.is_stale = False
        self.free = 0
        self.unheard: tuple[str, ...] = ()
        self._elsewhere = (0, 0)  # spent and held
        # what was said to the store last
        self.told = (0, 0)
        self._told_s = float("-inf")
        # what is to be asked, and who waits for the answer
        self.needs = False
        self._wanted = (0, False, False, False)
        self.heard: asyncio.Future[Standing] | None = None
        self.refused, self.refused_s = 0, float("-inf")
        self.gave_s = float("-inf")

    @property
    def in_use(self) -> int:
        return self.gone + sum(part.in_use for part in self.parts.values())

    @property
    def idle(self) -> int:
        return self.granted - self.in_use

    @property
    def held(self) -> int:
        return sum(part.held for part in self.parts.values())

    @property
    def is_settled(self) -> bool:
        """All that was in use is spent."""
        return self.in_use == self.spent_and_held()[0] and not self.held

    @property
    def is_idle(self) -> bool:
        """There is something that nobody uses, here or with a worker."""
        return self.granted > sum(self.spent_and_held())

    def want(self, needed: int, *, gives: bool, is_short: bool, leaves: bool) -> None:
        self.needs, self._wanted = True, (needed, gives, is_short, leaves)

    def want_nothing(self) -> None:
        self.needs, self._wanted, self.heard = False, (0, False, False, False), None

    def part(self, worker: str) -> Part:
        return self.parts.setdefault(worker, Part())

    def leave(self, worker: str, spent: int) -> None:
        """A worker has no part any more, but for what it spent."""
        self.gone += spent
        self.parts.pop(worker, None)

    def spent_and_held(self) -> tuple[int, int]:
        return self.gone + sum(part.spent for part in self.parts.values()), self.held

    def stand(self) -> tuple[int, int]:
        """Spent and held by everybody, as far as they have said."""
        spent, held = self.spent_and_held()
        return spent + self._elsewhere[0], held + self._elsewhere[1]

    def shown(self) -> dict[str, int]:
        spent, held = self.stand()
        idle = self.granted - sum(self.spent_and_held())
        return {"amount": self.limit.amount, "spent": spent, "held": held, "idle": max(0, idle)}

    def hand(self, part: Part, needed: int, shares: int) -> Lease:
        """So much, and a share of what is left, so that it is seldom asked for."""
        granted = needed + (self.idle - part.growth(needed)) // shares
        part.leased += granted
        return Lease(granted, *self.stand())

    def go_on(self, growth: int) -> bool:
        """Without the store, up to the whole limit by this replica alone."""
        if self.in_use + growth > self.limit.amount:
            return False
        missing = max(0, growth - self.idle)
        self._beyond += missing
        self.granted += missing
        return True

    def may_get(self, growth: int) -> bool:
        """As far as is known, the store has it."""
        return not self.is_open or self.is_stale or self.free + self.idle >= growth

    def has_news(self) -> bool:
        return self.spent_and_held() != self.told and self._told_s + TELL_S <= self._clock.now_s()

    def ask(self) -> Ask:
        spent, held = self.spent_and_held()
        needed, gives, is_short, leaves = self._wanted
        gives = gives or self.owes
        floor = self.in_use
        if gives:
            self.granted = min(self.granted, floor)  # it goes back: nobody is handed it meanwhile
        return Ask(
            self._limited(),
            floor=floor,
            needed=needed,
            gives=gives,
            is_short=is_short,
            leaves=leaves and self.is_settled,
            spent=spent,
            held=held,
            beyond=self._beyond,
        )

    def learn(self, ask: Ask, standing: Standing) -> None:
        self.granted = standing.granted
        self.free = standing.free
        if ask.gives:  # else it is no answer to whoever is short
            self.unheard = standing.unheard
        self._elsewhere = (standing.spent, standing.held)
        self._beyond -= ask.beyond
        self.owes = self.owes and not ask.gives
        self.told, self._told_s = (ask.spent, ask.held), self._clock.now_s()
        self.is_open, self.is_stale = not ask.leaves, False
        if ask.leaves:  # what was spent is nobody's lease any more; what is said of it from here on comes on top
            self.gone -= ask.floor
            self.since_us = None

    def _limited(self) -> Limited:
        limit = self.limit
        return Limited(
            limit=limit.id,
            window_us=self.window_us,
            ends_us=self.ends_us,
            unit=limit.unit,
            amount=limit.amount,
            scope=limit.scope,
            over=limit.over,
            owner=limit.owner,
            since_us=self.since_us,
        )
