"""The spool's writer: what stands, what fits, what a full disk and a kill leave."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.errors import InUse, Unavailable
from fairlead.ids import new_id
from fairlead.records import Outcome
from fairlead.store.reading import Position, lock_of_dead, read, segments_of
from fairlead.store.spool import LINE_BYTES, Spool, Sync
from store.made import closed, everything, intent, outcome, whole_call

SMALL = 4 * LINE_BYTES

WRITER = """
import sys
from pathlib import Path
from fairlead.store.spool import Spool
from store.made import whole_call

spool = Spool(Path(sys.argv[1]), segment_bytes=1 << 16)
while True:
    for record in whole_call():
        spool.append(record)
        sys.stdout.write(f"{type(record).__name__} {record.call}\\n")
        sys.stdout.flush()
"""

FULL_DISK = """
import resource, sys
from pathlib import Path
from fairlead.errors import Unavailable
from fairlead.store.spool import LINE_BYTES, Spool
from store.made import closed, everything, intent, outcome

directory = Path(sys.argv[1])
size = 4 * LINE_BYTES
spool = Spool(directory, segment_bytes=size)
if sys.argv[2] == "limited":  # what exists can be written, but no further segment can be allocated
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, size - 1))
begun, refused = [], None
while refused is None:
    try:
        one = intent(f"call{len(begun)}")
        spool.append(one)
        begun.append(one)
    except Unavailable as error:
        refused = error
for one in begun:
    spool.append(outcome(one, why="x" * 5000))
    spool.append(closed(one.call, why="y" * 5000))
