"""Where records wait for the store: one writer's directory of append-only files (segments), filled by pwrite.

    <directory>/lock              held (flock) by the writer while it lives
    <directory>/00000001.spool    lines of JSON (records.py), then NUL bytes up to the size it was allocated with

A record stands when its newline does. `kill -9` loses nothing that `append` returned from: the bytes are the kernel's.
Power loss may cost the last second with `sync="interval"`, whatever was not written back with `sync="none"`. Space is
allocated before it is needed: once an intent stands, its outcome and the end of its call fit, also on a full disk.

This file only writes (`reading.py` reads), runs in worker processes, and knows no store.
"""

import fcntl
import logging
import os
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import msgspec

from fairlead.errors import InUse, Unavailable
from fairlead.records import ENCODER, Intent, Outcome, Record, encode

Sync = Literal["none", "interval"]

SEGMENT_BYTES = 8 << 20
LINE_BYTES = 2048  # the longest line; longer texts are cut
SYNC_EVERY_S = 1.0

_log = logging.getLogger(__name__)

_CUTS = (1024, 256, 64, 16)  # characters that are left to each free text, tried in this order
_FREE_TEXTS = ("why", "served_model", "request_id", "finish", "session", "trace", "parent")
_FREE_LISTS = ("narrowed", "tags")
_CUT_DETAILS = 16


class Spool:
    """One writer: a process makes one, in a directory of its own (a fresh one for every start), and closes it.

    `append` costs a few microseconds (docs/LOG.md), is for one thread, and does not block but for the allocation of a
    segment. A call that has intents is closed by a CallClosed after the last of them; its room is kept until then.
    Child processes that are forked and not exec'd keep the lock alive.

    Raises InUse where the directory already is, or was, somebody's; Unavailable where there is no room for a start.
    """

    def __init__(self, directory: Path, sync: Sync = "none", segment_bytes: int = SEGMENT_BYTES) -> None:
        if segment_bytes < 4 * LINE_BYTES:
            raise ValueError(f"a segment of {segment_bytes} bytes is too small: {4 * LINE_BYTES} is the least")
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._owed: set[str] = set()  # attempts without an outcome and calls not closed, since their intent
        self._ahead: deque[int] = deque()  # file descriptors of the segments after this one
        self._last = 0  # the highest number of a segment
        self._lock = _take(directory)
        try:
            self._fd = self._allocate()
        except Unavailable:
            os.close(self._lock)
            raise
        self._offset = 0
        self._syncer = _Syncer(directory, self._fd) if sync == "interval" else None

    def append(self, *records: Record) -> None:
        """Returns when the records stand; several are written at once where they fit into one segment.

        Raises Unavailable (`spool_full`) where there is no room for an intent and what will follow it, or for the end
        of a call that never had one; then it was not written. What follows an intent always fits.
        """
        try:
            lines = ENCODER.encode_lines(records)
        except UnicodeEncodeError:  # half a surrogate pair, out of somebody's broken answer
            lines = None
        owed = self._owed
        left = self._segment_bytes - self._offset - (len(owed) + 3 * len(records) + 2) * LINE_BYTES
        if lines is None or len(lines) > LINE_BYTES or left < 0:
            self._append_each(records)
        else:  # as nearly always: all that is owed, and this, fits well into this segment
            self._write(lines)
            for record in records:
                if type(record) is Intent:
                    owed.add(record.attempt)
                    owed.add(record.call)
                else:
                    owed.discard(record.attempt if type(record) is Outcome else record.call)

    def _append_each(self, records: tuple[Record, ...]) -> None:
        """Line by line: a text may have to be cut, and the segment may end between two of them."""
        owed = self._owed
        lines = b""
        for record in records:
            line = _line(record)
            ended = "" if type(record) is Intent else record.attempt if type(record) is Outcome else record.call
            if ended in owed:
                owed.remove(ended)
            else:
                lines = self._write(lines) if lines else lines
                self._make_room(1 if ended else 2 if record.call in owed else 3)
            if self._offset + len(lines) + len(line) > self._segment_bytes:
                lines = self._write(lines) if lines else lines
                self._roll()
            lines += line
        self._write(lines)
        for record in records:
            if type(record) is Intent:
                owed.add(record.attempt)
                owed.add(record.call)

    def close(self) -> None:
        """Gives the directory up, to be shipped and removed; with `sync="interval"` after making it durable."""
        if self._fd < 0:
            return
        if self._syncer is not None:
            self._syncer.stop()
        for fd in (self._fd, *self._ahead, self._lock):
            os.close(fd)
        self._fd = -1

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, lines: bytes) -> bytes:
        """What is then left to be written: nothing."""
        try:
            written = os.pwrite(self._fd, lines, self._offset)
            while written < len(lines):  # interrupted by a signal
                written += os.pwrite(self._fd, lines[written:], self._offset + written)
        except OSError as error:
            raise _unavailable(self.directory, "spool_broken", error) from error
        self._offset += written
        return b""

    def _make_room(self, lines: int) -> None:
        """Room for so many lines that nobody reserved, and for all that are owed: in this segment and in those
        ahead."""
        needed = (lines + len(self._owed)) * LINE_BYTES
        # The end of each segment may stay empty, because a line does not span two.
        room = self._segment_bytes - self._offset - LINE_BYTES
        if room >= needed:
            return
        room = max(0, room)
        while room + len(self._ahead) * (self._segment_bytes - LINE_BYTES) < needed:
            self._ahead.append(self._allocate())

    def _roll(self) -> None:
        """On to the next segment, which is ahead by now: `_make_room` saw to it."""
        full, self._fd, self._offset = self._fd, self._ahead.popleft(), 0
        if self._syncer is None:
            os.close(full)
        else:
            self._syncer.turn_to(self._fd, full)

    def _allocate(self) -> int:
        """The file descriptor of a new segment that no later write can find the disk full for."""
        path = self.directory / f"{self._last + 1:08d}.spool"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                _reserve(fd, self._segment_bytes)
            except OSError:
                os.close(fd)
                path.unlink()
                raise
        except OSError as error:
            raise _unavailable(self.directory, "spool_full", error) from error
        self._last += 1
        return fd


