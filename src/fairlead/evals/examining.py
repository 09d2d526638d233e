"""Scorers that may hang, fall over or take long run in processes of their own: examiners. Asking goes on meanwhile.

One that takes longer than its limit is ended with its process, and so is one that ends it; that one score is missing
then, and the next one finds another process. They are started when they are first wanted, and end with this process
however it ends. Which scorers run here is decided in `scorers`.
"""

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

import msgspec

from fairlead.errors import ExtraMissing, OperatorError
from fairlead.evals.examining_child import HELLO, LONGEST_REPLY, SIZE, Reply
from fairlead.evals.recipes import Recipe, Scored
from fairlead.scoring.score import Output

MOST = 4
START_S = 60.0  # a machine may be busy
STDERR = 2
LAST_S = 1.0  # in which a process that hung up ends by itself
_REPLY = msgspec.json.Decoder(Reply)


class Examiners:
    """At most `most` processes, as many as the machine has cores unless told otherwise. Is used with `async with`."""

    def __init__(self, most: int | None = None) -> None:
        self._room = asyncio.Semaphore(most or min(MOST, os.cpu_count() or 1))
        self._idle: list[_Examiner] = []
        self._all: set[_Examiner] = set()

    async def __aenter__(self) -> "Examiners":
        return self

    async def __aexit__(self, *_: object) -> None:
        gone = list(self._all)
        for one in gone:
            one.kill()
        await asyncio.to_thread(lambda: [one.process.wait() for one in gone])

    async def score(self, recipe: Recipe, output: Output, case: Any, limit_s: float) -> Scored:
        """Raises OperatorError where nothing can be scored by this one, nor could the next answer be."""
        async with self._room:
            one = await self._taken()
            try:
                async with asyncio.timeout(limit_s):
                    reply = await one.asked(recipe, output, case)
            except TimeoutError:
                await self._ended(one)
                return Scored(None, f"scorer {recipe.name} took longer than {limit_s:g} s", stuck=True)
            except (EOFError, OSError, msgspec.DecodeError, UnicodeDecodeError):
                how = await self._ended(one, LAST_S)
                return Scored(None, f"scorer {recipe.name} ended its process: {how}", stuck=True)
            except BaseException:
                one.kill()
                raise
            self._idle.append(one)
        if reply.lacks:
            raise ExtraMissing(reply.lacks, hint=reply.hint)
        return reply.scored

    async def _taken(self) -> "_Examiner":
        while self._idle:
            one = self._idle.pop()
            if one.process.poll() is None:
                return one
            await self._ended(one)
        one = _Examiner.spawned()
        self._all.add(one)
        try:
            async with asyncio.timeout(START_S):
                await one.opened()
        except (TimeoutError, EOFError, OSError) as error:
            how = await self._ended(one)
            raise OperatorError(
                f"no process for scorers: it did not start ({how})", hint="what it said is above"
            ) from error
        except BaseException:
            one.kill()
            raise
        return one

    async def _ended(self, one: "_Examiner", patience_s: float = 0) -> str:
        """How it ended, which it may do by itself for so long."""
        one.hang_up()
        how = await asyncio.to_thread(one.end, patience_s)
        self._all.discard(one)
        return how


class _Examiner:
    """One process, and the line to it."""

    def __init__(self, process: subprocess.Popen[bytes], line: socket.socket) -> None:
        self.process = process
        self._line = line
        self._known: set[str] = set()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    @classmethod
    def spawned(cls) -> "_Examiner":
        """Raises OperatorError where the machine has no room for it."""
        ours, theirs = socket.socketpair()
        # -P: what lies in the folder where a command is given is nobody's module.
        command = [sys.executable, "-P", "-m", "fairlead.evals.examining_child", str(os.getpid()), str(theirs.fileno())]
        with theirs:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=STDERR,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,  # Ctrl-C is for us; and what a scorer starts is ended with it
                )
            except OSError as error:
                ours.close()
                raise OperatorError(f"no process for scorers: {error}", hint="is the machine full?") from error
        return cls(process, ours)

    async def opened(self) -> None:
        """Raises EOFError, OSError."""
        self._reader, self._writer = await asyncio.open_connection(sock=self._line)
        if await self._received() != HELLO:
            raise EOFError

    async def asked(self, recipe: Recipe, output: Output, case: Any) -> Reply:
        """Raises EOFError, OSError; and msgspec.DecodeError for what is no reply."""
        assert self._writer is not None
        new = None if recipe.key in self._known else recipe
        said = pickle.dumps((recipe.key, new, output, case), pickle.HIGHEST_PROTOCOL)
        self._known.add(recipe.key)
        self._writer.write(SIZE.pack(len(said)) + said)
        await self._writer.drain()
        return _REPLY.decode(await self._received())

    async def _received(self) -> bytes:
        (size,) = SIZE.unpack(await self._reader.readexactly(SIZE.size))
        if size > 2 * LONGEST_REPLY:
            raise EOFError
        return await self._reader.readexactly(size)

    def kill(self) -> None:
        """With all that it started."""
        self.hang_up()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        (self._writer or self._line).close()

    def end(self, patience_s: float) -> str:
        """Waits for it, in a thread of its own. How it ended."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_s)
        code = self.process.returncode
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if code is None:
            return "it was ended"
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"
