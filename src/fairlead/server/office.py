"""The steward's office: keys, calls and configurations in the store, as the admin listener and the command line ask.

Every method runs off the event loop. What is asked over HTTP or on a terminal is not known here.
"""

import asyncio
import base64
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from fairlead.app import limits
from fairlead.config import BUDGET, LARGEST, Config, Limits
from fairlead.errors import InUse, NotFound, OperatorError, RequestInvalid
from fairlead.gateway.call import Limit
from fairlead.ids import now_us
from fairlead.money import format_usd
from fairlead.spans import seconds_of
from fairlead.store import budgets, calls, configs, contents, editions, keys, leases, replicas, retention
from fairlead.store.audit import note
from fairlead.store.calls import CallRow, CallShown, Summary
from fairlead.store.contents import ContentRow
from fairlead.store.evals.retention import forget_where
from fairlead.store.keys import KeyLimits, KeyRow, LiveKey
from fairlead.store.leases import AccountRow
from fairlead.store.opening import Connection, Store, open_store
from fairlead.store.recordings import Recorded

T = TypeVar("T")
log = logging.getLogger("fairlead.office")
QUICK_START = "quickstart"
QUICK_START_HOURS = 24
DAY_US = 86_400_000_000
LONGEST_OVERLAP_S = 366 * 86_400
SILENCE_S = 5.0  # a replica that lives beats every second
LISTEN_EVERY_S = 0.25


class KeyWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made. `budget` as in the configuration ("5usd/day"), "" for none; `expires_us` None: never."""

    name: str
    routes: tuple[str, ...] = ("*",)
    team: str = ""
    zone: str = "public"
    budget: str = ""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    expires_us: int | None = None


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    """`overlap_s`: how long what was the secret is good for yet."""

    overlap_s: int = 86_400


class PastShown(Struct, frozen=True):
    """A secret that was rotated away, until it expires."""

    prefix: str
    expires_us: int


class KeyShown(Struct, frozen=True):
    """A key as people see it: without its hashes, with its budgets. `pending`: the store has not been told yet that it
    is revoked."""

    id: str
    name: str
    prefix: str
    team: str
    routes: tuple[str, ...]
    zone: str
    budgets: tuple[str, ...]
    limits: KeyLimits
    created_us: int
    expires_us: int | None
    revoked_us: int | None
    past: tuple[PastShown, ...] = ()
    pending: bool = False


class Released(Struct, frozen=True):
    """How many leases of a lost replica ended, of how many of its lives."""

    replica: str
    lives: int
    leases: int


class KeyMade(Struct, frozen=True):
    """`secret` is shown this once and kept nowhere."""

    key: KeyShown
    secret: str


class ContentShown(Struct, frozen=True):
    """What was recorded of a call: `kind` is request or answer, as it was on the wire. `encoding` is utf-8, or base64
    where the bytes are no text."""

    kind: str
    at_us: int
    zone: str
    expires_us: int
    body: str
    encoding: str = "utf-8"


class Whose(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose content: a call's, by its id, or that of all calls of a key. Exactly one of both."""

    call: str = ""
    key: str = ""


class Forgotten(Struct, frozen=True):
    count: int


class CallFilter(Struct, frozen=True):
    since_us: Annotated[int, Meta(ge=0, lt=LARGEST)] = 0
    until_us: Annotated[int, Meta(ge=0, lt=LARGEST)] | None = None
    route: str | None = None
    key: str | None = None
    status: str | None = None
    target: str | None = None
    limit: Annotated[int, Meta(ge=1, lt=LARGEST)] = 50


