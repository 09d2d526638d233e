"""A mock provider for the benchmark: answers at once, or as a stream paced at 40 chunks a second, in two languages.

OpenAI's chat completions, and Anthropic's messages for whoever translates. A bare protocol, so that it is never the
slowest part. A prompt that says `chunks=N` gets a stream of N words. `python upstream.py PORT`.
"""

import asyncio
import json
import re
import sys
from functools import partial

import httptools
import uvloop

CHUNKS = 40
PAUSE_S = 0.025
WORDS = "y" * 120
ASKED_CHUNKS = re.compile(rb"chunks=(\d{1,5})")


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(body: object) -> bytes:
    said = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(said) + said


def unnamed(choices: list[object], **rest: object) -> bytes:
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "mock-1", "choices": choices, **rest}
    return framed(b"data: " + json.dumps(body).encode() + b"\n\n")


def named(kind: str, **rest: object) -> bytes:
    return framed(f"event: {kind}\ndata: {json.dumps({'type': kind, **rest})}\n\n".encode())


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
OPENAI_USAGE = {"prompt_tokens": 60, "completion_tokens": 20, "total_tokens": 80}
OPENAI_MESSAGE = {"role": "assistant", "content": WORDS}
OPENAI_UNARY = whole(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "mock-1",
        "choices": [{"index": 0, "message": OPENAI_MESSAGE, "finish_reason": "stop"}],
        "usage": OPENAI_USAGE,
    }
)
OPENAI_WORD = unnamed([{"index": 0, "delta": {"content": "word "}, "finish_reason": None}])
OPENAI_LAST = (
    unnamed([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    + unnamed([], usage=OPENAI_USAGE)
    + framed(b"data: [DONE]\n\n")
    + END
)
ANTHROPIC_MESSAGE = {"id": "m1", "type": "message", "role": "assistant", "model": "claude-mock", "stop_sequence": None}
ANTHROPIC_UNARY = whole(
    {
        **ANTHROPIC_MESSAGE,
        "content": [{"type": "text", "text": WORDS}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 60, "output_tokens": 20},
    }
)
ANTHROPIC_FIRST = named(
    "message_start",
    message={
        **ANTHROPIC_MESSAGE,
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 60, "output_tokens": 1},
    },
) + named("content_block_start", index=0, content_block={"type": "text", "text": ""})
ANTHROPIC_WORD = named("content_block_delta", index=0, delta={"type": "text_delta", "text": "word "})
ANTHROPIC_LAST = (
    named("content_block_stop", index=0)
    + named("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 20})
    + named("message_stop")
    + END
)


class Mock(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body: list[bytes] = []
        self.path = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.body, self.path = [], b""

    def on_url(self, url: bytes) -> None:
        self.path += url

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self.body)
        anthropic = b"/messages" in self.path
        if b'"stream":true' not in body.replace(b'"stream": true', b'"stream":true'):
            self.transport.write(ANTHROPIC_UNARY if anthropic else OPENAI_UNARY)
            return
        asked = ASKED_CHUNKS.search(body)
        self.transport.write(HEAD + (ANTHROPIC_FIRST if anthropic else b""))
        words = (ANTHROPIC_WORD, ANTHROPIC_LAST) if anthropic else (OPENAI_WORD, OPENAI_LAST)
        self.say(*words, int(asked[1]) if asked else CHUNKS)

    def say(self, word: bytes, last: bytes, left: int) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(word if left else last)
        if left:
            asyncio.get_running_loop().call_later(PAUSE_S, partial(self.say, word, last, left - 1))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", int(sys.argv[1]), backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
