"""Where recorded content waits for the store: one file for each call, whole or not there, for its owner alone.

    <directory>/<call>.said       MessagePack of a Recorded
    <directory>/<call>.part       being written, or left by a writer that died

A writer has a directory of its own and writes only there; whoever carries the files into the store removes them. What
lies in it is bounded, and a disk that is nearly full is left to the books: content is given up before any of them is.
This file knows no store and loads no SQL: workers use it.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

CONTENT = "content"  # the folder of data_dir that holds the writers' directories
WHOLE, PART = ".said", ".part"
LEFT_FREE_BYTES = 64 << 20  # room that the spool of a busy worker takes within minutes
LOOK_EVERY_S = 1.0


class Recorded(Struct, frozen=True):
    """What was said in one call; `parts` are kinds (request, answer) and their bytes, as they were on the wire."""

    call: str
    key: str
    at_us: int
    zone: str
    expires_us: int
    parts: tuple[tuple[str, bytes], ...]


class Recordings:
    """One writer's directory. `lost` counts the calls whose content was given up."""

    def __init__(self, directory: Path, most_bytes: int) -> None:
        self._directory = directory
        self._most_bytes = most_bytes
        self._waiting_bytes = 0  # at most: it is looked again when that seems too many
        self._looked = 0.0
        self.lost = 0
        self.why = ""  # the last was

    def write(self, said: Recorded) -> bool:
        """False where there is no room: then nothing was written, and `lost` counts it."""
        data = msgspec.msgpack.encode(said)
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._has_room(len(data)):
                raise OSError("what waits for the store, or the disk, has no room for it")
            part = self._directory / f"{said.call}{PART}"
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            part.replace(part.with_suffix(WHOLE))
        except OSError as error:
            self.lost += 1
            self.why = error.strerror or str(error)
            return False
        self._waiting_bytes += len(data)
        return True

    def _has_room(self, size: int) -> bool:
        now = time.monotonic()
        if self._waiting_bytes + size > self._most_bytes and now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            self._waiting_bytes = sum(entry.stat().st_size for entry in os.scandir(self._directory))
        if self._waiting_bytes + size > self._most_bytes:
            return False
        disk = os.statvfs(self._directory)
        return disk.f_bavail * disk.f_frsize > LEFT_FREE_BYTES + size


def waiting(directory: Path) -> list[Path]:
    """The whole ones, the oldest first: names begin with the time."""
    return sorted(directory.glob(f"*{WHOLE}"))


def read(paths: list[Path], most_bytes: int) -> Iterator[tuple[Path, Recorded | None]]:
    """Each with what is in it, until that makes `most_bytes`; None: it can't be read, and never will be."""
    size = 0
    for path in paths:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        try:
            yield path, msgspec.msgpack.decode(data, type=Recorded)
        except msgspec.DecodeError:
            yield path, None
        size += len(data)
        if size >= most_bytes:
            return


def clear(directory: Path) -> None:
    """A dead writer's directory goes, with what it did not finish; not where anything whole is left."""
    for part in directory.glob(f"*{PART}"):
        part.unlink(missing_ok=True)
    try:
        directory.rmdir()
    except OSError:
        return