class Office:
    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    async def open(cls, place: Path | str, *, create: bool = True, patient: bool = False) -> "Office":
        """On the store in a data directory, or at a URL. Raises StoreMismatch; OperatorError where it can't be reached,
        unless `patient`."""
        return cls(await asyncio.to_thread(lambda: open_store(place, create=create, patient=patient)))

    def close(self) -> None:
        self.store.close()

    async def keep_response(
        self, *, response: str, owner: str, call: str, zone: str, at_us: int, expires_us: int, body: bytes
    ) -> None:
        def write(connection: Connection) -> None:
            contents.keep_response(
                connection,
                response=response,
                owner=owner,
                call=call,
                zone=zone,
                at_us=at_us,
                expires_us=expires_us,
                body=body,
            )

        await self._write(write)

    async def find_response(self, response: str, owner: str) -> tuple[bytes, str] | None:
        return await self._read(
            lambda connection: contents.find_response(connection, response=response, owner=owner, at_us=now_us())
        )

    async def forget_response(self, response: str, owner: str) -> bool:
        return await self._write(
            lambda connection: contents.forget_response(connection, response=response, owner=owner)
        )

    async def record(self, said: list[Recorded]) -> None:
        await self._write(lambda connection: contents.record(connection, said))

    async def content(self, ref: str, *, by: str) -> list[ContentShown]:
        """What was recorded of a call; that it was read is noted. Raises NotFound."""

        def read(connection: Connection) -> list[ContentShown]:
            call = calls.show_call(connection, ref).call.id
            return [_content(row) for row in contents.recorded(connection, call, at_us=now_us(), actor=by)]

        return await self._write(read)

    async def forget_content(self, whose: Whose, *, by: str) -> Forgotten:
        """Raises NotFound where there is no such call or key, RequestInvalid where not one of both is named."""
        if bool(whose.call) == bool(whose.key):
            raise RequestInvalid("either a call or a key is named", hint='{"call": "ID"} or {"key": "NAME"}')

        def write(connection: Connection) -> Forgotten:
            if whose.call:
                call = calls.show_call(connection, whose.call).call.id
                return Forgotten(contents.forget(connection, call=call, actor=by))
            found = keys.named(keys.list_keys(connection, revoked=True), whose.key)
            if not found:
                raise NotFound(f'no key is called "{whose.key}"', hint="fairlead key list --revoked shows all")
            return Forgotten(sum(contents.forget(connection, key=row.id, actor=by) for row in found))

        return await self._write(write)

    async def forget_expired(self) -> None:
        """What was kept of responses; secrets that were rotated away, a day after their end."""

        def write(connection: Connection) -> None:
            contents.forget_expired(connection, now_us())
            keys.forget_past_secrets(connection, now_us() - DAY_US)

        await self._write(write)

    async def prune(self, keep: str) -> None:
        """Rows of the books that are older than `keep` ("": none is) go."""
        seconds = seconds_of(keep)
        before_us = now_us() - seconds * 1_000_000 if seconds else 0
        try:
            done = await asyncio.to_thread(retention.prune, self.store, before_us)
        except OperatorError as error:
            log.error("%s; %s", error.message, error.hint)
            return
        if done.failed:
            log.warning("old partitions are left for the next time: %s", done.failed)

    async def forget_runs(self, keep: str, data_dir: Path, url: str) -> None:
        """Evaluations that ended longer than `keep` ("": for ever) ago go, but for those that are kept, that people
        have labelled, or that somebody writes."""
        if seconds := seconds_of(keep):
            before_us = now_us() - seconds * 1_000_000
            try:
                done = await asyncio.to_thread(forget_where, data_dir, url, self.store, before_us)
            except OperatorError as error:
                log.error("%s; %s", error.message, error.hint)
                return
            if done.runs:
                log.info("%d evaluations older than %s are forgotten, %d stay", done.runs, keep, len(done.left))

    async def new_key(self, wanted: KeyWanted, *, by: str, timezone: str = "UTC") -> KeyMade:
        """Raises RequestInvalid for a name that is taken or a budget that is none."""
        budget = _budget(wanted.budget)
        rates = KeyLimits(wanted.requests_per_minute, wanted.tokens_per_minute, wanted.concurrent)
        for name in rates.__struct_fields__:
            rate = getattr(rates, name)
            if rate is not None and not 1 <= rate < LARGEST:
                raise RequestInvalid(f"a limit must be at least 1, {name} is {rate}", hint="leave it out for none")
        if wanted.expires_us is not None and not 0 <= wanted.expires_us < LARGEST:
            raise RequestInvalid("`expires_us` is no time", hint="microseconds since 1970, UTC", param="expires_us")

        def write(connection: Connection) -> KeyMade:
            row, secret = keys.new_key(
                connection,
                name=wanted.name,
                actor=by,
                team=wanted.team,
                routes=wanted.routes,
                zone=wanted.zone,
                limits=rates,
                expires_us=wanted.expires_us,
            )
            if budget:
                amount, window = budget
                budgets.add_budget(
                    connection,
                    scope="key",
                    scope_id=row.id,
                    unit="nusd",
                    amount=amount,
                    window=window,
                    timezone=timezone,
                    actor=by,
                )
            return KeyMade(shown(row, (wanted.budget,) if budget else ()), secret)

        return await self._write(write)

    async def keys(self, *, revoked: bool = False) -> list[KeyShown]:
        def read(connection: Connection) -> list[KeyShown]:
            of = _budgets(connection)
            return [shown(row, of.get(row.id, ())) for row in keys.list_keys(connection, revoked=revoked)]

        return await self._read(read)

    async def revoke_key(self, ref: str, *, by: str) -> KeyShown:
        """Raises NotFound."""
        return shown(await self._write(lambda connection: keys.revoke_key(connection, ref, actor=by)), ())

    async def rotate_key(self, ref: str, wanted: Rotation, *, by: str) -> KeyMade:
        """A new secret for the same key. Raises NotFound, RequestInvalid."""
        if not 0 <= wanted.overlap_s <= LONGEST_OVERLAP_S:
            raise RequestInvalid("so long can no two secrets be good", hint="a year at most", param="overlap_s")

        def write(connection: Connection) -> KeyMade:
            overlap_us = wanted.overlap_s * 1_000_000
            row, secret = keys.rotate_key(connection, ref, overlap_us=overlap_us, actor=by)
            return KeyMade(shown(row, _budgets(connection).get(row.id, ())), secret)

        return await self._write(write)

    async def keys_edition(self) -> int:
        """It differs from before where keys changed."""
        return await self._read(lambda connection: editions.edition(connection, "keys"))

    async def known_keys(self) -> tuple[int, tuple[LiveKey, ...]]:
        """All keys as the road needs them, and their edition. It is read first: what changes meanwhile is read anew."""
        return await self._read(lambda one: (editions.edition(one, "keys"), tuple(keys.live_keys(one))))

    async def quick_start_key(self) -> str:
        """A fresh key that is good for a day, for a server without a configuration file."""
        now = now_us()
        name = f"{QUICK_START}-{now}"
        expires_us = now + QUICK_START_HOURS * 3_600_000_000
        return (await self.new_key(KeyWanted(name=name, zone="private", expires_us=expires_us), by="serve")).secret

    async def calls(self, wanted: CallFilter) -> list[CallRow]:
        return await self._read(
            lambda connection: calls.list_calls(
                connection,
                since_us=wanted.since_us,
                until_us=wanted.until_us,
                route=wanted.route,
                key=wanted.key,
                status=wanted.status,
                target=wanted.target,
                limit=wanted.limit,
            )
        )

    async def call(self, ref: str) -> CallShown:
        """Raises NotFound."""
        return await self._read(lambda connection: calls.show_call(connection, ref))

    async def summary(self, by: tuple[str, ...], since_us: int) -> list[Summary]:
        return await self._read(lambda connection: calls.summarize(connection, by=by, since_us=since_us))

    async def spent(self, limit: Limit, since_us: int, until_us: int, writer: str) -> int:
        """What the books say that one writer spent of a limit in that time."""
        of = (limit.unit, limit.over, limit.owner, since_us)
        return await self._read(lambda connection: budgets.spent(connection, *of, until_us=until_us, writers=writer))

    async def budgets(self) -> list[AccountRow]:
        """Every limit that was used in its present window, and who has how much of it, as replicas said last."""
        return await self._read(lambda connection: leases.list_accounts(connection, now_us()))

    async def release_replica(self, id: str, *, by: str) -> Released:
        """A replica is lost with its data directory: all that it had leased ends. What the books know that it spent,
        and what it said last that it spent and held, is spent. Raises NotFound; InUse while it lives."""
        ends = asyncio.get_running_loop().time() + SILENCE_S
        found = await self._read(lambda connection: replicas.find_replica(connection, id))
        if found is None:
            raise NotFound(
                f"no replica {id} was ever on this store", hint="`fairlead budget list` names holders: ID.EPOCH"
            )
        while not found.has_left and asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(LISTEN_EVERY_S)
            seen = await self._read(lambda connection: replicas.find_replica(connection, id))
            if seen is None or (seen.life, seen.beat) != (found.life, found.beat):
                raise alive(id)

        def shut_out(connection: Connection) -> list[str]:
            if not replicas.shut_out(connection, found):
                raise alive(id)
            holders = leases.holders_of(connection, id)
            note(connection, actor=by, action="budget.release", subject=id, details={"holders": holders})
            return holders

        holders = await self._write(shut_out)
        return Released(id, len(holders), sum([await self._write_off(holder) for holder in holders]))

    async def _write_off(self, holder: str) -> int:
        """Some leases at a time. Gives how many they were."""

        def some(connection: Connection) -> int:
            at_us = now_us()
            spent = leases.reckon(connection, holder, leases.writers_of(holder), at_us, is_lost=True)
            leases.end(connection, holder, spent, at_us)
            return len(spent)

        ended = 0
        while count := await self._write(some):
            ended += count
        return ended

    async def took(self, settings: Config) -> None:
        """A configuration came into force."""
        await self._write(
            lambda connection: configs.record_config(
                connection, hash=settings.hash, source=settings.source, body=settings.text, actor="serve"
            )
        )

    async def _read(self, ask: Callable[[Connection], T]) -> T:
        def asking() -> T:
            with self.store.read() as connection:
                return ask(connection)

        return await asyncio.to_thread(asking)

    async def _write(self, change: Callable[[Connection], T]) -> T:
        def changing() -> T:
            with self.store.begin() as connection:
                return change(connection)

        return await asyncio.to_thread(changing)


