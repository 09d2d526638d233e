"""Time and luck as they are. Whoever waits or chooses on the road is handed them: tests neither wait nor guess."""

import asyncio
import random
import time


class SystemClock:
    """Fills the port `Clock`."""

    now = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def chance(self) -> float:
        return random.random()  # who waits how long is no secret
