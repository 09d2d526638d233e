"""The timer that moves."""

import asyncio

import pytest

from fairlead.wire.timer import Timer

pytestmark = pytest.mark.anyio


async def rung_after(wait_s: float, *moves_s: float) -> int:
    """How often a timer rings within `wait_s`, having been set to each of these."""
    loop = asyncio.get_running_loop()
    rings: list[int] = []
    timer = Timer(loop, lambda: rings.append(1))
    for seconds in moves_s:
        timer.set(loop.time() + seconds)
    await asyncio.sleep(wait_s)
    timer.stop()
    return len(rings)


async def test_it_rings_once() -> None:
    assert await rung_after(0.05, 0.01) == 1


async def test_it_rings_earlier_when_moved_forward() -> None:
    assert await rung_after(0.05, 10, 0.01) == 1


async def test_it_rings_later_when_moved_back() -> None:
    assert await rung_after(0.05, 0.01, 10) == 0
    assert await rung_after(0.08, 0.01, 0.04) == 1


async def test_it_does_not_ring_when_told_never() -> None:
    assert await rung_after(0.05, 0.01, float("inf")) == 0
