"""A child process: started in a session of its own, ended politely or not, and able to tell why it died.

It reads what it needs (its key too, which must not stand in a command line) from its standard input; that pipe then
stays open, and its end tells the child that we are gone. What the child does is not known here.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from msgspec import Struct

from fairlead.engines.logfile import LogFile


class Launch(Struct, frozen=True):
    """A command, and the line that it reads from its standard input."""

    command: tuple[str, ...]
    line: bytes

    def __repr__(self) -> str:
        return f"Launch({' '.join(self.command)})"  # the line holds a key


class Child:
    def __init__(self, process: asyncio.subprocess.Process, log: LogFile) -> None:
        self._process = process
        self._log = log
        self._end = asyncio.create_task(process.wait())

    @classmethod
    async def spawn(cls, launch: Launch, log_path: Path) -> "Child":
        """Raises OSError where there is no such program, no process or no room for its log."""
        log = LogFile(log_path)
        output = await asyncio.to_thread(log.open)
        try:
            process = await asyncio.create_subprocess_exec(
                *launch.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in a terminal is for us; we end the child ourselves
            )
        finally:
            os.close(output)
        assert process.stdin is not None
        process.stdin.write(launch.line + b"\n")
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> bool:
        """At once. False where it has already ended."""
        return self._signal(signal.SIGKILL)

    async def ended(self, within_s: float) -> bool:
        """Waits for its end, but no longer than that."""
        await asyncio.wait([self._end], timeout=within_s)
        return self._end.done()

    async def end(self, patience_s: float) -> None:
        """SIGTERM, and SIGKILL for it and its offspring if it is still there after `patience_s`."""
        try:
            self._signal(signal.SIGTERM)
            await self.ended(patience_s)
        finally:
            self._signal(signal.SIGKILL)
        await self._end
        if self._process.stdin is not None:
            self._process.stdin.close()

    def last_words(self) -> str:
        """Why it ended: what it wrote, or the signal that killed it."""
        code = self._process.returncode
        said = self._log.said()
        if code is None:
            return said or "it hangs"
        if code < 0:
            name = _signal_name(-code)
            return (
                f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "") + (f": {said}" if said else "")
            )
        return said or f"ended with exit status {code}"

    def trim_log(self) -> None:
        """May block. A disk that is full or gone is no reason to stop watching."""
        with contextlib.suppress(OSError):
            self._log.trim()

    def _signal(self, number: signal.Signals) -> bool:
        if self._end.done():  # its number may be somebody else's now
            return False
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
