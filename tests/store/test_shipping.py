"""Shipping: every record once, whoever dies when; what was open is lost at its hold; the store may be away."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from fairlead.errors import Unavailable
from fairlead.records import CallClosed, Intent, Outcome, encode
from fairlead.store import schema
from fairlead.store.calls import AttemptRow, CallRow, list_calls, show_call
from fairlead.store.opening import FILE, Store, open_store
from fairlead.store.reading import segment_path, segments_of
from fairlead.store.shipping import Shipper
from fairlead.store.spool import LINE_BYTES, Spool
from store.made import AT_US, closed, intent, outcome, whole_call

SMALL = 4 * LINE_BYTES

WRITER = """
import random, sys, time
from pathlib import Path
from fairlead.store.spool import Spool
from store.made import closed, intent, outcome

spool, dice, number = Spool(Path(sys.argv[1]), segment_bytes=1 << 14), random.Random(int(sys.argv[2])), 0
print("begun", flush=True)
open_ones = []
while True:
    number += 1
    if number % 20 == 0:
        time.sleep(0.002)
    open_ones.append(intent(f"call{number:08d}"))
    spool.append(open_ones[-1])
    if dice.random() < 0.9:
        one = open_ones.pop(dice.randrange(len(open_ones)))
        spool.append(outcome(one))
        spool.append(closed(one.call))
