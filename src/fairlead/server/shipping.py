"""The steward's shipping room: spools become rows, a few times a second, off the event loop.

The store may be away for an hour: then nothing is shipped and nothing is lost, and the lag says so.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from fairlead.records import Record
from fairlead.store.opening import Store
from fairlead.store.shipping import Shipped, Shipper
from fairlead.telemetry import Metrics

ROUNDS = 64  # a writer at full speed is never caught up with: what it writes meanwhile is for the next turn


class ShippingRoom:
    """`metrics` None: nobody asks for them."""

    def __init__(
        self, store: Store, spools: Path, metrics: Metrics | None, make: Callable[..., Shipper] = Shipper
    ) -> None:
        self._seen: list[Sequence[Record]] = []
        self._shipper = make(store, spools, saw=None if metrics is None else self._seen.append)
        self._metrics = metrics
        self._turn = asyncio.Lock()
        self._rounds: set[asyncio.Task[bool]] = set()
        self._running: asyncio.Task[None] | None = None
        self._lag_s = 0.0

    async def ship(self) -> bool:
        """Whatever was complete when this was called is in the store when it returns True; False: the store is away.

        A caller who is cancelled leaves the turn to its end: a thread can't be cancelled, and no two may ship at once.
        """
        turn = asyncio.create_task(self._ship())
        self._rounds.add(turn)
        turn.add_done_callback(self._rounds.discard)
        return await asyncio.shield(turn)

    async def _ship(self) -> bool:
        async with self._turn:
            shipped = Shipped(more=True)
            for _ in range(ROUNDS):
                shipped = await asyncio.to_thread(self._shipper.ship)
                if not shipped.more:
                    break
            self._lag_s = shipped.lag_s
            if self._metrics is not None:
                seen, self._seen[:] = list(self._seen), []
                for records in seen:
                    self._metrics.saw(records)
            return not shipped.failed

    def lag_s(self) -> float:
        """Seconds since the store last had everything."""
        return self._lag_s

    def start(self, every_s: float) -> None:
        self._running = asyncio.create_task(self._run(every_s))

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def _run(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            await self.ship()
