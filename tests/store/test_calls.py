"""Listing, showing and summing up what is in the books."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from fairlead.errors import NotFound, RequestInvalid
from fairlead.store.calls import Summary, list_calls, nearest_rank, show_call, summarize
from fairlead.store.opening import open_store
from fairlead.store.shipping import Shipper
from fairlead.store.spool import Spool
from store.made import closed, intent, outcome


@pytest.fixture
def books(place: Path | str, tmp_path: Path) -> Iterator[Connection]:
    """Ten good calls on route a; one that fell back from nano to mini; one denied; one on b that failed."""
    with open_store(place) as store:
        with Spool(tmp_path / "spool" / "w") as spool:
            for n in range(1, 11):
                one = intent(f"good{n:02d}", at_us=n, route="a")
                spool.append(one)
                spool.append(outcome(one, cache_read_tokens=2, reasoning_tokens=1))
                spool.append(closed(one.call, at_us=n, route="a", duration_us=n * 10, first_word_us=n))
            tried = intent("fell", at_us=20, route="a", target="nano")
            then = intent("fell", at_us=21, route="a", target="mini")
            for record in (tried, outcome(tried, outcome="target_failed", cost_nusd=None), then, outcome(then)):
                spool.append(record)
            spool.append(closed("fell", at_us=20, route="a", attempts=2, cost_nusd=None, duration_us=1000))
            spool.append(closed("denied", at_us=30, route="a", status="denied", target="", attempts=0, duration_us=1))
            spool.append(closed("failed", at_us=40, route="b", status="failed", target="", key="k2", duration_us=7))
        Shipper(store, tmp_path / "spool").ship()
        with store.read() as connection:
            yield connection


def listed(books: Connection, **filters: object) -> list[str]:
    return [call.id for call in list_calls(books, **filters)]  # type: ignore[arg-type]


def test_the_newest_calls_come_first(books: Connection) -> None:
    assert listed(books, limit=4) == ["failed", "denied", "fell", "good10"]


def test_calls_are_found_by_what_they_are(books: Connection) -> None:
    assert listed(books, route="b") == ["failed"]
    assert listed(books, key="k2") == ["failed"]
    assert listed(books, status="denied") == ["denied"]
    assert len(listed(books, target="mini")) == 11
    assert listed(books, since_us=30) == ["failed", "denied"]
    assert listed(books, until_us=3) == ["good02", "good01"]
    assert listed(books, route="a", status="failed") == []


def test_a_call_is_shown_with_its_attempts_in_order(books: Connection) -> None:
    shown = show_call(books, "fell")
    assert shown.call.cost_nusd is None
    assert [(one.target, one.outcome, one.cost_nusd) for one in shown.attempts] == [
        ("nano", "target_failed", None),
        ("mini", "ok", 100),
    ]


def test_the_beginning_of_an_id_is_enough_where_it_is_the_only_one(books: Connection) -> None:
    assert show_call(books, "den").call.id == "denied"
    for which in ("good", "f", "nothing", "", "%", "d_nied"):
        with pytest.raises(NotFound):
            show_call(books, which)


def test_a_summary_counts_calls_where_they_ended_and_attempts_where_they_were_made(books: Connection) -> None:
    by_target = {row.group["target"]: row for row in summarize(books, ("target",))}
    assert set(by_target) == {"mini", "nano", ""}
    mini, nano, none = by_target["mini"], by_target["nano"], by_target[""]
    assert (mini.calls, mini.ok, mini.attempts, mini.cost_nusd, mini.unknown_costs) == (11, 11, 11, 1100, 0)
    assert (nano.calls, nano.attempts, nano.cost_nusd, nano.unknown_costs) == (0, 1, 0, 1)
    assert (none.calls, none.denied, none.failed, none.attempts) == (2, 1, 1, 0)
    assert (mini.input_tokens, mini.output_tokens, mini.cache_read_tokens, mini.reasoning_tokens) == (110, 55, 20, 10)


def test_a_summary_tells_how_many_answers_had_not_the_form_that_was_asked_for(
    place: Path | str, tmp_path: Path
) -> None:
    tried = (("good", "valid", "primary"), ("mended", "invalid", "primary"), ("mended", "valid", "repair"),
             ("bad", "invalid", "fallback"), ("bad", "invalid", "repair"), ("free", "", "primary"))  # fmt: skip
    with open_store(place) as store:
        with Spool(tmp_path / "spool" / "w") as spool:
            for n, (call, shape, purpose) in enumerate(tried):
                one = intent(call, at_us=n, purpose=purpose)
                spool.append(one)
                spool.append(outcome(one, shape=shape, outcome="output_invalid" if shape == "invalid" else "ok"))
        Shipper(store, tmp_path / "spool").ship()
        with store.read() as connection:
            (sums,) = summarize(connection, ("route",))
            assert (sums.attempts, sums.shaped, sums.invalid, sums.repaired) == (6, 3, 2, 1)
            shown = show_call(connection, "mended")
            assert [(one.purpose, one.shape) for one in shown.attempts] == [("primary", "invalid"), ("repair", "valid")]


def test_percentiles_are_exact_and_leave_denied_calls_out(books: Connection) -> None:
    (a, b) = summarize(books, ("route",))
    assert a.group == {"route": "a"}
    assert (a.calls, a.denied, a.p50_duration_us, a.p95_duration_us) == (12, 1, 60, 1000)
    assert (a.p50_first_word_us, a.p95_first_word_us) == (5, 10)
    assert (b.p50_duration_us, b.p50_first_word_us) == (7, None)


def test_a_summary_is_of_a_span_of_time_and_of_any_groups(books: Connection) -> None:
    assert [row.calls for row in summarize(books, (), since_us=20)] == [3]
    assert [row.calls for row in summarize(books, (), until_us=3)] == [2]
    assert summarize(books, (), since_us=999) == []
    assert [row.group for row in summarize(books, ("key", "route"))] == [
        {"key": "k1", "route": "a"},
        {"key": "k2", "route": "b"},
    ]
    assert isinstance(summarize(books)[0], Summary)


def test_what_calls_do_not_have_can_not_be_summed_by(books: Connection) -> None:
    with pytest.raises(RequestInvalid, match="why"):
        summarize(books, ("route", "why"))


@given(st.lists(st.integers(0, 50), min_size=1), st.sampled_from([1, 50, 95, 99, 100]))
def test_the_nearest_rank_is_the_smallest_value_with_enough_at_or_below_it(values: list[int], percent: int) -> None:
    found = nearest_rank(values, percent)
    enough = math.ceil(len(values) * percent / 100)
    assert found == min(value for value in values if sum(other <= value for other in values) >= enough)


def test_nothing_has_no_percentile() -> None:
    assert nearest_rank([], 50) is None
