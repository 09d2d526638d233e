"""What an engine writes to its standard output and error: a file of bounded size, and what was last said in it.

The engine writes into the file itself, so that a chatty or dying one costs our process nothing. When the file has grown
too long its end is kept beside it (`NAME.log.1`) and it is emptied; the engine, which appends, does not notice.
"""

import os
import re
from pathlib import Path

LONGEST = 4 << 20
TAIL = 64 << 10
# llama.cpp's own lines: a time, a level, who speaks, what. The first error is the cause, later ones its consequences.
ERROR = re.compile(rb"^[\d.]+ E (?:[\w<>~]+ +[\w<>~()]+: |[\w<>~ ()]+: )?(.+)$", re.MULTILINE)


class LogFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = 0

    def open(self) -> int:
        """A file descriptor to append with, which the caller closes; what was written before is not `said`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.trim()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._mark = os.fstat(descriptor).st_size
        return descriptor

    def said(self) -> str:
        """The cause of an end, as far as the file tells it since `open`; "" where it doesn't."""
        text = self._since_mark()
        if found := ERROR.search(text):
            return found[1].decode("utf-8", "replace").strip()
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1].decode("utf-8", "replace") if lines else ""

    def trim(self) -> None:
        """Keeps the end of a file that has grown too long, and empties it. Raises OSError where the disk says no."""
        if not self.path.exists() or self.path.stat().st_size <= LONGEST:
            return
        with self.path.open("r+b") as file:
            file.seek(-LONGEST, 2)
            self.path.with_name(self.path.name + ".1").write_bytes(file.read(LONGEST))
            file.truncate(0)
        self._mark = 0

    def _since_mark(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(self._mark if self._mark <= size else 0, size - TAIL))
                return file.read(TAIL)
        except OSError:
            return b""
