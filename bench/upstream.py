"""A mock upstream for the benchmark: answers chat completions at once, or as a stream paced at 40 chunks a second.

A bare protocol, so that it is never the slowest part. `python upstream.py PORT`.
"""

import asyncio
import json
import sys

import httptools
import uvloop

USAGE = {"prompt_tokens": 60, "completion_tokens": 20, "total_tokens": 80}
MESSAGE = {"role": "assistant", "content": "y" * 120}
ANSWER = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "mock-1",
        "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
        "usage": USAGE,
    }
).encode()
UNARY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKS = 40
PAUSE_S = 0.025


def event(choices: list[object], **rest: object) -> bytes:
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "mock-1", "choices": choices, **rest}
    return framed(b"data: " + json.dumps(body).encode() + b"\n\n")


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


WORD = event([{"index": 0, "delta": {"content": "word "}, "finish_reason": None}])
LAST = (
    event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    + event([], usage=USAGE)
    + framed(b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)


class Mock(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.body = b""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if b'"stream":true' in self.body.replace(b" ", b""):
            self.transport.write(STREAM)
            self.say(CHUNKS)
        else:
            self.transport.write(UNARY)

    def say(self, left: int) -> None:
        if left:
            self.transport.write(WORD)
            asyncio.get_running_loop().call_later(PAUSE_S, self.say, left - 1)
        else:
            self.transport.write(LAST)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
