"""Reading files that nobody vouches for: never more than is allowed, whatever they claim to hold.

A few kilobytes of gzip or zip can become terabytes. So what is unpacked is counted as it comes, not believed
beforehand. Knows no format of results.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from fairlead.errors import ExtraMissing
from fairlead.evals.importing.imported import WHOLE, unreadable

MAX_BYTES = 8 << 30  # of a file of lines, unpacked
MAX_LINE = 64 << 20
MAX_DOCUMENT = 512 << 20  # of what must be read in one piece
MAX_ENTRIES = 1_000_000
CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
STORED, DEFLATED, ZSTANDARD = 0, 8, 93  # of zip's methods, those that are read
LOCAL_HEADER = 30


class Limits:
    """How much of a file may be read; tests have smaller ones."""

    def __init__(self, total: int = MAX_BYTES, line: int = MAX_LINE, document: int = MAX_DOCUMENT) -> None:
        self.total, self.line, self.document = total, line, document


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where it is gzip. Raises ResultsUnreadable."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield io.BufferedReader(unpacked, CHUNK)  # type: ignore[arg-type]  # it is raw enough
            else:
                yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise unreadable(str(path), f"it is broken gzip: {error}", WHOLE) from error
    except OSError as error:
        raise unreadable(str(path), error.strerror or str(error)) from error


def start(path: Path, count: int) -> bytes:
    """The first bytes of the file itself, packed or not. Raises ResultsUnreadable."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise unreadable(str(path), error.strerror or str(error)) from error


def lines(path: Path, limits: Limits, *, blank: bool = False) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, those that are blank where `blank` says so. Raises ResultsUnreadable."""
    total = 0
    with opened(path) as file:
        number = 0
        while line := file.readline(limits.line + 1):
            number, total = number + 1, total + len(line)
            if len(line) > limits.line:
                raise unreadable(str(path), f"line {number} is longer than {limits.line} bytes")
            if total > limits.total:
                raise unreadable(str(path), f"it holds more than {limits.total} bytes")
            text = _text(line, path, number)
            if blank or text.strip():
                yield number, text


def document(path: Path, limits: Limits) -> bytes:
    """All of it. Raises ResultsUnreadable."""
    with opened(path) as file:
        return _bounded(file, limits.document, str(path))


class Archive:
    """A zip file, entry by entry; also entries that were packed with Zstandard, which `zipfile` does not know."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits, self._left = path, limits, limits.total
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise unreadable(str(path), f"it is no zip file: {error}", WHOLE) from error
        except OSError as error:
            raise unreadable(str(path), error.strerror or str(error)) from error
        self.names = self._zip.namelist()
        if len(self.names) > MAX_ENTRIES:
            raise unreadable(str(path), f"it has more than {MAX_ENTRIES} entries")

    def close(self) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """All of an entry. Raises ResultsUnreadable."""
        where = f"{self._path} ({name})"
        entry = self._zip.getinfo(name)
        most = min(self._limits.document, self._left)
        try:
            if entry.compress_type == ZSTANDARD:
                found = self._unpacked(entry, most, where)
            else:
                with self._zip.open(entry) as file:
                    found = _bounded(file, most, where)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError) as error:
            raise unreadable(where, f"the entry can't be unpacked: {error}", WHOLE) from error
        self._left -= len(found)
        return found

    def _unpacked(self, entry: zipfile.ZipInfo, most: int, where: str) -> bytes:
        """One or more Zstandard frames, as an entry's content stands in the file behind its local header."""
        zstandard = _zstandard()
        with self._path.open("rb") as file:
            file.seek(entry.header_offset)
            header = file.read(LOCAL_HEADER)
            if len(header) < LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
                raise unreadable(where, "the entry has no header")
            skipped = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            file.seek(skipped, io.SEEK_CUR)
            packed = file.read(entry.compress_size)
        try:
            stream = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed), read_across_frames=True)
            found = _bounded(stream, most, where)
        except zstandard.ZstdError as error:
            raise unreadable(where, f"it is broken Zstandard: {error}", WHOLE) from error
        if zlib.crc32(found) != entry.CRC:
            raise unreadable(where, "its check sum is wrong", WHOLE)
        return found


def _bounded(file: IO[bytes], most: int, where: str) -> bytes:
    found = bytearray()
    while chunk := file.read(CHUNK):
        found += chunk
        if len(found) > most:
            raise unreadable(where, f"it unpacks to more than {most} bytes")
    return bytes(found)


def _text(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        hint = "Save it as text in UTF-8 (in Excel: CSV UTF-8)."
        raise unreadable(str(path), f"line {number} is not UTF-8: {error.reason}", hint) from error


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        message = "this log is packed with Zstandard, and the package zstandard is missing"
        raise ExtraMissing(message, hint="pip install 'fairlead[evals]'") from error
    return zstandard