def _budget(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    found = limits("key", "", "", text, Limits(), "UTC")
    if not BUDGET.match(text) or not found:
        raise RequestInvalid(f"{text!r} is no budget", hint='such as "5usd/day"', param="budget")
    return found[0].amount, found[0].window


def _plain_usd(nusd: int) -> str:
    """As people write it in a budget, and exactly: 5usd, 0.00001usd."""
    return format_usd(nusd).replace(".00usd", "usd")


def _content(row: ContentRow) -> ContentShown:
    try:
        return ContentShown(row.kind, row.at_us, row.zone, row.expires_us, row.body.decode())
    except UnicodeDecodeError:
        text = base64.b64encode(row.body).decode()
        return ContentShown(row.kind, row.at_us, row.zone, row.expires_us, text, "base64")


def _budgets(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Of keys, by their ids."""
    of: dict[str, tuple[str, ...]] = {}
    for row in budgets.list_budgets(connection, scope="key"):
        of[row.scope_id] = (*of.get(row.scope_id, ()), f"{_plain_usd(row.amount)}/{row.window}")
    return of


def alive(replica: str) -> InUse:
    return InUse(
        f"replica {replica} lives: what it leased is its own",
        hint="stop it; when it ends in order, it gives back its leases by itself",
    )


def shown(row: KeyRow, of_it: tuple[str, ...], *, pending: bool = False) -> KeyShown:
    """A key for people; `of_it` are its budgets."""
    return KeyShown(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        team=row.team,
        routes=row.routes,
        zone=row.zone,
        budgets=of_it,
        limits=row.limits,
        created_us=row.created_us,
        expires_us=row.expires_us,
        revoked_us=row.revoked_us,
        past=tuple(PastShown(past.prefix, past.expires_us) for past in row.past),
        pending=pending,
    )
