"""The shipping room: one turn at a time, whoever waits for it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairlead.records import Record
from fairlead.server.shipping import ShippingRoom
from fairlead.store.opening import Store, open_store
from fairlead.store.shipping import Shipped, Shipper
from fairlead.telemetry import Metrics


class SlowShipper(Shipper):
    """Counts how many ship at once."""

    def __init__(self, store: Store, spools: Path, *, saw: Callable[[tuple[Record, ...]], None]) -> None:
        super().__init__(store, spools, saw=saw)
        self.within = self.most = self.turns = 0

    def ship(self) -> Shipped:
        self.within += 1
        self.most = max(self.most, self.within)
        time.sleep(0.05)
        self.within -= 1
        self.turns += 1
        return Shipped()


def test_who_is_cancelled_while_it_ships_lets_nobody_ship_beside_it(tmp_path: Path) -> None:
    async def play() -> None:
        with open_store(tmp_path) as store:
            made: list[SlowShipper] = []

            def make(*given: Any, **more: Any) -> Shipper:
                made.append(SlowShipper(*given, **more))
                return made[0]

            room = ShippingRoom(store, tmp_path / "spool", Metrics(), make)
            impatient = asyncio.create_task(room.ship())
            await asyncio.sleep(0.01)
            impatient.cancel()
            with pytest.raises(asyncio.CancelledError):
                await impatient
            assert await room.ship()
            assert (made[0].most, made[0].turns) == (1, 2)

    asyncio.run(play())


def test_it_says_whether_the_store_took_all(tmp_path: Path) -> None:
    async def play() -> None:
        with open_store(tmp_path) as store:
            room = ShippingRoom(store, tmp_path / "spool", Metrics())
            assert await room.ship()
            (tmp_path / "spool" / "w").mkdir(parents=True)
            (tmp_path / "spool" / "w" / "lock").mkdir()  # can't be read
            assert not await room.ship()

    asyncio.run(play())
