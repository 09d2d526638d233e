"""The bare load generator: so many connections, each of which sends the next body when it has the last answer."""

import asyncio
import time
from collections import deque

from fairlead.engines.supervisor import Engine
from fairlead.wire.address import place, request_head
from fairlead.wire.pool import Pool


async def generate(engine: Engine, bodies: list[bytes], concurrency: int) -> float:
    """Seconds until all are answered."""
    pool = Pool()
    origin = pool.origin(place(engine.url))
    headers = {"authorization": f"Bearer {engine.key}", "content-type": "application/json"}
    head = request_head("POST", origin.place, "/v1/chat/completions", headers)
    left = deque(bodies)

    async def asking() -> None:
        while left:
            response = await pool.ask(origin, head, left.popleft())
            body = await response.body()
            if response.status != 200:
                raise RuntimeError(f"the engine answered {response.status}: {body[:200]!r}")

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(asking())
    took = time.monotonic() - began
    await pool.close()
    return took
