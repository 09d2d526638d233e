"""Budgets, and what the books say was spent of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from fairlead.errors import ConfigInvalid, NotFound, RequestInvalid
from fairlead.store.audit import list_audit
from fairlead.store.budgets import add_budget, list_budgets, remove_budget, spent
from fairlead.store.opening import open_store
from fairlead.store.shipping import Shipper
from fairlead.store.spool import Spool
from store.made import closed, intent, outcome


@pytest.fixture
def books(place: Path | str) -> Iterator[Connection]:
    with open_store(place) as store, store.begin() as connection:
        yield connection


@pytest.fixture
def spendings(place: Path | str, tmp_path: Path) -> Iterator[Connection]:
    """Three calls at 100, 200 and 300 µs (keys k1, k1, k2; the last of unknown cost), and a denied one."""
    with open_store(place) as store:
        with Spool(tmp_path / "spool" / "w") as spool:
            for at_us, key, team, route, cost in (
                (100, "k1", "red", "a", 10),
                (200, "k1", "red", "b", 20),
                (300, "k2", "blue", "b", None),
            ):
                one = intent(f"c{at_us}", at_us=at_us, key=key, team=team, route=route, hold_nusd=1000)
                spool.append(one)
                spool.append(outcome(one, cost_nusd=cost, input_tokens=7, output_tokens=3))
                spool.append(closed(one.call, at_us=at_us, key=key, team=team, route=route))
            spool.append(closed("denied", at_us=300, key="k2", team="blue", route="b", status="denied"))
        Shipper(store, tmp_path / "spool").ship()
        with store.read() as connection:
            yield connection


@pytest.mark.parametrize(
    ("unit", "scope", "scope_id", "since_us", "amount"),
    [
        ("nusd", "key", "k1", 0, 30),
        ("nusd", "key", "k1", 200, 20),
        ("nusd", "key", "k1", 201, 0),
        ("nusd", "key", "k2", 0, 1000),  # unknown: what was held
        ("nusd", "team", "red", 0, 30),
        ("nusd", "route", "b", 0, 1020),
        ("nusd", "all", "", 0, 1030),
        ("tokens", "all", "", 0, 30),
        ("tokens", "route", "a", 0, 10),
        ("requests", "key", "k2", 0, 1),  # the denied one does not count
        ("requests", "all", "", 200, 2),
        ("requests", "key", "nobody", 0, 0),
    ],
)
def test_what_was_spent_is_summed_within_its_scope_and_window(
    spendings: Connection, unit: str, scope: str, scope_id: str, since_us: int, amount: int
) -> None:
    assert spent(spendings, unit, scope, scope_id, since_us) == amount


def test_only_known_units_and_scopes_are_counted(spendings: Connection) -> None:
    with pytest.raises(RequestInvalid):
        spent(spendings, "euro", "all", "", 0)
    with pytest.raises(RequestInvalid):
        spent(spendings, "nusd", "planet", "", 0)


def test_budgets_are_added_listed_and_removed_and_that_is_noted(books: Connection) -> None:
    day = add_budget(books, scope="key", scope_id="k1", unit="nusd", amount=5, window="day", actor="cli")
    month = add_budget(
        books, scope="all", scope_id="", unit="tokens", amount=9, window="month", timezone="Europe/Berlin", actor="cli"
    )
    assert list_budgets(books) == [day, month]
    assert list_budgets(books, scope="key", scope_id="k1") == [day]
    assert list_budgets(books, scope="key", scope_id="k2") == []
    remove_budget(books, day.id, actor="cli")
    assert list_budgets(books) == [month]
    assert [row.action for row in list_audit(books)] == ["budget.remove", "budget.new", "budget.new"]
    with pytest.raises(NotFound):
        remove_budget(books, day.id, actor="cli")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"scope": "planet"}, RequestInvalid),
        ({"unit": "euro"}, RequestInvalid),
        ({"amount": -1}, RequestInvalid),
        ({"amount": 2**63}, RequestInvalid),
        ({"window": "fortnight"}, ConfigInvalid),
        ({"timezone": "Mars/Olympus"}, ConfigInvalid),
    ],
)
def test_what_can_not_be_a_budget_is_refused(
    books: Connection, wrong: dict[str, object], error: type[Exception]
) -> None:
    good = {"scope": "key", "scope_id": "k", "unit": "nusd", "amount": 1, "window": "day", "actor": "cli"}
    with pytest.raises(error):
        add_budget(books, **good | wrong)  # type: ignore[arg-type]
    assert list_budgets(books) == []
