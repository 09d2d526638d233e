"""The steward's leasing room: what this replica leases from the store, for all limits at once, off the event loop.

One transaction at a time carries all that the broker has to ask and to say; whoever waits is in the next. While the
store is away nothing is asked twice a tick, and nobody waits for it. Replicas know each other by their beats in the
store, each by its own monotonic clock: one that is not heard of is counted as gone after `LIVING_S`, and its places in
flight are free after `PLACES_S`; a replica whose own beats don't arrive stops using its places before that. What dead
lives of this replica had leased ends when their spools are in the books.
"""

import asyncio
import contextlib
import logging
import os
import platform
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from fairlead.errors import InUse, Unavailable
from fairlead.ids import new_id, now_us
from fairlead.server.broker import Asked, LeaseBroker
from fairlead.server.premises import Replica
from fairlead.store import leases, replicas
from fairlead.store.leases import Ask, Key, Standing
from fairlead.store.opening import Connection, Store
from fairlead.store.replicas import ReplicaRow

log = logging.getLogger("fairlead.leases")
TICK_S = 0.25
BEAT_S = 1.0
SLOW_S = 2.0  # an exchange that takes longer: the store counts as away until it ends
LIVING_S = 5.0  # without a beat: it is not waited for any more
PLACES_OURS_S = 8.0  # without a beat of ours: our places may soon be somebody else's
PLACES_S = 15.0  # without a beat: its places are free
WATCH_S = 3.0  # where a name was used somewhere else, as long is looked whether it still is
FORGET_EVERY_S = 60.0
KEPT_US = 3_600_000_000  # accounts of windows that ended
T = TypeVar("T")