class _Syncer:
    """Makes segments durable, once a second, on a thread of its own. It closes those that are full."""

    def __init__(self, directory: Path, fd: int) -> None:
        self._directory = directory
        self._fd = fd
        self._full: deque[int] = deque()
        self._stopping = threading.Event()
        self._new_names = True
        self._thread = threading.Thread(target=self._run, name="spool-sync", daemon=True)
        self._thread.start()

    def turn_to(self, fd: int, full: int) -> None:
        self._fd = fd
        self._new_names = True
        self._full.append(full)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(SYNC_EVERY_S)
            try:
                self._sync()
            except OSError:
                _log.exception("the spool in %s could not be made durable", self._directory)

    def _sync(self) -> None:
        if self._new_names:
            self._new_names = False
            fd = os.open(self._directory, os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)
        while self._full:
            fd = self._full.popleft()
            _sync_data(fd)
            os.close(fd)
        _sync_data(self._fd)


def _take(directory: Path) -> int:
    """The lock of a fresh directory. A file called `lock` is locked from its first moment on, until its writer dies."""
    directory.mkdir(parents=True, exist_ok=True)
    fresh, lock = directory / f"lock.{os.getpid()}", directory / "lock"
    fd = os.open(fresh, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        os.link(fresh, lock)
    except FileExistsError as error:
        os.close(fd)
        raise InUse(f"{directory} is another writer's spool", hint="a writer needs a directory of its own") from error
    finally:
        fresh.unlink()
    return fd


def _unavailable(directory: Path, code: str, error: OSError) -> Unavailable:
    message = f"the spool in {directory} can't be written: {os.strerror(error.errno or 0)}"
    return Unavailable(message, code=code, hint="see to the disk that holds data_dir: is it full, is it healthy?")


def _reserve(fd: int, size_bytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size_bytes)
        return
    zeros = bytes(1 << 20)  # macOS has no such call: write what must be there
    for offset in range(0, size_bytes, len(zeros)):
        os.pwrite(fd, zeros[: size_bytes - offset], offset)


_sync_data: Any = getattr(os, "fdatasync", os.fsync)


def _line(record: Record) -> bytes:
    try:
        line = ENCODER.encode(record) + b"\n"
        if len(line) <= LINE_BYTES:
            return line
    except UnicodeEncodeError:
        pass
    return _cut_line(record)


def _cut_line(record: Record) -> bytes:
    """The record as a line of LINE_BYTES at most: free texts are cut as far as they must be."""
    for characters in _CUTS:
        line = encode(msgspec.structs.replace(record, **_cut(record, characters)))
        if len(line) <= LINE_BYTES:
            return line
    raise ValueError(f"a record whose names alone are longer than {LINE_BYTES} bytes")  # names have bounds of their own


def _cut(record: Record, characters: int) -> dict[str, Any]:
    fields = set(record.__struct_fields__)
    texts = {name: getattr(record, name) for name in _FREE_TEXTS if name in fields}
    lists = {name: getattr(record, name) for name in _FREE_LISTS if name in fields}
    changed: dict[str, Any] = {name: _shorten(text, characters) for name, text in texts.items() if text}
    changed |= {name: tuple(_shorten(text, characters) for text in list_[:8]) for name, list_ in lists.items()}
    if isinstance(record, Outcome):
        changed["usage_details"] = dict(list(record.usage_details.items())[:_CUT_DETAILS])
    return changed


def _shorten(text: str, characters: int) -> str:
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= characters else clean[: characters - 1] + "…"
