"""Old runs go, all of a run at once; what people labelled, what somebody keeps and what is being written stays, and is
told. On both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from fairlead.errors import InUse, OperatorError
from fairlead.ids import new_id, now_us
from fairlead.store.audit import note
from fairlead.store.evals import retention, runs, tables
from fairlead.store.evals.answers import AnswerRow, ScoreRow, write_answers
from fairlead.store.evals.labels import LabelRow, labels_of, write_labels
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.retention import forget, forget_old, forget_where, keep, older_than
from fairlead.store.evals.runs import ANCHORS, Claim, ItemRow, RunRow, SuiteRow
from fairlead.store.opening import Store, open_store

DAY_US = 86_400_000_000
NOW_US = now_us()
BEFORE_US = NOW_US - 90 * DAY_US


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    with open_evals(tmp_path, url) as found:
        yield found


def ran(store: Store, days_ago: float, *, ended: float | None = None, name: str = "words", **changes: object) -> RunRow:
    """A run of one answer that was begun, and ended, so many days ago."""
    at_us = NOW_US - int(days_ago * DAY_US)
    ended_us = NOW_US - int((days_ago if ended is None else ended) * DAY_US)
    usual = {"suite": f"hash of {name}", "name": name, "split": "dev", "planned": 1, "plan": "{}", "status": "done"}
    row = RunRow(**{**usual, "id": new_id(at_us), "at_us": at_us, "ended_us": ended_us, **changes})  # type: ignore[arg-type]
    suite = SuiteRow(hash=row.suite, name=name, at_us=at_us, zone="private", declared="{}")
    with store.begin() as connection:
        runs.note_suite(connection, suite, [ItemRow(suite=row.suite, id="a", content_hash="c", gold_version="g")])
        runs.new_run(connection, row)
        answers = [AnswerRow(run=row.id, candidate="x", item="a", at_us=at_us)]
        write_answers(connection, answers, [ScoreRow(run=row.id, candidate="x", item="a", metric="exact", value=1.0)])
        runs.note_look(connection, name=name, suite=row.suite, run=row.id, what="gate")
    return row


def labelled(store: Store, run: RunRow, sample: str = "drawn") -> None:
    of = {"name": run.name, "metric": "judge", "rubric": "r", "run": run.id, "candidate": "x", "item": "a"}
    with store.begin() as connection:
        write_labels(connection, [LabelRow(id=new_id(), answer_hash="h", value=1.0, at_us=1, sample=sample, **of)])  # type: ignore[arg-type]


def there(store: Store) -> set[str]:
    with store.read() as connection:
        return {row.id for row in runs.list_runs(connection)}


def counted(store: Store, *found: sqlalchemy.Table) -> list[int]:
    with store.read() as connection:
        return [
            connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(one)).scalar_one()
            for one in found
        ]


def test_what_ended_long_ago_goes_with_its_answers_and_its_looks_stay_counted(store: Store, tmp_path: Path) -> None:
    ran(store, 100, name="old")
    ran(store, 91)
    fresh, resumed = ran(store, 89), ran(store, 200, ended=10)
    done = forget_old(store, tmp_path, BEFORE_US)
    assert (done.runs, done.answers, done.left) == (2, 2, ())
    assert there(store) == {fresh.id, resumed.id}
    assert counted(store, tables.answer, tables.score, tables.suite, tables.item) == [2, 2, 1, 1]
    with store.read() as connection:
        assert len(runs.looks_at(connection, "old")) == 1 and len(runs.looks_at(connection, "words")) == 3
    assert not list(tmp_path.glob("*.lock"))


def test_a_run_that_people_have_labelled_stays_until_that_is_said(store: Store, tmp_path: Path) -> None:
    one, anchored = ran(store, 100), ran(store, 100)
    labelled(store, one)
    labelled(store, anchored, ANCHORS)
    done = forget_old(store, tmp_path, BEFORE_US)
    assert [(old.run.id, old.labels, old.stays) for old in done.left] == [
        (one.id, 1, "people's labels hang on it: 1"),
    ]
    assert there(store) == {one.id}
    with pytest.raises(OperatorError, match="people's labels") as told:
        forget(store, tmp_path, one)
    assert "--with-labels" in told.value.hint and "--export" in told.value.hint
    with store.read() as connection:
        assert runs.find_run(connection, one.id).status == "done"  # it is as it was
    assert forget_old(store, tmp_path, BEFORE_US, with_labels=True).runs == 1
    with store.read() as connection:
        assert [label.sample for label in labels_of(connection, "words")] == [ANCHORS]


def test_a_run_that_is_kept_stays_until_it_is_no_longer(store: Store, tmp_path: Path) -> None:
    one = ran(store, 100)
    with store.begin() as connection:
        keep(connection, one.id, is_kept=True)
    done = forget_old(store, tmp_path, BEFORE_US, with_labels=True)
    assert [old.stays for old in done.left] == ["it is kept"] and there(store) == {one.id}
    with pytest.raises(OperatorError, match="it is kept") as told:
        forget(store, tmp_path, one, with_labels=True)
    assert told.value.hint.endswith("--no-longer")
    with store.begin() as connection:
        keep(connection, one.id, is_kept=False)
    assert forget_old(store, tmp_path, BEFORE_US).runs == 1


def test_a_run_that_somebody_writes_is_left_alone(store: Store, tmp_path: Path) -> None:
    one = ran(store, 100, status="open", ended_us=None)
    claim = Claim(store, one.id, tmp_path, "me")
    with pytest.raises(InUse):
        forget(store, tmp_path, one)
    done = forget_old(store, tmp_path, BEFORE_US)
    assert done.runs == 0 and "being written" in done.left[0].stays and there(store) == {one.id}
    claim.close()
    assert forget_old(store, tmp_path, BEFORE_US).runs == 1


def test_what_would_go_is_told_beforehand_the_oldest_first(store: Store) -> None:
    newer, older = ran(store, 100), ran(store, 300)
    labelled(store, newer)
    with store.read() as connection:
        found = older_than(connection, BEFORE_US)
    assert [(one.run.id, bool(one.stays)) for one in found] == [(older.id, False), (newer.id, True)]
    assert there(store) == {newer.id, older.id}


def test_nothing_goes_where_the_clock_may_have_jumped_ahead(store: Store, url: str, tmp_path: Path) -> None:
    one = ran(store, 100)
    with open_store(url or tmp_path) as books:
        with pytest.raises(OperatorError, match="the clock jumped ahead") as told:
            forget_where(tmp_path, url, books, BEFORE_US)
        assert "eval forget --older-than" in told.value.hint and there(store) == {one.id}
        with books.begin() as connection:  # the books were kept going since
            note(connection, actor="a", action="b", subject="c", at_us=NOW_US - 60 * DAY_US)
        assert forget_where(tmp_path, url, books, BEFORE_US).runs == 1


def test_where_nothing_was_ever_evaluated_nothing_is_made(url: str, tmp_path: Path) -> None:
    with open_store(url or tmp_path / "data") as books:
        assert forget_where(tmp_path / "data", url, books, BEFORE_US) == retention.Forgotten()
    assert not (tmp_path / "data" / "evals.db").exists()
