"""A clock for tests of whatever waits: it goes on when somebody sleeps, and its luck is what the test says."""

import asyncio


class HandClock:
    """Nobody waits for real. `slept` is how long each one wanted to; `luck` is what chance always is."""

    def __init__(self, luck: float = 0.5) -> None:
        self.luck = luck
        self.at = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)

    def chance(self) -> float:
        return self.luck
