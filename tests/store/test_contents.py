"""What was said, where it is kept: for one key, for as long as it was said, and gone when it is forgotten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from fairlead.store import schema
from fairlead.store.contents import find_response, forget_expired, forget_response, keep_response
from fairlead.store.opening import open_store


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
