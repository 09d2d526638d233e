"""Keys: shown once, kept as a hash, unique by name while they live, dead when revoked; every change is noted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, exc

from fairlead.errors import NotFound, RequestInvalid
from fairlead.ids import now_us
from fairlead.store import schema
from fairlead.store.audit import list_audit
from fairlead.store.budgets import add_budget, remove_budget
from fairlead.store.editions import edition
from fairlead.store.keys import (
    KeyLimits,
    PastSecret,
    forget_past_secrets,
    hash_key,
    list_keys,
    live_keys,
    new_key,
    revoke_key,
    rotate_key,
)
from fairlead.store.opening import open_store


@pytest.fixture
def books(place: Path | str) -> Iterator[Connection]:
    with open_store(place) as store, store.begin() as connection:
        yield connection


def test_a_key_is_shown_once_and_kept_as_its_hash(books: Connection) -> None:
    row, secret = new_key(books, name="notebook", actor="cli")
    assert secret.startswith("fl_")
    assert len(secret) == 3 + 43
    assert row.hash == hash_key(secret)
    assert secret.startswith(row.prefix)
    assert len(row.prefix) < 12
    everything = str([books.execute(table.select()).all() for table in schema.metadata.sorted_tables])
    assert row.hash in everything
    assert secret not in everything


def test_no_two_keys_are_the_same(books: Connection) -> None:
    assert len({new_key(books, name=f"k{number}", actor="cli")[1] for number in range(50)}) == 50


def test_a_key_comes_back_as_it_was_made(books: Connection) -> None:
    limits = KeyLimits(requests_per_minute=5, concurrent=2)
    row, _ = new_key(
        books, name="n", actor="cli", team="red", routes=("a", "b"), zone="private", limits=limits, expires_us=9
    )
    assert list_keys(books) == [row]
    assert (row.team, row.routes, row.zone, row.limits, row.expires_us) == ("red", ("a", "b"), "private", limits, 9)


def test_the_name_of_a_live_key_is_taken_until_it_is_revoked(books: Connection) -> None:
    first, _ = new_key(books, name="n", actor="cli")
    with pytest.raises(RequestInvalid, match="already") as caught:
        new_key(books, name="n", actor="cli")
    assert caught.value.code == "name_taken"
    revoke_key(books, "n", actor="cli")
    second, _ = new_key(books, name="n", actor="cli")
    assert [row.id for row in list_keys(books)] == [second.id]
    assert [row.id for row in list_keys(books, revoked=True)] == [first.id, second.id]


def test_the_database_itself_holds_no_two_live_keys_of_one_name(books: Connection) -> None:
    new_key(books, name="n", actor="cli")
    columns = dict(books.execute(schema.key.select()).one()._mapping)
    with pytest.raises(exc.IntegrityError):
        books.execute(schema.key.insert().values(**columns | {"id": "other", "hash": "other"}))


@pytest.mark.parametrize("which", ["id", "name", "prefix"])
def test_a_key_is_revoked_by_id_name_or_prefix(books: Connection, which: str) -> None:
    row, _ = new_key(books, name="n", actor="cli")
    before = now_us()
    revoked = revoke_key(books, getattr(row, which), actor="cli")
    assert revoked.id == row.id
    assert revoked.revoked_us is not None
    assert before <= revoked.revoked_us <= now_us()
    assert list_keys(books, revoked=True) == [revoked]
    assert [key.row.revoked_us for key in live_keys(books)] == [revoked.revoked_us]


def test_what_is_no_key_or_revoked_already_is_not_found(books: Connection) -> None:
    new_key(books, name="n", actor="cli")
    revoke_key(books, "n", actor="cli")
    for which in ("n", "nobody", "", "%"):
        with pytest.raises(NotFound):
            revoke_key(books, which, actor="cli")


def test_where_several_keys_are_meant_none_is_revoked(books: Connection) -> None:
    first, _ = new_key(books, name="n", actor="cli")
    new_key(books, name=first.id, actor="cli")
    with pytest.raises(NotFound, match="2 keys"):
        revoke_key(books, first.id, actor="cli")
    assert len(list_keys(books)) == 2


def test_workers_are_told_all_of_a_key_with_its_budgets(books: Connection) -> None:
    one, _ = new_key(books, name="one", actor="cli", expires_us=5)
    two, _ = new_key(books, name="two", actor="cli")
    budget = add_budget(books, scope="key", scope_id=one.id, unit="nusd", amount=5, window="day", actor="cli")
    add_budget(books, scope="route", scope_id=one.id, unit="nusd", amount=5, window="day", actor="cli")
    first, second = live_keys(books)
    assert (first.row, first.budgets) == (one, (budget,))
    assert (second.row, second.budgets) == (two, ())


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "x" * 129}, {"name": "a\nb"}, {"name": " a"}, {"team": "\x1b[31m"}, {"zone": "moon"}],
)
def test_what_can_not_be_a_key_is_refused(books: Connection, wrong: dict[str, str]) -> None:
    with pytest.raises(RequestInvalid):
        new_key(books, **{"name": "n", "actor": "cli"} | wrong)  # type: ignore[arg-type]
    assert list_keys(books) == []


def test_every_change_of_a_key_is_noted(books: Connection) -> None:
    row, _ = new_key(books, name="n", actor="admin socket", routes=("a",))
    revoke_key(books, "n", actor="cli")
    revoked, made = list_audit(books)
    assert (made.actor, made.action, made.subject) == ("admin socket", "key.new", row.id)
    assert made.details["routes"] == ["a"]
    assert (revoked.actor, revoked.action, revoked.subject) == ("cli", "key.revoke", row.id)


def test_a_change_that_is_rolled_back_is_not_noted(place: Path | str) -> None:
    with open_store(place) as store:
        with pytest.raises(RequestInvalid), store.begin() as connection:
            new_key(connection, name="n", actor="cli")
            new_key(connection, name="n", actor="cli")
        with store.read() as connection:
            assert list_audit(connection) == []
            assert list_keys(connection) == []


HOUR_US = 3_600_000_000


def test_a_rotated_key_is_the_same_key_with_a_new_secret_and_its_old_one_for_a_while(books: Connection) -> None:
    row, old = new_key(books, name="n", actor="cli", team="t")
    before = now_us()
    turned, new = rotate_key(books, "n", overlap_us=HOUR_US, actor="cli")
    assert (turned.id, turned.name, turned.team, turned.hash) == (row.id, "n", "t", hash_key(new))
    (past,) = turned.past
    assert (past.hash, past.prefix) == (hash_key(old), row.prefix)
    assert before + HOUR_US <= past.expires_us <= now_us() + HOUR_US
    assert [key.row for key in live_keys(books)] == list_keys(books) == [turned]
    everything = str([books.execute(table.select()).all() for table in schema.metadata.sorted_tables])
    assert new not in everything and old not in everything


def test_a_second_rotation_lets_no_secret_live_longer_than_was_said_last(books: Connection) -> None:
    _, first = new_key(books, name="n", actor="cli")
    _, second = rotate_key(books, "n", overlap_us=9 * HOUR_US, actor="cli")
    row, _ = rotate_key(books, "n", overlap_us=HOUR_US, actor="cli")
    assert {past.hash for past in row.past} == {hash_key(first), hash_key(second)}
    assert all(past.expires_us <= now_us() + HOUR_US for past in row.past)


def test_a_key_is_found_by_a_prefix_from_before_its_rotation_and_revoked_with_all_its_secrets(
    books: Connection,
) -> None:
    row, _ = new_key(books, name="n", actor="cli")
    rotate_key(books, row.prefix, overlap_us=HOUR_US, actor="cli")
    revoke_key(books, row.prefix, actor="cli")
    (key,) = live_keys(books)
    assert key.row.revoked_us and len(key.row.past) == 1


def test_neither_a_revoked_nor_an_expired_key_is_rotated(books: Connection) -> None:
    new_key(books, name="old", actor="cli", expires_us=1)
    new_key(books, name="gone", actor="cli")
    revoke_key(books, "gone", actor="cli")
    with pytest.raises(RequestInvalid, match="expired"):
        rotate_key(books, "old", overlap_us=0, actor="cli")
    with pytest.raises(NotFound):
        rotate_key(books, "gone", overlap_us=0, actor="cli")


def test_past_secrets_are_forgotten_some_time_after_their_end(books: Connection) -> None:
    new_key(books, name="n", actor="cli")
    rotate_key(books, "n", overlap_us=0, actor="cli")
    row, _ = rotate_key(books, "n", overlap_us=HOUR_US, actor="cli")
    assert len(row.past) == 2
    assert forget_past_secrets(books, now_us()) == 1
    (left,) = list_keys(books)
    assert isinstance(left.past[0], PastSecret) and left.past[0].expires_us > now_us()


def test_every_change_of_keys_or_their_budgets_is_seen_by_one_number(books: Connection) -> None:
    seen = [edition(books, "keys")]
    row, _ = new_key(books, name="n", actor="cli")
    seen.append(edition(books, "keys"))
    budget = add_budget(books, scope="key", scope_id=row.id, unit="nusd", amount=5, window="day", actor="cli")
    seen.append(edition(books, "keys"))
    remove_budget(books, budget.id, actor="cli")
    seen.append(edition(books, "keys"))
    rotate_key(books, "n", overlap_us=0, actor="cli")
    seen.append(edition(books, "keys"))
    revoke_key(books, "n", actor="cli")
    seen.append(edition(books, "keys"))
    assert seen == sorted(set(seen))
    list_keys(books)
    assert edition(books, "keys") == seen[-1]
