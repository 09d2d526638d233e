"""The keys as this replica knows them: read from the store when they changed, kept in a file for when it is away.

The store is asked twice a second whether keys changed, by one number, so that what another replica did is known here
within a second. A revocation counts here at once: it is noted in a file, and told to the store when that can be had.
With the file a replica starts while the store is away. Only hashes of keys are in it. What a key allows is not known
here, nor how workers are told.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fairlead.app import limits
from fairlead.config import Limits
from fairlead.errors import NotFound, OperatorError, Unavailable
from fairlead.gateway.call import Caller, Limit
from fairlead.ids import now_us
from fairlead.server.office import KeyShown, Office, shown
from fairlead.store.keys import KeyRow, LiveKey, named

log = logging.getLogger("fairlead.keys")
LOOK_EVERY_S = 0.5
SAVE_EVERY_S = 60.0  # the moment as of which the file is true, where nothing else changes in it
KEYS, REVOKED = "keys.json", "revoked.json"
SECOND_US = 1_000_000
T = TypeVar("T")

Tell = Callable[[dict[str, Caller]], Awaitable[None]]


class Known(Struct, frozen=True):
    """All keys, as the store had them at `as_of_us`; `edition` is the number that says whether they changed since."""

    as_of_us: int
    edition: int
    keys: tuple[LiveKey, ...]


class Revoked(Struct, frozen=True):
    """A revocation that the store has not been told of."""

    key: str
    by: str
    at_us: int


class Keyring:
    """`tell` hands all callers to the workers. Nothing here needs the store but a start without a file."""

    def __init__(self, office: Office, folder: Path, tell: Tell) -> None:
        self._office = office
        self._folder = folder
        self._tell_workers = tell
        self._known = Known(0, 0, ())
        self._revoked: tuple[Revoked, ...] = ()
        self._told = True  # what is known, to the workers
        self._saved_us = 0
        self._turn = asyncio.Lock()
        self._running: asyncio.Task[None] | None = None
        self.is_current = False  # the store said so when it was last asked

    async def open(self, good_for_s: float) -> None:
        """Learn the keys: from the store, or where it is away from the file, if that is not older than `good_for_s`.
        Raises OperatorError where neither can be had."""
        self._revoked = _read(self._folder / REVOKED, tuple[Revoked, ...]) or ()
        try:
            await self._carry_over()
            await self._take()
        except Unavailable as error:
            self._remember(error, good_for_s)

    def start(self) -> None:
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        if self.is_current:
            self._save()

    def age_s(self) -> float:
        """Seconds since the keys were known to be those of the store; 0 while they are."""
        return 0.0 if self.is_current else max(0.0, (now_us() - self._known.as_of_us) / SECOND_US)

    def callers(self) -> dict[str, Caller]:
        """All that workers must know, by the digest of each secret."""
        return callers(self._rows())

    async def look(self) -> None:
        """Returns when all workers know what the store has now. Raises Unavailable where it is away."""
        async with self._turn:
            try:
                await self._carry_over()
                edition = await self._office.keys_edition()
                if edition != self._known.edition:
                    await self._take()
            except Unavailable as error:
                self._lost(error)
                raise
            self._found()
        if not self._told:
            await self._tell()

    async def revoke(self, ref: str, *, by: str) -> KeyShown:
        """A key that is known here is dead here when this returns, whether the store can be told or not. Raises
        NotFound; Unavailable where the store is away and the key is not known here, or a worker does not answer."""
        found = named((key.row for key in self._rows() if key.row.revoked_us is None), ref)
        if len(found) != 1:  # it may be newer than what is known here
            gone = await self._office.revoke_key(ref, by=by)
            await self.look()
            return gone
        row = replace(found[0], revoked_us=now_us())
        is_noted = self._note((*self._revoked, Revoked(row.id, by, row.revoked_us or 0)))
        await self._tell()
        with contextlib.suppress(Unavailable):
            await self.look()
        is_pending = any(one.key == row.id for one in self._revoked)
        if is_pending and not is_noted:
            raise Unavailable(
                f"key {row.name!r} is dead here, but neither the store nor {self._folder / REVOKED} took note of it",
                hint="after a restart it would live: see to the disk, then revoke it again",
                code="store_unavailable",
            )
        return shown(row, (), pending=is_pending)

    # --- what is known ---

    def _rows(self) -> Iterable[LiveKey]:
        """The keys, those revoked that were revoked here."""
        dead = {one.key: one.at_us for one in self._revoked}
        for key in self._known.keys:
            at_us = dead.get(key.row.id)
            if at_us is not None and key.row.revoked_us is None:
                yield replace(key, row=replace(key.row, revoked_us=at_us))
            else:
                yield key

    async def _take(self) -> None:
        """What the store has. Raises Unavailable."""
        edition, keys = await self._office.known_keys()
        self._known = Known(now_us(), edition, keys)
        self._told, self.is_current = False, True
        self._save()

    async def _tell(self) -> None:
        self._told = False
        await self._tell_workers(self.callers())
        self._told = True

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with contextlib.suppress(Unavailable):  # it was logged, and is tried again
                await self.look()

    def _found(self) -> None:
        if not self.is_current:
            log.warning("the store tells the keys again")
        self.is_current = True
        self._known = replace(self._known, as_of_us=now_us())
        if self._known.as_of_us - self._saved_us > SAVE_EVERY_S * SECOND_US:
            self._save()

    def _lost(self, error: Unavailable) -> None:
        if self.is_current:
            log.warning("keys are as they were: %s", error.message)
            self._save()
        self.is_current = False

    # --- what is on disk ---

    def _save(self) -> None:
        self._saved_us = now_us()
        _write(self._folder / KEYS, self._known)

    def _note(self, revoked: tuple[Revoked, ...]) -> bool:
        self._revoked = revoked
        return _write(self._folder / REVOKED, revoked)

    def _remember(self, error: Unavailable, good_for_s: float) -> None:
        known = _read(self._folder / KEYS, Known)
        if known is None:
            raise OperatorError(
                f"{error.message}; and without {self._folder / KEYS} nobody's key is known", hint=error.hint
            ) from error
        self._known = known
        age_s = self.age_s()
        if age_s > good_for_s:
            raise OperatorError(
                f"{error.message}; and the keys in {self._folder / KEYS} are {age_s / 3600:.1f} h old",
                hint="`keys_good_for` in [store] says how old they may be where the store is away",
            ) from error
        log.warning("the store is away: starting with %d keys as of %.0f s ago", len(known.keys), age_s)

    async def _carry_over(self) -> None:
        """What was revoked while the store was away."""
        waiting = self._revoked
        for one in waiting:
            with contextlib.suppress(NotFound):  # somebody did it meanwhile
                await self._office.revoke_key(one.key, by=one.by)
        if waiting:
            await self._take()
            self._note(tuple(one for one in self._revoked if one not in waiting))


def callers(keys: Iterable[LiveKey]) -> dict[str, Caller]:
    """Each secret of each key, by its digest."""
    found: dict[str, Caller] = {}
    for key in keys:
        now = _caller(key)
        found[key.row.hash] = now
        for past in key.row.past:
            ends_us = past.expires_us if now.expires_us is None else min(past.expires_us, now.expires_us)
            found[past.hash] = replace(now, expires_us=ends_us, rotated=True)
    return found


def _caller(key: LiveKey) -> Caller:
    row: KeyRow = key.row
    people = f"key {row.name}"
    rates = Limits(
        requests_per_minute=row.limits.requests_per_minute,
        tokens_per_minute=row.limits.tokens_per_minute,
        concurrent=row.limits.concurrent,
    )
    made = limits("key", row.id, people, "", rates, "UTC")
    made += tuple(
        Limit(
            id=f"key:{row.id}:{budget.unit}:{budget.window}",
            scope=people,
            unit=budget.unit,  # type: ignore[arg-type]  # the store holds no other
            amount=budget.amount,
            window=budget.window,  # type: ignore[arg-type]
            timezone=budget.timezone,
            over="key",
            owner=row.id,
        )
        for budget in key.budgets
    )
    return Caller(
        key=row.id,
        name=row.name,
        team=row.team,
        routes=row.routes,
        zone=row.zone,  # type: ignore[arg-type]
        limits=made,
        expires_us=row.expires_us,
        revoked=row.revoked_us is not None,
    )


def _read(path: Path, kind: type[T]) -> T | None:
    """None where there is none, or what is there can't be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        log.error("%s can't be read: %s", path, error)
        return None


def _write(path: Path, value: object) -> bool:
    """Whole or not at all, and on the disk; for its owner alone. False where it could not be: what is known stands."""
    fresh = path.with_suffix(".new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(value))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        log.error("%s can't be written: %s", path, error)
        return False
    return True
