"""The keys of a replica: taken from the store when they changed, kept for when it is away, revoked here at once."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from fairlead.errors import NotFound, OperatorError, Unavailable
from fairlead.gateway.call import Caller
from fairlead.gateway.identity import digest
from fairlead.ids import now_us
from fairlead.server.keyring import KEYS, REVOKED, Keyring, Known
from fairlead.server.office import KeyMade, KeyWanted, Office, Rotation
from fairlead.store.audit import list_audit
from fairlead.store.opening import Store, connect, open_store

WEEK_S = 7 * 86_400.0


class Door(Store):
    """A store that can be locked from outside. `asked` counts how often it was used."""

    is_away = False
    asked = 0

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self._open(), super().begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._open(), super().read() as connection:
            yield connection

    @contextmanager
    def _open(self) -> Iterator[None]:
        self.asked += 1
        if self.is_away:
            raise Unavailable("the store is away", hint="wait", code="store_unavailable")
        yield


class Replica:
    """A keyring with a folder of its own on a store that may be others', too. `callers` is what its workers know."""

    def __init__(self, store: Path | str, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.store = Door(connect(store))
        self.office = Office(self.store)
        self.callers: dict[str, Caller] = {}
        self.told = 0
        self.is_deaf = False
        self.ring = Keyring(self.office, folder, self._tell)

    async def _tell(self, callers: dict[str, Caller]) -> None:
        if self.is_deaf:
            raise Unavailable("a worker does not know the keys yet")
        self.told += 1
        self.callers = callers

    async def make(self, name: str = "app", **wanted: Any) -> KeyMade:
        made = await self.office.new_key(KeyWanted(name=name, **wanted), by="test")
        await self.ring.look()
        return made

    def knows(self, secret: str) -> Caller:
        return self.callers[digest(secret)]


@asynccontextmanager
async def replica(store: Path, name: str = "one") -> AsyncIterator[Replica]:
    open_store(store).close()
    one = Replica(store, store / name)
    try:
        await one.ring.open(WEEK_S)
        yield one
    finally:
        await one.ring.stop()
        one.office.close()


def test_replicas_on_one_postgres_share_every_change(tmp_path: Path, postgres_url: str) -> None:
    async def story() -> None:
        one, two = (Replica(postgres_url, tmp_path / name) for name in ("one", "two"))
        for replica in (one, two):
            await replica.ring.open(WEEK_S)
        old = await one.make(budget="5usd/day")
        new = await two.office.rotate_key("app", Rotation(3600), by="test")
        for replica in (one, two):
            await replica.ring.look()
            assert replica.knows(old.secret).key == replica.knows(new.secret).key == old.key.id
        two.store.is_away = True
        assert (await two.ring.revoke("app", by="test")).pending and two.knows(new.secret).revoked
        two.store.is_away = False
        await two.ring.look()
        await one.ring.look()
        assert one.knows(old.secret).revoked and one.knows(new.secret).revoked
        for replica in (one, two):
            replica.office.close()

    play(story())


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_a_key_made_on_one_replica_is_known_to_another_when_it_looks(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one, replica(tmp_path, "two") as two:
            made = await one.make(budget="5usd/day")
            await two.ring.look()
            assert two.knows(made.secret).name == "app"
            assert [limit.unit for limit in two.knows(made.secret).limits] == ["nusd"]

    play(story())


def test_replicas_look_by_themselves(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one, replica(tmp_path, "two") as two:
            two.ring.start()
            made = await one.make()
            async with asyncio.timeout(30):
                while digest(made.secret) not in two.callers:
                    await asyncio.sleep(0.01)
                await one.ring.revoke("app", by="test")
                while not two.knows(made.secret).revoked:
                    await asyncio.sleep(0.01)

    play(story())


def test_where_nothing_changed_one_number_is_read_and_nobody_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one:
            await one.make()
            asked, told = one.store.asked, one.told
            await one.ring.look()
            assert (one.store.asked, one.told) == (asked + 1, told)

    play(story())


def test_a_rotated_key_is_one_caller_by_both_secrets(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one:
            old = await one.make(budget="5usd/day")
            new = await one.office.rotate_key("app", Rotation(3600), by="test")
            await one.ring.look()
            before, after = one.knows(old.secret), one.knows(new.secret)
            assert (before.key, before.limits) == (after.key, after.limits)
            assert before.rotated and before.expires_us and before.expires_us > now_us()
            assert not after.rotated and after.expires_us is None
            await one.ring.revoke("app", by="test")
            assert one.knows(old.secret).revoked and one.knows(new.secret).revoked

    play(story())


def test_no_old_secret_outlives_its_key(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one:
            ends_us = now_us() + 10**9
            old = await one.make(expires_us=ends_us)
            await one.office.rotate_key("app", Rotation(86_400), by="test")
            await one.ring.look()
            assert one.knows(old.secret).expires_us == ends_us

    play(story())


def test_a_key_that_is_revoked_while_the_store_is_away_is_dead_here_at_once_and_there_later(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one, replica(tmp_path, "two") as two:
            made = await one.make()
            one.store.is_away = True
            gone = await one.ring.revoke("app", by="somebody")
            assert gone.pending and gone.revoked_us
            assert one.knows(made.secret).revoked
            with pytest.raises(Unavailable):
                await one.ring.look()
            one.store.is_away = False
            await one.ring.look()
            await two.ring.look()
            assert one.knows(made.secret).revoked and two.knows(made.secret).revoked
            with one.store.read() as connection:
                assert next((row.action, row.actor) for row in list_audit(connection)) == ("key.revoke", "somebody")
            assert msgspec.json.decode((one.folder / REVOKED).read_bytes()) == []

    play(story())


def test_a_revocation_survives_a_start_while_the_store_is_still_away(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one:
            made = await one.make()
            one.store.is_away = True
            await one.ring.revoke("app", by="test")
            again = Replica(tmp_path, one.folder)
            again.store.is_away = True
            await again.ring.open(WEEK_S)
            assert again.ring.callers()[digest(made.secret)].revoked
            again.office.close()

    play(story())


def test_what_another_replica_revoked_meanwhile_is_not_revoked_twice(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one, replica(tmp_path, "two") as two:
            await one.make()
            one.store.is_away = True
            await one.ring.revoke("app", by="one")
            await two.ring.revoke("app", by="two")
            one.store.is_away = False
            await one.ring.look()
            with one.store.read() as connection:
                assert [row.actor for row in list_audit(connection) if row.action == "key.revoke"] == ["two"]

    play(story())


def test_who_is_not_known_here_is_asked_of_the_store(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one, replica(tmp_path, "two") as two:
            made = await one.make()
            assert (await two.ring.revoke(made.key.prefix, by="test")).name == "app"
            assert two.knows(made.secret).revoked
            with pytest.raises(NotFound):
                await two.ring.revoke("nobody", by="test")
            two.store.is_away = True
            with pytest.raises(Unavailable):
                await two.ring.revoke("nobody", by="test")

    play(story())


def test_a_replica_starts_without_the_store_with_the_keys_that_it_had(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one:
            made = await one.make(budget="5usd/day")
        again = Replica(tmp_path, one.folder)
        again.store.is_away = True
        await again.ring.open(WEEK_S)
        assert again.ring.callers() == one.callers
        assert not again.ring.is_current and 0 <= again.ring.age_s() < 600
        again.store.is_away = False
        other = await again.make("other")
        assert again.ring.is_current and again.ring.age_s() == 0
        assert again.knows(other.secret) and again.knows(made.secret)
        again.office.close()

    play(story())


def test_the_file_is_for_its_owner_alone_and_holds_no_secret(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one:
            made = await one.make()
            one.store.is_away = True
            await one.ring.revoke("app", by="test")
            for name in (KEYS, REVOKED):
                assert (one.folder / name).stat().st_mode & 0o777 == 0o600
                assert made.secret.encode() not in (one.folder / name).read_bytes()

    play(story())


def test_keys_that_are_too_old_are_no_keys(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one:
            await one.make()
        known = msgspec.json.decode((one.folder / KEYS).read_bytes(), type=Known)
        old = msgspec.structs.replace(known, as_of_us=now_us() - 3 * 3_600_000_000)
        (one.folder / KEYS).write_bytes(msgspec.json.encode(old))
        again = Replica(tmp_path, one.folder)
        again.store.is_away = True
        with pytest.raises(OperatorError, match=r"3\.0 h old") as caught:
            await again.ring.open(3600.0)
        assert "keys_good_for" in caught.value.hint
        await again.ring.open(4 * 3600.0)
        again.office.close()

    play(story())


@pytest.mark.parametrize("text", [None, b"", b"{", b'{"as_of_us": "x"}'])
def test_without_a_store_and_without_a_file_that_can_be_read_nobody_is_let_in_by_guess(
    tmp_path: Path, text: bytes | None
) -> None:
    async def story() -> None:
        one = Replica(tmp_path, tmp_path / "one")
        if text is not None:
            (one.folder / KEYS).write_bytes(text)
        one.store.is_away = True
        with pytest.raises(OperatorError, match="nobody's key"):
            await one.ring.open(WEEK_S)
        one.office.close()

    play(story())


def test_what_a_worker_did_not_take_it_is_told_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one:
            one.is_deaf = True
            with pytest.raises(Unavailable):
                await one.make()
            one.is_deaf = False
            await one.ring.look()
            assert [caller.name for caller in one.callers.values()] == ["app"]

    play(story())


def test_where_nothing_can_be_noted_a_revocation_says_so_and_counts_all_the_same(tmp_path: Path) -> None:
    async def story() -> None:
        async with replica(tmp_path) as one:
            made = await one.make()
            (one.folder / "revoked.new").mkdir()  # no file can be written there
            one.store.is_away = True
            with pytest.raises(Unavailable, match="took note"):
                await one.ring.revoke("app", by="test")
            assert one.knows(made.secret).revoked

    play(story())
