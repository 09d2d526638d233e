"""The steward's archive room: what workers recorded becomes rows, off the event loop; then its files go.

The store may be away: then files wait, as many as fit. A file is removed when its rows are in the store; what is
carried twice is one row.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from pathlib import Path

from fairlead.errors import Unavailable
from fairlead.server.office import Office
from fairlead.store import recordings
from fairlead.store.recordings import Recorded

log = logging.getLogger("fairlead.archive")
BATCH_BYTES = 4 << 20


class ArchiveRoom:
    """`alive` names the workers that write. `root` holds a directory for each."""

    def __init__(self, office: Office, root: Path, alive: Callable[[], Collection[str]]) -> None:
        self._office = office
        self._root = root
        self._alive = alive
        self._turn = asyncio.Lock()
        self._running: asyncio.Task[None] | None = None

    def start(self, every_s: float) -> None:
        self._running = asyncio.create_task(self._run(every_s))

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        with contextlib.suppress(Unavailable):
            await self.carry()

    async def carry(self) -> int:
        """What was whole when this was called is in the store when it returns; how many calls. Raises Unavailable."""
        async with self._turn:
            count = 0
            alive = set(self._alive())
            for directory in await asyncio.to_thread(self._directories):
                while batch := await asyncio.to_thread(_batch, directory):
                    count += await self._carry(batch)
                if directory.name not in alive:
                    await asyncio.to_thread(recordings.clear, directory)
            return count

    async def _carry(self, batch: list[tuple[Path, Recorded | None]]) -> int:
        found = [said for _, said in batch if said is not None]
        await self._office.record(found)
        await asyncio.to_thread(_remove, batch)
        return len(found)

    def _directories(self) -> list[Path]:
        return sorted(path for path in self._root.iterdir() if path.is_dir()) if self._root.is_dir() else []

    async def _run(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            with contextlib.suppress(Unavailable):  # shipping tells it
                await self.carry()


def _batch(directory: Path) -> list[tuple[Path, Recorded | None]]:
    return list(recordings.read(recordings.waiting(directory), BATCH_BYTES))


def _remove(batch: list[tuple[Path, Recorded | None]]) -> None:
    for path, said in batch:
        if said is None:
            log.error("%s is no recording: it is removed", path)
        path.unlink(missing_ok=True)