"""


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def counted(store: Store) -> tuple[int, int]:
    with store.read() as connection:
        counts = [connection.execute(select(func.count()).select_from(t)).scalar_one() for t in (ATTEMPT, schema.call)]
    return counts[0], counts[1]


ATTEMPT = schema.attempt


def outcomes(store: Store) -> dict[str, str]:
    with store.read() as connection:
        return {row.id: row.outcome for row in connection.execute(select(ATTEMPT))}


def positions(store: Store) -> list[str]:
    with store.read() as connection:
        return [row.directory for row in connection.execute(select(schema.spool_position))]


def test_the_rows_hold_what_the_tables_do() -> None:
    assert CallRow.__struct_fields__ == tuple(schema.call.columns.keys())
    assert AttemptRow.__struct_fields__ == tuple(ATTEMPT.columns.keys())
    assert set(AttemptRow.__struct_fields__) == (
        {*Intent.__struct_fields__, *Outcome.__struct_fields__, "id", "writer"} - {"attempt"}
    )
    assert set(CallRow.__struct_fields__) - {"id", "writer"} == set(CallClosed.__struct_fields__) - {"call"}


def test_an_intent_and_its_outcome_become_an_attempt_and_the_end_a_call(store: Store, root: Path) -> None:
    begun = intent("c1", team="red", propensity=0.5, price="p@1", session="s", trace="t")
    details = {"web_searches": 2, "input_audio_tokens": 5}
    ended = outcome(
        begun, finish="stop", status=200, reasoning_tokens=3, first_token_us=7, overrun=True, usage_details=details
    )
    end = closed("c1", narrowed=("zone: private",), tags=("a=b",), team="red", stream=True)
    with Spool(root / "w") as spool:
        for record in (begun, ended, end):
            spool.append(record)
        done = Shipper(store, root).ship()
    assert (done.records, done.attempts, done.calls, done.writers, done.failed, done.lag_s) == (3, 1, 1, 1, "", 0.0)
    with store.read() as connection:
        shown = show_call(connection, "c1")
    for record in (begun, ended):
        for name in set(record.__struct_fields__) - {"attempt"}:
            assert getattr(shown.attempts[0], name) == getattr(record, name), name
    assert (shown.call.writer, shown.attempts[0].writer) == ("w", "w")
    for name in set(end.__struct_fields__) - {"call"}:
        assert getattr(shown.call, name) == getattr(end, name), name


def test_nothing_is_shipped_twice_by_one_shipper_or_the_next(store: Store, root: Path) -> None:
    shipper = Shipper(store, root)
    with Spool(root / "w", segment_bytes=SMALL) as spool:
        for number in range(1, 40):
            for record in whole_call():
                spool.append(record)
            assert shipper.ship().records == 3
            assert Shipper(store, root).ship().records == 0
            assert counted(store) == (number, number)


def test_an_attempt_open_across_a_restart_of_the_shipper_is_joined(store: Store, root: Path) -> None:
    first, second = intent("c1"), intent("c2")
    with Spool(root / "w", segment_bytes=SMALL) as spool:
        spool.append(first)
        for record in (record for _ in range(50) for record in whole_call()):
            spool.append(record)
        spool.append(second)
        assert Shipper(store, root, batch_bytes=20_000).ship().attempts == 50
        assert len(segments_of(root / "w")) > 3  # they are kept for the sake of the first intent
        for record in (outcome(first), closed("c1")):
            spool.append(record)
        shipper = Shipper(store, root, batch_bytes=5000)
        done = shipper.ship()
        assert (done.records, done.attempts, done.calls, done.garbage) == (2, 1, 1, 0)
        assert not (root / "w" / "00000001.spool").exists()
        spool.append(outcome(second))
        assert shipper.ship().attempts == 1
    assert not (root / "w.bad").exists()


def test_what_a_dead_writer_left_open_is_lost_at_its_hold(store: Store, root: Path) -> None:
    held, priceless, done_half = intent("c1", hold_nusd=700), intent("c2", hold_nusd=None), intent("c3", session="s")
    with Spool(root / "w") as spool:
        for record in (held, priceless, done_half, outcome(done_half, cost_nusd=11), *whole_call()):
            spool.append(record)
    shipper = Shipper(store, root)
    done = shipper.ship()
    assert (done.lost, done.attempts, done.calls, done.writers) == (2, 4, 4, 0)
    with store.read() as connection:
        shown = {name: show_call(connection, name) for name in ("c1", "c2", "c3")}
        assert len(list_calls(connection, status="lost")) == 3
    attempt, call = shown["c1"].attempts[0], shown["c1"].call
    assert (attempt.outcome, attempt.cost_nusd, attempt.estimated, attempt.input_tokens) == ("lost", 700, True, 0)
    assert (call.status, call.cost_nusd, call.estimated, call.attempts, call.at_us) == ("lost", 700, True, 1, AT_US)
    assert (shown["c2"].attempts[0].cost_nusd, shown["c2"].call.cost_nusd) == (None, None)
    assert (shown["c3"].attempts[0].outcome, shown["c3"].call.cost_nusd, shown["c3"].call.session) == ("ok", 11, "s")
    assert list(root.iterdir()) == []
    assert positions(store) == []
    assert shipper.ship().records == 0


def test_what_a_live_writer_has_open_is_not_lost(store: Store, root: Path) -> None:
    with Spool(root / "w") as spool:
        spool.append(intent("c1"))
        assert Shipper(store, root).ship().attempts == 0
        assert Shipper(store, root).ship().lost == 0
    assert Shipper(store, root).ship().lost == 1


def test_a_directory_that_is_being_made_is_left_alone(store: Store, root: Path) -> None:
    (root / "w").mkdir(parents=True)
    assert Shipper(store, root).ship().failed == ""
    assert (root / "w").exists()


def test_garbage_is_kept_beside_and_counted_once(store: Store, root: Path) -> None:
    one, two = intent("c1"), intent("c2")
    with Spool(root / "w") as spool:
        spool.append(one)
        spool.append(two)
    path = segment_path(root / "w", 1)
    orphan = outcome(intent("c9"))
    lines = encode(one) + b"rubbish\n" + encode(outcome(one)) + encode(orphan) + encode(two)[:30]
    path.write_bytes(lines.ljust(9000, b"\0"))
    done = Shipper(store, root).ship()
    assert (done.records, done.garbage, done.attempts) == (3, 3, 1)
    kept = [line.partition(b" ")[2] for line in (root / "w.bad").read_bytes().splitlines()]
    assert sorted(kept) == sorted([b"rubbish", encode(orphan).rstrip(), encode(two)[:30]])


def test_numbers_and_texts_that_no_database_holds_are_tamed(store: Store, root: Path) -> None:
    one = intent("c1")
    with Spool(root / "w") as spool:
        spool.append(one)
        spool.append(outcome(one, input_tokens=10**30, why="a\0b"))
    assert Shipper(store, root).ship().attempts == 1
    with store.read() as connection:
        attempt = show_call(connection, "c1").attempts[0]
    assert (attempt.input_tokens, attempt.why) == (2**53, "ab")


def test_while_the_store_is_locked_records_wait_and_then_arrive_once(tmp_path: Path, root: Path) -> None:
    with open_store(tmp_path / "data") as store, Spool(root / "w", segment_bytes=SMALL) as spool:
        shipper = Shipper(store, root)
        first = intent("c1")
        spool.append(first)
        shipper.ship()
        with store.engine.connect() as connection:  # not wait long in a test
            connection.exec_driver_sql("PRAGMA busy_timeout=20")
        other = sqlite3.connect(tmp_path / "data" / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for record in (outcome(first), closed("c1"), *whole_call()):
            spool.append(record)
        waiting = shipper.ship()
        assert "locked" in waiting.failed
        assert waiting.lag_s > 0
        other.execute("ROLLBACK")
        other.close()
        done = shipper.ship()
        assert (done.failed, done.attempts, done.calls, done.lag_s) == ("", 2, 2, 0.0)
        assert counted(store) == (2, 2)


def test_while_the_store_is_broken_records_wait_and_it_is_told_once(
    tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(tmp_path / "data") as store, Spool(root / "w", segment_bytes=SMALL) as spool:
        shipper = Shipper(store, root)
        for record in whole_call():
            spool.append(record)
        store.close()  # nothing of it is in a cache any more
        file = tmp_path / "data" / FILE
        sound = file.read_bytes()
        file.write_bytes(b"no database" * 1000)
        assert "not a database" in shipper.ship().failed
        assert "not a database" in shipper.ship().failed
        assert len(caplog.records) == 1
        with pytest.raises(Unavailable) as caught, store.read() as connection:
            show_call(connection, "c1")
        assert caught.value.code == "store_unavailable"
        store.close()
        file.write_bytes(sound)
        assert shipper.ship().failed == ""
        assert counted(store) == (1, 1)


def test_while_the_store_is_removed_records_wait_and_arrive_where_it_is_put_back(tmp_path: Path, root: Path) -> None:
    file = tmp_path / "data" / FILE
    with Spool(root / "w", segment_bytes=SMALL) as spool:
        with open_store(tmp_path / "data") as store:
            shipper = Shipper(store, root)
            file.rename(tmp_path / "aside")
            for record in whole_call():
                spool.append(record)
            assert "was removed or replaced" in shipper.ship().failed
        (tmp_path / "aside").rename(file)
        with open_store(tmp_path / "data") as store:
            assert Shipper(store, root).ship().failed == ""
            assert counted(store) == (1, 1)


def test_a_shipper_that_died_while_removing_a_directory_is_followed_by_one_that_ends_it(
    store: Store, root: Path
) -> None:
    with Spool(root / "w") as spool:
        for record in whole_call():
            spool.append(record)
    (root / "w").rename(root / "w.gone")
    Shipper(store, root).ship()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_at_any_moment_leaves_every_record_in_the_store_once(store: Store, root: Path, seed: int) -> None:
    dice = random.Random(seed)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[1]), *sys.path))}
    command = [sys.executable, "-c", WRITER, str(root / "w"), str(seed)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert writer.stdout is not None
    writer.stdout.readline()
    until = time.monotonic() + 0.3
    shipped = 0
    try:
        while time.monotonic() < until:  # a shipper that is replaced again and again
            done = Shipper(store, root, batch_bytes=dice.choice((3000, 20_000, 1 << 20))).ship()
            assert (done.failed, done.garbage) == ("", 0)
            shipped += done.records
            time.sleep(dice.uniform(0, 0.03))
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    done = Shipper(store, root).ship()
    shipped += done.records
    attempts, calls = counted(store)
    found = outcomes(store)
    lost = [id for id, what in found.items() if what == "lost"]
    # Calls are numbered by the writer without a gap; each has one attempt, and a record for each of their steps.
    with store.read() as connection:
        ids = {row.id for row in list_calls(connection, limit=10**9)}
    assert ids == {f"call{number:08d}" for number in range(1, calls + 1)}
    assert attempts == calls > 50
    assert len(lost) == done.lost
    assert shipped == 3 * attempts - 2 * len(lost) - _halves(store)
    assert not [path for path in root.iterdir() if path.is_dir()]


def _halves(store: Store) -> int:
    """Attempts that ended, whose call did not: the kill came between."""
    with store.read() as connection:
        lost = [show_call(connection, call.id) for call in list_calls(connection, status="lost", limit=10**9)]
    return sum(shown.attempts[0].outcome != "lost" for shown in lost)


def test_a_round_takes_some_batches_of_a_writer_and_says_that_there_is_more(store: Store, root: Path) -> None:
    with Spool(root / "w", segment_bytes=SMALL) as spool:
        for record in (record for _ in range(100) for record in whole_call()):
            spool.append(record)
        shipper = Shipper(store, root, batch_bytes=LINE_BYTES)
        done = shipper.ship()
        assert done.more
        shipped = done.records
        while done.more:
            done = shipper.ship()
            shipped += done.records
        assert shipped == 300
        assert len(segments_of(root / "w")) <= 2
    assert counted(store) == (100, 100)
