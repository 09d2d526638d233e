"""Does an engine on this machine answer? One question, one connection, one deadline. It knows no model."""

import asyncio
import contextlib

QUESTION = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


async def is_well(port: int, timeout_s: float) -> bool:
    """Whether `GET /health` on loopback says 200 in time. Never raises for what the other side does."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _ask(port)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return False


async def _ask(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(QUESTION)
        status = await reader.readuntil(b"\r\n")
        return status.split(b" ", 2)[1:2] == [b"200"]
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
