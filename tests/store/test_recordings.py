"""Content on its way to the store: whole or not there, bounded, and given up before anything else is."""

import errno
import os
from pathlib import Path

import pytest

from fairlead.store.recordings import Recorded, Recordings, clear, read, waiting


def said(call: str = "c1", size: int = 5) -> Recorded:
    return Recorded(call=call, key="k1", at_us=1, zone="private", expires_us=2, parts=(("request", b"x" * size),))


def test_what_was_written_is_read_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        recordings = Recordings(tmp_path / "content" / "w", 10_000)
        assert recordings.write(said("b")) and recordings.write(said("a"))
    finally:
        os.umask(before)
    paths = waiting(tmp_path / "content" / "w")
    assert [path.stem for path in paths] == ["a", "b"]
    assert [found for _, found in read(paths, 10_000)] == [said("a"), said("b")]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert (tmp_path / "content" / "w").stat().st_mode & 0o777 == 0o700


def test_no_more_waits_than_may_and_what_is_taken_away_makes_room(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, 2500)
    assert recordings.write(said("a", 1000)) and recordings.write(said("b", 1000))
    assert not recordings.write(said("c", 1000))
    assert recordings.lost == 1 and "no room" in recordings.why
    assert [path.stem for path in waiting(tmp_path)] == ["a", "b"]
    for path in waiting(tmp_path):
        path.unlink()
    recordings._looked = 0.0  # a second later
    assert recordings.write(said("d", 1000))


def test_a_disk_that_takes_nothing_costs_the_content_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recordings = Recordings(tmp_path / "file" / "w", 10_000)
    assert not recordings.write(said())
    assert recordings.lost == 1 and recordings.why == os.strerror(errno.ENOTDIR)


def test_a_batch_is_no_larger_than_wanted_and_what_is_broken_is_told(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, 100_000)
    for call in "abc":
        recordings.write(said(call, 1000))
    (tmp_path / "b.said").write_bytes(b"no recording")
    assert [path.stem for path, _ in read(waiting(tmp_path), 1)] == ["a"]
    assert [found is None for _, found in read(waiting(tmp_path), 100_000)] == [False, True, False]


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_dead_writers_directory_goes_when_nothing_whole_is_left(tmp_path: Path, is_empty: bool) -> None:
    directory = tmp_path / "w"
    recordings = Recordings(directory, 10_000)
    recordings.write(said())
    (directory / "c2.part").write_bytes(b"half")
    if is_empty:
        waiting(directory)[0].unlink()
    clear(directory)
    assert directory.exists() is not is_empty
    assert not list(tmp_path.rglob("*.part"))
