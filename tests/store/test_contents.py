"""What was said, where it is kept: for one key, for as long as it was said, and gone when it is forgotten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from fairlead.store import schema
from fairlead.store.audit import list_audit
from fairlead.store.contents import (
    find_response,
    forget,
    forget_expired,
    forget_response,
    keep_response,
    record,
    recorded,
)
from fairlead.store.opening import open_store
from fairlead.store.recordings import Recorded


@pytest.fixture
def books(place: Path | str) -> Iterator[Connection]:
    with open_store(place) as store, store.begin() as connection:
        yield connection


def keep(books: Connection, **changes: Any) -> None:
    kept = {"response": "resp_1", "owner": "k1", "call": "c1", "zone": "contract", "at_us": 10, "expires_us": 20}
    keep_response(books, **{**kept, "body": b"[]", **changes})


def find(books: Connection, response: str = "resp_1", owner: str = "k1", at_us: int = 15) -> tuple[bytes, str] | None:
    return find_response(books, response=response, owner=owner, at_us=at_us)


def test_what_is_kept_is_found_with_its_zone_by_its_owner_alone(books: Connection) -> None:
    keep(books)
    assert find(books) == (b"[]", "contract")
    assert find(books, owner="k2") is None and find(books, response="resp_2") is None


def test_an_owner_and_an_id_are_never_taken_for_others_that_read_the_same_in_a_row(books: Connection) -> None:
    keep(books, owner="k1", response="a/b")
    assert find(books, owner="k1/a", response="b") is None


def test_what_is_over_is_not_found_and_then_gone(books: Connection) -> None:
    keep(books)
    keep(books, response="resp_2", expires_us=30)
    assert find(books, at_us=20) is None
    assert forget_expired(books, at_us=20) == 1
    assert find(books, at_us=15) is None and find(books, "resp_2") is not None


def test_what_is_kept_twice_is_there_once(books: Connection) -> None:
    keep(books)
    keep(books, body=b"[1]")
    assert find(books) == (b"[1]", "contract")
    assert len(books.execute(schema.content.select()).all()) == 1


def test_only_the_owner_can_have_it_forgotten(books: Connection) -> None:
    keep(books)
    assert not forget_response(books, response="resp_1", owner="k2")
    assert forget_response(books, response="resp_1", owner="k1")
    assert not forget_response(books, response="resp_1", owner="k1") and find(books) is None


def test_an_id_may_be_any_text_of_any_length(books: Connection) -> None:
    for id in ("", "é" * 10_000, "\ud800", "'; drop table content; --"):
        keep(books, response=id)
        assert find(books, id) is not None


def say(call: str = "c1", key: str = "k1", expires_us: int = 20) -> Recorded:
    parts = (("request", b"{}"), ("answer", b"\xff"))
    return Recorded(call=call, key=key, at_us=10, zone="private", expires_us=expires_us, parts=parts)


def test_what_is_recorded_twice_is_there_once_and_who_read_it_is_noted(books: Connection) -> None:
    record(books, [say(), say("c2")])
    record(books, [say()])
    found = recorded(books, "c1", at_us=15, actor="admin")
    assert [(row.kind, row.body, row.zone) for row in found] == [
        ("request", b"{}", "private"),
        ("answer", b"\xff", "private"),
    ]
    (noted,) = list_audit(books)
    assert (noted.action, noted.subject, noted.actor) == ("content.read", "c1", "admin")


def test_what_is_kept_for_its_caller_is_not_shown_as_recorded(books: Connection) -> None:
    keep(books)
    assert recorded(books, "c1", at_us=15, actor="admin") == [] and list_audit(books) == []


def test_what_has_expired_is_not_shown_and_goes(books: Connection) -> None:
    record(books, [say()])
    assert recorded(books, "c1", at_us=20, actor="admin") == []
    assert forget_expired(books, 20) == 2
    assert books.execute(schema.content.select()).all() == []


def test_a_call_or_a_key_is_forgotten_whole_and_that_is_noted(books: Connection) -> None:
    record(books, [say("c1"), say("c2"), say("c3", key="k2")])
    keep(books, call="c2")
    assert forget(books, call="c1", actor="admin") == 2
    assert forget(books, key="k1", actor="admin") == 3
    assert [row.call for row in books.execute(schema.content.select()).all()] == ["c3", "c3"]
    assert [row.details for row in list_audit(books)] == [{"of": "key", "count": 3}, {"of": "call", "count": 2}]
    assert find(books) is None