records, garbage = everything(directory)
print(len(begun), len(records), len(garbage), refused.code, bool(refused.hint))
"""


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[1]), *sys.path))}


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, env=environment()
    )


@pytest.mark.parametrize("sync", ["none", "interval"])
def test_what_was_appended_is_read_in_order(tmp_path: Path, sync: Sync) -> None:
    records = [record for _ in range(100) for record in whole_call()]
    with Spool(tmp_path / "w", sync, segment_bytes=SMALL) as spool:
        for record in records:
            spool.append(record)
    assert len(segments_of(tmp_path / "w")) > 3
    assert everything(tmp_path / "w") == (records, [])


def test_a_record_can_be_read_as_soon_as_append_returns(tmp_path: Path) -> None:
    position = Position()
    with Spool(tmp_path / "w", segment_bytes=SMALL) as spool:
        for record in (record for _ in range(30) for record in whole_call()):
            spool.append(record)
            batch = read(tmp_path / "w", position)
            while not batch.records:
                assert batch.more
                batch = read(tmp_path / "w", batch.position)
            assert batch.records == (record,)
            position = batch.position


def test_a_directory_has_one_writer_ever(tmp_path: Path) -> None:
    with Spool(tmp_path / "w"), pytest.raises(InUse):
        Spool(tmp_path / "w")
    with pytest.raises(InUse):
        Spool(tmp_path / "w")
    assert sorted(path.name for path in (tmp_path / "w").iterdir()) == ["00000001.spool", "lock"]


def test_the_lock_tells_a_live_writer_from_a_dead_one(tmp_path: Path) -> None:
    with Spool(tmp_path / "w"):
        assert lock_of_dead(tmp_path / "w") is None
    lock = lock_of_dead(tmp_path / "w")
    assert lock is not None
    os.close(lock)


def test_a_directory_that_is_being_made_counts_as_alive(tmp_path: Path) -> None:
    assert lock_of_dead(tmp_path) is None


def test_nobody_else_may_read_what_was_spooled(tmp_path: Path) -> None:
    with Spool(tmp_path / "w"):
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "w").iterdir()} == {0o600}


def test_long_texts_are_cut_and_names_are_not(tmp_path: Path) -> None:
    one = intent("c" * 32, session="s" * 9000, target="t" * 128, trace="\x01" * 3000)
    records = (
        one,
        outcome(
            one,
            why="w" * 100_000,
            served_model="m" * 5000,
            finish="f" * 5000,
            usage_details={f"{n:02d}_unit_that_nobody_knows": 2**60 for n in range(100)},
        ),
        closed(one.call, why="é" * 9000, narrowed=("n" * 3000,) * 50, tags=("t" * 3000,) * 50, request_hash="h" * 64),
    )
    with Spool(tmp_path / "w") as spool:
        for record in records:
            spool.append(record)
    (begun, ended, end), garbage = everything(tmp_path / "w")
    assert not garbage
    assert (begun.attempt, begun.target) == (one.attempt, one.target)  # type: ignore[union-attr]
    assert ended.why.startswith("www")  # type: ignore[union-attr]
    assert ended.why.endswith("…")  # type: ignore[union-attr]
    assert (end.call, end.request_hash) == (one.call, "h" * 64)  # type: ignore[union-attr]


def test_a_text_that_is_no_unicode_does_not_stop_the_books(tmp_path: Path) -> None:
    one = intent("c1")
    with Spool(tmp_path / "w") as spool:
        spool.append(one)
        spool.append(outcome(one, why="half a \ud83d"))
    records, _ = everything(tmp_path / "w")
    assert isinstance(records[1], Outcome)
    assert records[1].why == "half a ?"


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_outcomes_of_admitted_intents_fit_into_what_was_allocated(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("spool") / "w"
    with Spool(directory, segment_bytes=SMALL) as spool:
        begun = []
        for _ in range(data.draw(st.integers(1, 20))):
            begun.append(intent(f"call{data.draw(st.integers(0, 5))}", session="s" * data.draw(st.integers(0, 2000))))
            spool.append(begun[-1])
            if data.draw(st.booleans()):
                spool.append(outcome(begun.pop(data.draw(st.integers(0, len(begun) - 1)))))
        allocated = segments_of(directory)
        for one in begun:
            spool.append(outcome(one, why="x" * 3000))
        for number in range(6):
            if number in {int(one.call[4:]) for one in begun}:
                spool.append(closed(f"call{number}", why="y" * 3000))
        assert segments_of(directory) == allocated


def test_where_no_segment_can_be_allocated_an_intent_is_refused_and_what_was_begun_still_fits(tmp_path: Path) -> None:
    writer = python(FULL_DISK, str(tmp_path / "w"), "limited")
    begun, records, garbage, code, hinted = writer.communicate(timeout=30)[0].split()
    assert int(begun) >= 1
    assert (int(records), int(garbage), code, hinted) == (3 * int(begun), 0, "spool_full", "True")


def test_on_a_disk_that_is_really_full_what_was_begun_still_fits(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=256k none "$1" && exec "$2" -c "$3" "$1/w" real'
    command = ["unshare", "-rm", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, FULL_DISK]
    if shutil.which("unshare") is None or subprocess.run([*command[:4], "true"], check=False).returncode:
        pytest.skip("a small disk can't be made here")
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    if "mount:" in done.stderr:
        pytest.skip("a small disk can't be mounted here")
    begun, records, garbage, code, hinted = done.stdout.split()
    assert int(begun) > 20
    assert (int(records), int(garbage), code, hinted) == (3 * int(begun), 0, "spool_full", "True")


def test_a_full_disk_at_the_start_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        Spool(tmp_path / "w", segment_bytes=1 << 62)
    assert caught.value.code == "spool_full"
    assert segments_of(tmp_path / "w") == []


@pytest.mark.parametrize("seed", range(4))
def test_kill_9_loses_no_record_that_append_returned_from(tmp_path: Path, seed: int) -> None:
    writer = python(WRITER, str(tmp_path / "w"))
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline()]
    time.sleep(random.Random(seed).uniform(0.0, 0.15))
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    told = [tuple(line.split()) for line in acknowledged if line.endswith("\n")]
    records, garbage = everything(tmp_path / "w")
    stand = [(type(record).__name__, record.call) for record in records]
    assert stand[: len(told)] == told
    assert len(stand) - len(told) <= 1  # the one that stood before it could be told
    assert len(garbage) <= 1  # the one that was being written


def test_with_interval_sync_nothing_stays_open_after_the_end(tmp_path: Path) -> None:
    before = open_files()
    with Spool(tmp_path / "w", "interval", segment_bytes=SMALL) as spool:
        for record in (record for _ in range(60) for record in whole_call()):
            spool.append(record)
    assert open_files() == before
    assert len(everything(tmp_path / "w")[0]) == 180


def open_files() -> list[str]:
    """Of this process, but for what the test itself has open; nothing where the system does not say."""
    folder = Path("/proc/self/fd")
    return sorted(str(path.readlink()) for path in folder.iterdir() if path.is_symlink()) if folder.exists() else []


def test_ids_of_records_survive_as_they_are(tmp_path: Path) -> None:
    one = intent(new_id(), new_id(), propensity=0.25, parent=new_id())
    with Spool(tmp_path / "w") as spool:
        spool.append(one)
    assert everything(tmp_path / "w")[0] == [one]
