"""The evaluation store, in a file of its own and in a schema of the books' PostgreSQL: what is written is read again,
one writer writes a run, and a store that is newer than the program is left alone."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from msgspec.structs import astuple, replace

from fairlead.errors import InUse, NotFound, OperatorError, StoreMismatch, Unavailable
from fairlead.ids import new_id
from fairlead.store import evals
from fairlead.store.evals import runs, tables
from fairlead.store.evals.answers import (
    AnswerRow,
    ScoreRow,
    answered,
    answers_of,
    cached,
    columns_of,
    scores_of,
    values_of,
    write_answers,
)
from fairlead.store.evals.labels import LabelRow, labels_of, write_labels
from fairlead.store.evals.opening import FILE, open_evals
from fairlead.store.evals.preferences import PreferenceRow, preferences_of, write_preferences
from fairlead.store.evals.runs import Claim, ItemRow, RunRow, SuiteRow
from fairlead.store.evals.spending import SpentRow, spent_by, write_spent
from fairlead.store.evals.writing import Writer
from fairlead.store.migrations import upgrade
from fairlead.store.opening import Store, open_store

RUN = "0" * 31 + "1"
SUITE = SuiteRow(hash="s1", name="invoices", at_us=1, zone="private", declared="{}")
ITEMS = [
    ItemRow(suite="s1", id="a", content_hash="ca", gold_version="ga", tags=("long", "de"), cluster="doc", weight=2.0),
    ItemRow(suite="s1", id="b", content_hash="cb", gold_version="gb", holdout=True, asked="hi?", wanted="yes"),
]


def answer(item: str = "a", **changes: object) -> AnswerRow:
    usual = {"run": RUN, "candidate": "x", "item": item, "at_us": 5, "text": "yes ✓", "cost_nusd": 7, "took_us": 9}
    return AnswerRow(**{**usual, **changes})  # type: ignore[arg-type]


def score(item: str = "a", **changes: object) -> ScoreRow:
    usual = {"run": RUN, "candidate": "x", "item": item, "metric": "exact", "value": 1.0}
    return ScoreRow(**{**usual, **changes})  # type: ignore[arg-type]


def begun(**changes: object) -> RunRow:
    usual = {"id": RUN, "suite": "s1", "name": "invoices", "split": "dev", "at_us": 1, "planned": 2, "plan": "{}"}
    return RunRow(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("database_url")
    with open_evals(tmp_path, url) as found:
        with found.begin() as connection:
            runs.note_suite(connection, SUITE, ITEMS)
            runs.new_run(connection, begun())
        yield found


def test_a_run_is_read_as_it_was_written(store: Store) -> None:
    first, second = answer(), answer("b", status="timeout", text="", cost_nusd=None, repeat=1)
    with store.begin() as connection:
        write_answers(connection, [first, second], [score(reasons='{"at":1}'), score("b", value=None, why="judge")])
    with store.read() as connection:
        assert answers_of(connection, RUN) == [first, second]
        assert [(one.item, one.value, one.why) for one in scores_of(connection, RUN)] == [
            ("a", 1.0, ""),
            ("b", None, "judge"),
        ]
        assert answered(connection, RUN) == {("x", "a", 0), ("x", "b", 1)}
        assert runs.items_of(connection, "s1") == ITEMS and runs.find_suite(connection, "s1") == SUITE
        assert values_of(connection, RUN) == {"exact": (1.0, None)}
        found = columns_of(connection, RUN, texts=True)
        assert (found["item"], found["repeat"], found["status"]) == (("a", "b"), (0, 1), ("ok", "timeout"))
        assert (found["text"], found["cost_nusd"]) == (("yes ✓", ""), (7, None))
        cases = runs.item_columns(connection, "s1", ["tags", "weight", "holdout", "asked"])
        assert cases["tags"] == [("long", "de"), ()] and cases["weight"] == (2.0, 1.0)
        assert (cases["holdout"], cases["asked"]) == ((False, True), ("", "hi?"))
        told = runs.tally(connection, RUN)
        assert (told.statuses, told.cost_nusd, told.missing, told.answers) == ({"ok": 1, "timeout": 1}, 0, 1, 2)


def test_what_a_run_spent_is_summed_over_its_sittings_and_known_only_where_all_of_it_is(store: Store) -> None:
    first, second = SpentRow(RUN, "s1", "answer", 2, 10, 0), SpentRow(RUN, "s2", "answer", 1, 5, 0)
    judge = SpentRow(RUN, "s2", "judge", 4, 1, 0)
    with store.begin() as connection:
        write_spent(connection, [first, second, judge])
        write_spent(connection, [replace(judge, questions=5, cost_nusd=2)])
    with store.read() as connection:
        assert spent_by(connection, RUN) == [SpentRow(RUN, "", "answer", 3, 15, 0), SpentRow(RUN, "", "judge", 5, 2, 0)]
        assert runs.tally(connection, RUN).cost_nusd == 17
    with store.begin() as connection:
        write_spent(connection, [replace(judge, sitting="s3", unpriced=1)])
    with store.read() as connection:
        assert runs.tally(connection, RUN).cost_nusd is None


def test_a_store_of_before_is_told_what_its_runs_spent(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / FILE)
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / FILE}")
    with engine.begin() as connection:
        upgrade(connection, "0001", Path(evals.__file__).parent)
    engine.dispose()
    for item, cost in (("a", 7), ("b", None)):
        row = answer(item, cost_nusd=cost)
        names = ", ".join(f'"{name}"' for name in AnswerRow.__struct_fields__)
        marks = ", ".join("?" * len(AnswerRow.__struct_fields__))
        old.execute(f"INSERT INTO answer ({names}) VALUES ({marks})", astuple(row))
    judged = ('{"cost_nusd":3}', '{"cost_nusd":null}', "{}")
    for item, reasons in zip("abc", judged, strict=True):
        names = ", ".join(f'"{name}"' for name in ScoreRow.__struct_fields__)
        marks = ", ".join("?" * len(ScoreRow.__struct_fields__))
        old.execute(f"INSERT INTO score ({names}) VALUES ({marks})", astuple(score(item, reasons=reasons)))
    old.commit()
    old.close()
    with open_evals(tmp_path) as store, store.read() as connection:
        assert spent_by(connection, RUN) == [SpentRow(RUN, "", "answer", 2, 7, 1), SpentRow(RUN, "", "judge", 2, 3, 1)]


def test_what_is_written_again_takes_the_place_of_what_was_there(store: Store) -> None:
    with store.begin() as connection:
        write_answers(connection, [answer()], [score()])
        write_answers(connection, [answer(text="no")], [score(value=0.0)])
    with store.read() as connection:
        assert [one.text for one in answers_of(connection, RUN)] == ["no"]
        assert [one.value for one in scores_of(connection, RUN)] == [0.0]


def test_only_whole_answers_that_were_asked_are_worth_to_be_taken_again(store: Store) -> None:
    rows = [
        answer(cache_key="k1"),
        answer("b", cache_key="k2", status="timeout"),
        answer("b", repeat=1, cache_key="k3", cached=RUN),
    ]
    with store.begin() as connection:
        write_answers(connection, rows, [])
    with store.read() as connection:
        assert [one.cache_key for one in cached(connection, [f"k{n}" for n in range(1200)])] == ["k1"]


def test_a_run_is_found_by_as_much_of_its_id_as_names_no_other(store: Store) -> None:
    with store.begin() as connection:
        runs.new_run(connection, begun(id="0" * 31 + "2", at_us=2))
    with store.read() as connection:
        assert runs.find_run(connection, RUN).id == RUN and runs.find_run(connection, "last").at_us == 2
        assert [one.at_us for one in runs.list_runs(connection, name="invoices")] == [2, 1]
        for ref in ("0", "%", "none", ""):
            with pytest.raises(NotFound):
                runs.find_run(connection, ref)


def test_a_run_that_is_forgotten_leaves_no_words_but_that_its_holdout_was_looked_at(store: Store) -> None:
    with store.begin() as connection:
        write_answers(connection, [answer()], [score()])
        write_spent(connection, [SpentRow(RUN, "s1", "answer", 1, 7, 0)])
        runs.note_look(connection, name="invoices", suite="s1", run=RUN, what="compare")
        assert runs.forget_run(connection, RUN) == 1
    with store.read() as connection:
        for table in (tables.run, tables.answer, tables.score, tables.spent, tables.item, tables.suite):
            assert connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(table)).scalar_one() == 0
        assert [one.what for one in runs.looks_at(connection, "invoices")] == ["compare"]


def test_labels_belong_to_the_answer_and_the_rubric_that_they_were_given_for(store: Store) -> None:
    usual = {"name": "invoices", "metric": "judge", "rubric": "r1", "run": RUN, "candidate": "x", "item": "a"}
    label = LabelRow(id=new_id(), answer_hash="h", value=1.0, at_us=3, **usual)
    with store.begin() as connection:
        write_labels(connection, [label])
        write_labels(connection, [replace(label, value=None)])
    with store.read() as connection:
        assert labels_of(connection, "invoices", metric="judge", run=RUN) == [replace(label, value=None)]
        assert labels_of(connection, "invoices", metric="other") == []


def test_with_a_run_its_labels_are_forgotten_but_not_what_a_judge_said_of_anchors(store: Store) -> None:
    usual = {"name": "invoices", "metric": "judge", "rubric": "r1", "run": RUN, "candidate": "x", "item": "a"}
    rows = [LabelRow(id=new_id(), answer_hash="h", value=1.0, at_us=3, sample=of, **usual) for of in ("", "anchors")]
    with store.begin() as connection:
        write_labels(connection, rows)
        runs.forget_run(connection, RUN)
    with store.read() as connection:
        assert [one.sample for one in labels_of(connection, "invoices")] == ["anchors"]


def test_a_run_has_one_writer_and_a_dead_ones_place_is_free(store: Store, tmp_path: Path) -> None:
    first = Claim(store, RUN, tmp_path, "one")
    with pytest.raises(InUse) as taken:
        Claim(store, RUN, tmp_path, "two")
    assert "resume" in taken.value.hint
    first.beat()
    first.close()
    second = Claim(store, RUN, tmp_path, "two")
    second.close()
    assert not list(tmp_path.glob("*.lock"))


def test_on_a_shared_store_a_run_is_anothers_while_its_beat_counts_up(postgres_url: str, tmp_path: Path) -> None:
    with open_evals(tmp_path, postgres_url) as store:
        with store.begin() as connection:
            runs.new_run(connection, begun())
        here = Claim(store, RUN, tmp_path / "here", "one")

        async def beside() -> None:
            beating = asyncio.create_task(asyncio.to_thread(_beat, here))
            with pytest.raises(InUse):
                await asyncio.to_thread(Claim, store, RUN, tmp_path / "there", "two", 3.0)
            await beating

        asyncio.run(beside())
        dead = Claim(store, RUN, tmp_path / "there", "two", 0.5)  # it beats no more
        with pytest.raises(InUse):
            here.beat()
        dead.close()


def _beat(claim: Claim) -> None:
    import time

    for _ in range(8):
        claim.beat()
        time.sleep(0.1)


def test_it_lies_beside_the_books_and_neither_minds_the_other(postgres_url: str, tmp_path: Path) -> None:
    with open_evals(tmp_path, postgres_url), open_store(postgres_url):
        pass
    with open_store(postgres_url), open_evals(tmp_path, postgres_url) as again, again.read() as connection:
        assert runs.list_runs(connection) == []


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with open_evals(tmp_path / "data"):
            modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "data").glob(f"{FILE}*")}
    finally:
        os.umask(before)
    assert modes == {0} and (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_the_migrations_make_the_tables_as_they_are(tmp_path: Path) -> None:
    with open_evals(tmp_path / "migrated") as store:
        made = _shape(store.engine)
    fresh = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
    tables.metadata.create_all(fresh)
    assert _shape(fresh) == {name: shape for name, shape in made.items() if name != "alembic_version"}
    fresh.dispose()


def _shape(engine: sqlalchemy.Engine) -> dict[str, object]:
    found = sqlalchemy.inspect(engine)
    return {
        name: (
            [(one["name"], str(one["type"]), one["nullable"]) for one in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted((one["name"] or "", tuple(one["column_names"])) for one in found.get_indexes(name)),
        )
        for name in found.get_table_names()
    }


def test_a_newer_store_is_left_as_it_is(tmp_path: Path) -> None:
    open_evals(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreMismatch, match="9999") as newer:
        open_evals(tmp_path)
    assert "newer Fairlead" in newer.value.hint


def test_what_is_no_database_and_what_is_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(StoreMismatch, match="nothing was evaluated here yet"):
        open_evals(tmp_path, create=False)
    assert not list(tmp_path.iterdir())
    (tmp_path / FILE).write_text("This is a letter, and no database at all. " * 100)
    with pytest.raises(OperatorError, match="not a database"):
        open_evals(tmp_path)


def test_a_full_disk_is_told_to_whoever_writes_and_nothing_that_stands_is_lost(tmp_path: Path) -> None:
    async def writing() -> None:
        with open_evals(tmp_path) as store:
            with store.begin() as connection:
                runs.new_run(connection, begun())
            claim = Claim(store, RUN, tmp_path, "one")
            with store.begin() as connection:
                write_answers(connection, [answer()], [score()])
            with store.engine.connect() as connection:  # no more pages than there are: as a disk that is full
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            most = f"PRAGMA max_page_count={pages}"
            sqlalchemy.event.listen(store.engine, "checkout", lambda driver, *_: driver.execute(most))
            writer = Writer(store, claim)
            with pytest.raises(Unavailable) as full:
                await writer.write([answer("b", text="x" * 100_000)])
            assert full.value.code == "store_unavailable" and "full" in full.value.message
            await writer.close()
            claim.close()
            with store.read() as connection:
                assert [one.item for one in answers_of(connection, RUN)] == ["a"]

    asyncio.run(writing())


def test_whoever_writes_waits_for_another_one_who_writes_to_the_same_file(tmp_path: Path) -> None:
    async def writing() -> None:
        with open_evals(tmp_path) as store:
            with store.begin() as connection:
                runs.new_run(connection, begun())
            claim = Claim(store, RUN, tmp_path, "one")
            writer = Writer(store, claim)
            with sqlite3.connect(tmp_path / FILE, isolation_level=None) as other:
                other.execute("BEGIN IMMEDIATE")
                waiting = [asyncio.create_task(writer.write([answer(name)], [score(name)])) for name in ("a", "b")]
                await asyncio.sleep(0.05)
                assert not any(one.done() for one in waiting)
                other.execute("COMMIT")
                await asyncio.gather(*waiting)
            other.close()
            await writer.write([answer("c")])
            await writer.close()
            claim.close()
            with store.read() as connection:
                assert [one.item for one in answers_of(connection, RUN)] == ["a", "b", "c"]

    asyncio.run(writing())


def test_a_file_that_was_replaced_while_a_run_writes_is_told(tmp_path: Path) -> None:
    async def writing() -> None:
        with open_evals(tmp_path) as store:
            with store.begin() as connection:
                runs.new_run(connection, begun())
            writer = Writer(store, Claim(store, RUN, tmp_path, "one"))
            await writer.write([answer()])
            (tmp_path / FILE).rename(tmp_path / "elsewhere.db")
            with pytest.raises(Unavailable, match="removed or replaced"):
                await writer.write([answer("b")])
            await writer.close()

    asyncio.run(writing())


WRITE_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from fairlead.store.evals.answers import AnswerRow
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.preferences import PreferenceRow, preferences_of, write_preferences
from fairlead.store.evals.runs import Claim
from fairlead.store.evals.writing import Writer

async def main(folder, run):
    store = open_evals(folder)
    writer = Writer(store, Claim(store, run, folder, "child"))
    async def one(n):
        await writer.write([AnswerRow(run=run, candidate="x", item=str(n), at_us=n, text="y" * 500)])
        print(n, flush=True)
    for start in range(0, 10**6, 20):
        await asyncio.gather(*(one(start + n) for n in range(20)))

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


def test_what_was_written_stands_after_kill_9_and_the_run_is_free(tmp_path: Path) -> None:
    with open_evals(tmp_path) as store:
        with store.begin() as connection:
            runs.new_run(connection, begun())
        command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(tmp_path), RUN]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            told = [int(child.stdout.readline()) for _ in range(200)]
            child.send_signal(signal.SIGKILL)
            told += [int(line) for line in child.stdout.read().split("\n")[:-1]]
        with store.read() as connection:
            there = {int(item) for _, item, _ in answered(connection, RUN)}
        assert set(told) <= there
        Claim(store, RUN, tmp_path, "next").close()


def test_what_a_judge_preferred_is_kept_by_pairing_and_goes_with_either_run(store: Store) -> None:
    usual = {"pairing": "p1", "name": "invoices", "run": RUN, "candidate": "x", "other_run": "r2", "other": "y"}
    usual |= {"item": "a", "repeat": 0, "pair_hash": "h", "judge": "j1", "both": True, "again": 0, "at_us": 3}
    first = PreferenceRow(id="1", place="first", value=1.0, **usual)
    second = PreferenceRow(id="2", place="second", value=None, why="nonsense", **usual)
    spent = [SpentRow("p1", "s1", "judge", 2, 9, 0), SpentRow("p2", "s1", "judge", 1, 1, 0)]
    with store.begin() as connection:
        write_preferences(connection, [first, second])
        write_preferences(connection, [replace(second, value=0.5, why="")])
        write_spent(connection, spent)
    with store.read() as connection:
        assert preferences_of(connection, "p1") == [first, replace(second, value=0.5, why="")]
        assert preferences_of(connection, "p2") == []
    with store.begin() as connection:
        runs.new_run(connection, begun(id="r2"))
        runs.forget_run(connection, "r2")
    with store.read() as connection:
        assert preferences_of(connection, "p1") == [] and spent_by(connection, "p1") == []
        assert spent_by(connection, "p2") != []
