"""The bound on what is no body, over a real socket."""

import asyncio
import contextlib
from typing import Any

import pytest
import uvicorn

from fairlead.server.protocol import MAX_HEAD_BYTES, BoundedProtocol


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers how many bytes of a body came."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = b"%d" % size
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})


class Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


async def answer(*pieces: bytes) -> bytes:
    """What a server says to these bytes, however it ends the connection."""
    config = uvicorn.Config(echo, port=0, http=BoundedProtocol, ws="none", lifespan="off", log_config=None)
    server = Quiet(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.001)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
    said = b""
    with contextlib.suppress(ConnectionError):
        said = await asyncio.wait_for(reader.read(4096), 2)
    writer.close()
    server.should_exit = True
    await serving
    return said


BIG = b"a" * (2 * MAX_HEAD_BYTES)


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ", b"GET / HTTP/1.1\r\n"])
def test_a_head_that_does_not_end_is_refused(start: bytes) -> None:
    said = asyncio.run(answer(start, BIG, BIG))
    assert not said or said.startswith(b"HTTP/1.1 400")


def test_a_large_body_is_no_head() -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(BIG)
    assert asyncio.run(answer(head, BIG)).endswith(b"\r\n\r\n%d" % len(BIG))
    assert asyncio.run(answer(head + BIG)).endswith(b"\r\n\r\n%d" % len(BIG))
