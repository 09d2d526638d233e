"""Reads what a spool's writer appended, while it writes or long after it died. It changes nothing.

A line counts when its newline stands. In the segment that a writer is still in, reading ends at the first NUL byte; in
those it has left, and in all of a dead writer's, everything between the NULs is looked at, so that after a power loss a
page that was never written back hides nothing behind it. What is no record is handed out as such, never dropped.
"""

import fcntl
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from fairlead.records import Record, decode, decode_all

BATCH_BYTES = 1 << 20


class Position(Struct, frozen=True, order=True):
    """Where a reader is: the number of a segment, and bytes into it."""

    segment: int = 0
    offset: int = 0


class Batch(Struct, frozen=True):
    """Records in the order in which they were appended; `position` is after the last of them, garbage included.

    `garbage` are lines that are no records. `more`: there is more to read right now.
    """

    records: tuple[Record, ...]
    position: Position
    garbage: tuple[bytes, ...] = ()
    more: bool = False


def read(
    directory: Path,
    position: Position,
    *,
    is_dead: bool = False,
    batch_bytes: int = BATCH_BYTES,
    until: Position | None = None,
) -> Batch:
    """The next records after `position`, about `batch_bytes` of them, and none from beyond `until`.

    `is_dead`: the writer is known to be gone, so that what it left unfinished will never be finished.
    """
    segments = segments_of(directory)
    number = next((one for one in segments if one >= position.segment), None)
    if number is None:
        return Batch((), position)
    offset = position.offset if number == position.segment else 0
    following = segments[segments.index(number) + 1 :]
    # Asked before this segment is read: a writer that has begun the next one will never come back to this.
    has_left = is_dead or any(_is_begun(directory, one) for one in following)
    window = batch_bytes
    if until is not None and until.segment == number:
        window = min(window, until.offset - offset)
    data = _bytes_at(directory, number, offset, window)
    taken = _complete(data, has_left=has_left, is_last=len(data) < window)
    records, garbage = _decoded(data[:taken].rstrip(b"\0"))
    if not taken and has_left and following:
        return Batch((), Position(following[0], 0), more=True)
    return Batch(records, Position(number, offset + taken), garbage, more=bool(taken))


def segments_of(directory: Path) -> list[int]:
    """The numbers of the directory's segments, in order."""
    with os.scandir(directory) as entries:
        return sorted(int(entry.name[:-6]) for entry in entries if entry.name.endswith(".spool"))


def segment_path(directory: Path, number: int) -> Path:
    return directory / f"{number:08d}.spool"


def lock_of_dead(directory: Path) -> int | None:
    """The lock of a directory whose writer is gone: a file descriptor to be closed. None while it lives.

    A directory without a lock is one that is being made: it counts as alive.
    """
    try:
        fd = os.open(directory / "lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _is_begun(directory: Path, number: int) -> bool:
    return _bytes_at(directory, number, 0, 1) not in (b"", b"\0")


def _bytes_at(directory: Path, number: int, offset: int, length: int) -> bytes:
    fd = os.open(segment_path(directory, number), os.O_RDONLY)
    try:
        return os.pread(fd, max(0, length), offset)
    finally:
        os.close(fd)


def _complete(data: bytes, *, has_left: bool, is_last: bool) -> int:
    """How many bytes are done with. `is_last`: the segment has no more bytes than these."""
    if not has_left:
        nul = data.find(b"\0")
        return data.rfind(b"\n", 0, len(data) if nul < 0 else nul) + 1
    if is_last or not data.strip(b"\0"):
        return len(data)  # what has no newline by now will never get one
    return data.rfind(b"\n") + 1 or len(data)


def _decoded(data: bytes) -> tuple[tuple[Record, ...], tuple[bytes, ...]]:
    if b"\0" not in data:
        try:
            return tuple(decode_all(data)), ()
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # one of them is special: let us see which
    records: list[Record] = []
    garbage: list[bytes] = []
    for line in data.split(b"\n"):
        if not line.strip(b"\0"):
            continue
        try:
            records.append(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            garbage.extend(_salvage(line, records))
    return tuple(records), tuple(garbage)


def _salvage(line: bytes, records: list[Record]) -> list[bytes]:
    """A hole may end in the middle of a line that is whole: the last piece after the NULs is tried by itself."""
    head, _, tail = line.rpartition(b"\0")
    if not tail:
        return [line.strip(b"\0")]
    try:
        records.append(decode(tail))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [line.strip(b"\0")]
    return [head.strip(b"\0")] if head.strip(b"\0") else []