class Neighbours:
    """Who is heard of, by the clock of whoever listens."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[str, int, float]] = {}  # replica -> life, beat, since when
        self._looked = float("-inf")

    def hear(self, rows: list[ReplicaRow], now: float) -> None:
        if now - self._looked > LIVING_S:  # who was not listened to for long can't be said to be silent
            self._heard = {id: (life, beat, now) for id, (life, beat, _) in self._heard.items()}
        self._looked = now
        for row in rows:
            known = self._heard.get(row.id)
            if known is None or known[:2] != (row.life, row.beat):
                self._heard[row.id] = (row.life, row.beat, now)

    def silent_s(self, id: str) -> float:
        """For how long, until it was last listened; 0 for one that was never listened to."""
        return self._looked - self._heard[id][2] if id in self._heard else 0.0


class LeasingRoom:
    """`ship` brings this replica's records into the store. A store that is not `is_shared` is this replica's alone."""

    def __init__(
        self, store: Store, replica: Replica, spools: Path, *, is_shared: bool, ship: Callable[[], Awaitable[bool]]
    ) -> None:
        self.broker: LeaseBroker
        self.replica = replica
        self._renewed_to: Callable[[], None]
        self._lost: Callable[[InUse], None]
        self._store = store
        self._spools = spools
        self._is_shared = is_shared
        self._ship = ship
        self._this = ReplicaRow(replica.id, replica.epoch, new_id(), 0, place_of(spools.parent), now_us(), False)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leases")
        self._running: asyncio.Task[None] | None = None
        self._hurried = asyncio.Event()
        self._neighbours = Neighbours()
        self._living = frozenset({replica.holder})
        self._dead: list[str] = []  # earlier lives of ours that still have leases
        self._silent: set[str] = set()  # who was not heard of for so long that its places are free
        self._is_entered = False
        self._failed = ""
        self._asked_s: float | None = None  # since when an answer is waited for
        self._renewed_s = time.monotonic()
        self._looked_s = self._forgot_s = 0.0
        self._shipped_us = 0  # what was booked before stands in the store

    def serve(self, broker: LeaseBroker, *, renewed: Callable[[], None], lost: Callable[[InUse], None]) -> None:
        """`renewed` is called when the others have heard of us, `lost` when another process has our name."""
        self.broker, self._renewed_to, self._lost = broker, renewed, lost

    # --- what the broker knows of the store --------------------------------------------------------------------------

    @property
    def is_away(self) -> bool:
        slow = self._asked_s is not None and time.monotonic() - self._asked_s > SLOW_S
        return bool(self._failed) or slow

    @property
    def is_alone(self) -> bool:
        return not self._is_shared

    @property
    def living(self) -> int:
        return len(self._living)

    @property
    def places_s(self) -> float:
        """How long after a beat our places in flight are ours; 0: for ever."""
        return PLACES_OURS_S if self._is_shared else 0.0

    def has_places(self) -> bool:
        return not self._is_shared or time.monotonic() - self._renewed_s < PLACES_OURS_S

    def hurry(self) -> None:
        self._hurried.set()

    # --- beginning and end -------------------------------------------------------------------------------------------

    async def enter(self, another: Callable[[int], Replica]) -> None:
        """Be one of the replicas of the store. `another` gives a later life, where the store knows of one that this
        data directory does not (it was restored from a copy). Raises InUse where the name is in use elsewhere; where
        the store is away, that is found out when it is back."""
        try:
            found = await self._in_thread(self._find)
            if found is not None and await self._is_in_use(found):
                raise _taken(found)
            if found is not None and found.epoch >= self.replica.epoch:
                self.replica = another(found.epoch)
                self._this = ReplicaRow(self.replica.id, self.replica.epoch, *_rest(self._this))
                self._living = frozenset({self.replica.holder})
            await self._in_thread(lambda: self._enter(found))
        except Unavailable as error:
            self._tell(error.message)

    def start(self) -> None:
        self._running = asyncio.create_task(self._run())
        self._running.add_done_callback(_say_why)

    async def close(self) -> None:
        """All workers are gone. What they spent is in the books, if the store could be reached; then nothing of ours
        is leased any more. Else the next start sees to it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.broker.close()
        if self._is_entered and not self.is_away:
            with contextlib.suppress(Unavailable):
                if not _has_spools(self._spools, self.replica.writers):
                    while await self._reckon_some(self.replica.holder):
                        pass
                await self._in_thread(self._leave)
        self._thread.shutdown(wait=not self.is_away, cancel_futures=True)

    # --- turns -------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), TICK_S)
            if self.is_away:
                await asyncio.sleep(TICK_S)  # hurrying does not bring it back
            self._hurried.clear()
            await self._turn()

    async def _turn(self) -> None:
        now = time.monotonic()
        looks = now - self._looked_s >= BEAT_S
        if looks:
            self._looked_s = now
            self.broker.look_around()
        asked = self.broker.asks()
        self._asked_s = now
        try:
            await self._exchange(asked, beats=looks and self._is_shared)
            await self._tidy(now)
        except Unavailable as error:
            self._tell(error.message)
            self.broker.failed(asked, error)
        except InUse as error:
            self._tell(error.message)
            self.broker.failed(asked, Unavailable(error.message, hint=error.hint, code="store_unavailable"))
            self._lost(error)
        else:
            self._tell("")
        finally:
            self._asked_s = None

    async def _exchange(self, asked: list[Asked], *, beats: bool) -> None:
        beats = beats or bool(self._failed)  # is it back?
        if not self._is_entered:
            await self._enter_late()
        if not (asked or beats or (self._is_shared and self.broker.accounts())):
            return
        await self._catch_up(asked)
        began = time.monotonic()
        standings, short, rows = await self._in_thread(lambda: self._converse([one.ask for one in asked], beats=beats))
        self.broker.learned(asked, standings)
        self.broker.give_back(short)
        if beats:
            self._renewed_s = began
            self._hear(rows)
            self._renewed_to()

    async def _catch_up(self, asked: list[Asked]) -> None:
        """What was spent before a limit was there must be in the books when its account is opened."""
        until_us = max((_told_until_us(one.ask.of) for one in asked if not one.account.is_open), default=0)
        if until_us > self._shipped_us:
            at_us = now_us()
            if not await self._ship():
                raise Unavailable("what was spent before is not in the store yet", code="store_unavailable")
            self._shipped_us = at_us

    async def _enter_late(self) -> None:
        """The store was away when we started."""
        found = await self._in_thread(self._find)
        if found is not None and (found.epoch >= self.replica.epoch or await self._is_in_use(found)):
            raise _taken(found)
        await self._in_thread(lambda: self._enter(found))

    async def _is_in_use(self, found: ReplicaRow) -> bool:
        """In the same place our lock on the directory says that it is not. Elsewhere it is, as long as it beats."""
        if found.has_left or found.place == self._this.place or not self._is_shared:
            return False
        ends = time.monotonic() + WATCH_S
        while time.monotonic() < ends:
            await asyncio.sleep(TICK_S)
            seen = await self._in_thread(self._find)
            if seen is not None and (seen.life, seen.beat) != (found.life, found.beat):
                return True
        return False

    async def _tidy(self, now: float) -> None:
        """A little of what nobody waits for."""
        for holder in list(self._dead):
            if not _has_spools(self._spools, leases.writers_of(holder)) and not await self._reckon_some(holder):
                self._dead.remove(holder)
                self.broker.refresh()
        if now - self._forgot_s > FORGET_EVERY_S:
            self._forgot_s = now
            await self._in_thread(self._forget)

    async def _reckon_some(self, holder: str) -> int:
        """Of a holder whose spools are all in the store. Gives how many of its leases ended; more may be left."""
        return await self._in_thread(lambda: self._reckon(holder))

    def _hear(self, rows: list[ReplicaRow]) -> None:
        self._neighbours.hear(rows, time.monotonic())
        heard = {row.holder for row in rows if not row.has_left and self._neighbours.silent_s(row.id) < LIVING_S}
        self._living = frozenset(heard | {self.replica.holder})

    def _tell(self, failed: str) -> None:
        """Once, not with every turn."""
        if failed and not self._failed:
            log.warning("the store is away: what was leased is spent (%s)", failed)
        elif self._failed and not failed:
            log.warning("the store grants leases again")
        self._failed = failed

    # --- in the thread -----------------------------------------------------------------------------------------------

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """A cancelled caller leaves it to its end: the next one waits for the thread."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    def _find(self) -> ReplicaRow | None:
        with self._store.read() as connection:
            return replicas.find_replica(connection, self.replica.id)

    def _enter(self, found: ReplicaRow | None) -> None:
        with self._store.begin() as connection:
            if not replicas.enter(connection, self._this, found):
                raise _taken(found or self._this)
            holders = leases.holders_of(connection, self.replica.id)
        self._dead = [holder for holder in holders if holder != self.replica.holder]
        self._is_entered = True

    def _converse(self, asks: list[Ask], *, beats: bool) -> tuple[list[Standing], list[Key], list[ReplicaRow]]:
        standings: list[Standing] = []
        rows: list[ReplicaRow] = []
        at_us, holder = now_us(), self.replica.holder
        with self._store.begin() if asks or beats else self._store.read() as connection:
            if beats:
                if not replicas.beat(connection, self._this, at_us):
                    raise _taken(self._this)
                rows = replicas.list_replicas(connection)
                self._drop_places(connection, rows)
            if asks:
                standings = leases.exchange(connection, holder, asks, living=self._living, at_us=at_us)
            short = leases.wanted(connection, holder) if self._is_shared else []
        return standings, short, rows

    def _drop_places(self, connection: Connection, rows: list[ReplicaRow]) -> None:
        silent = {row.holder for row in rows if not row.has_left and self._neighbours.silent_s(row.id) > PLACES_S}
        for holder in silent - self._silent:
            leases.drop_places(connection, holder)
        self._silent = silent

    def _reckon(self, holder: str) -> int:
        with self._store.read() as connection:
            spent = leases.reckon(connection, holder, leases.writers_of(holder), now_us())
        if spent:
            with self._store.begin() as connection:
                leases.end(connection, holder, spent, now_us())
        return len(spent)

    def _forget(self) -> None:
        with self._store.begin() as connection:
            leases.forget_ended(connection, now_us() - KEPT_US)

    def _leave(self) -> None:
        with self._store.begin() as connection:
            replicas.leave(connection, self._this, now_us())


def place_of(data_dir: Path) -> str:
    """This machine since it was started, and the directory. A copy of either is another place."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    machine = boot.read_text(encoding="ascii").strip() if boot.exists() else ""
    found = data_dir.resolve()
    inode = found.stat().st_ino if found.exists() else 0
    return f"{platform.node()} {machine} {found} {inode}"


def _has_spools(spools: Path, writers: str) -> bool:
    """Is there a spool of these writers that is not in the store yet?"""
    if not spools.is_dir():
        return False
    names = (entry.name for entry in os.scandir(spools) if entry.is_dir())
    return any(name.startswith(writers) and not name.endswith(".gone") for name in names)


def _told_until_us(of: leases.Limited) -> int:
    """Until when the books are asked what was spent of a limit in its window; 0: not at all."""
    if of.unit == leases.PLACES:
        return 0
    since_us = now_us() if of.since_us is None else of.since_us
    return since_us if since_us > of.window_us else 0


def _rest(row: ReplicaRow) -> tuple[str, int, str, int, bool]:
    return row.life, row.beat, row.place, row.seen_us, row.has_left


def _taken(found: ReplicaRow) -> InUse:
    return InUse(
        f"a second steward on one store: another process uses the name {found.id} of this data directory "
        f"(it was last started at {found.place})",
        hint="one of the two directories is a copy of the other: stop this one, remove `replica.id` and `spool` there, "
        "and start it again",
    )


def _say_why(running: asyncio.Task[None]) -> None:
    if not running.cancelled() and running.exception() is not None:
        log.error("leases can't be had any more: restart", exc_info=running.exception())
