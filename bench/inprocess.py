"""What the road costs in process, without a socket: CPU time of one unary call and of one streamed chunk.

Everything is real but the two ends: the caller's connection and the upstream's end in transports that write and answer
out of memory. In between stand the data listener, keys, policies, a purse with its lease, a spool in a temporary
directory, the dialects and the upstream pool. Variants leave one part out, so that differences tell what
that part costs. Rounds are interleaved; medians and the least of all are told, since machines are shared.

    python bench/inprocess.py [--rounds 7] [--calls 2000] [--only NAME]
    python bench/inprocess.py --count         # instructions, under valgrind: the same on every run

`--once N` runs a variant N times and measures nothing: for profilers.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop

from fairlead import app, config
from fairlead.gateway.call import Caller, Limit
from fairlead.gateway.identity import digest
from fairlead.gateway.purse import Lease, LeasedPurse
from fairlead.records import Record
from fairlead.server.data import DataListener
from fairlead.server.endpoints import ENDPOINTS
from fairlead.server.unserved import HINTS
from fairlead.server.worker import COLLECT_AFTER
from fairlead.store.spool import Spool
from fairlead.wire.connection import Connection
from fairlead.wire.inbound import Bounds, Inbound
from fairlead.wire.listener import Listener
from fairlead.wire.pool import Origin, Pool

Once = Callable[[], Awaitable[None]]

CHUNKS = 40
KEY = "fl_" + "k" * 43
CONFIG = """
[server]
admin = "off"
[backends.openai]
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
zone = "private"
[backends.anthropic]
kind = "anthropic"
base_url = "http://127.0.0.1:2"
zone = "private"
[targets.same]
backend = "openai"
model = "mock-1"
price = { input = 1, output = 2 }
[targets.other]
backend = "anthropic"
model = "mock-2"
price = { input = 1, output = 2 }
[routes.same]
targets = ["same"]
max_output_tokens = 100
budget = "1000000usd/day"
[routes.other]
targets = ["other"]
max_output_tokens = 100
budget = "1000000usd/day"
[targets.bare]
backend = "openai"
model = "mock-1"
price = { input = 1, output = 2 }
breaker = { on = false }
[routes.bare]
targets = ["bare"]
max_output_tokens = 100
budget = "1000000usd/day"
retry = { attempts = 0 }
[routes.cached]
targets = ["same"]
max_output_tokens = 100
budget = "1000000usd/day"
cache = { ttl_s = 86400 }
[routes.free]
targets = ["same"]
max_output_tokens = 100
"""


def framed(events: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(events), events)


def openai_event(choices: list[object], **rest: object) -> bytes:
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "mock-1", "choices": choices, **rest}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def anthropic_event(kind: str, **rest: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **rest}).encode())


HEAD = b"HTTP/1.1 200 OK\r\ndate: Mon, 01 Jan 2024 00:00:00 GMT\r\nserver: mock\r\ncontent-type: %b\r\n"
MESSAGE = {"role": "assistant", "content": "y" * 120}
ANSWER = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "mock-1",
        "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 60, "completion_tokens": 20, "total_tokens": 80},
    }
).encode()
UNARY = HEAD % b"application/json" + b"content-length: %d\r\n\r\n" % len(ANSWER) + ANSWER
STREAM = HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n"
OPENAI = [
    STREAM,
    framed(openai_event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])),
    *[framed(openai_event([{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]))] * CHUNKS,
    framed(openai_event([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    + framed(openai_event([], usage={"prompt_tokens": 60, "completion_tokens": 20, "total_tokens": 80}))
    + framed(b"data: [DONE]\n\n")
    + b"0\r\n\r\n",
]
WORD = anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": "word "})
ANTHROPIC = [
    STREAM,
    framed(
        anthropic_event(
            "message_start",
            message={"id": "m1", "model": "mock-2", "usage": {"input_tokens": 60, "output_tokens": 1}},
        )
        + anthropic_event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    ),
    *[framed(WORD)] * CHUNKS,
    framed(
        anthropic_event("content_block_stop", index=0)
        + anthropic_event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 20})
        + anthropic_event("message_stop")
    )
    + b"0\r\n\r\n",
]


class Memory:
    """A transport to a server that answers at once: a whole answer, or one piece of a stream for each turn of the
    loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.protocol: Any = None
        self.closed = False

    def write(self, data: bytes) -> None:
        if b'"stream":true' not in data:
            self.loop.call_soon(self.protocol.data_received, UNARY)
        else:
            pieces = ANTHROPIC if b"/messages" in data[:64] else OPENAI
            self.loop.call_soon(self.say, iter(pieces))

    def say(self, pieces: Iterator[bytes]) -> None:
        piece = next(pieces, None)
        if piece is not None:
            self.protocol.data_received(piece)
            self.loop.call_soon(self.say, pieces)

    def writelines(self, pieces: tuple[bytes, ...]) -> None:
        self.write(b"".join(pieces))

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            self.loop.call_soon(self.protocol.connection_lost, None)


class MemoryPool(Pool):
    """Connections that lead to `Memory`."""

    async def _connect(self, origin: Origin, connect_s: float, total_at: float) -> Connection:
        loop = asyncio.get_running_loop()
        transport = Memory(loop)
        connection = Connection(loop, origin.name, lambda made: self._keep(origin, made), self._open.discard)
        transport.protocol = connection
        connection.connection_made(transport)  # type: ignore[arg-type]
        self._open.add(connection)
        return connection


class Generous:
    """A broker that grants what is asked for a million times over."""

    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        return Lease(needed * 1_000_000, spent, held)


class Nowhere:
    """A spool that keeps nothing."""

    def append(self, *records: Record) -> None: ...


def site(folder: Path, *, with_books: bool = True) -> DataListener:
    spool = Spool(folder / str(time.monotonic_ns())) if with_books else Nowhere()
    made = app.build(
        config.parse(CONFIG, base=folder),
        spool=spool,
        purse=LeasedPurse(Generous()),
        pool=MemoryPool(),
        callers={digest(KEY): Caller(key="k1", name="bench", team="t", routes=("*",))},
    )
    return DataListener(made.gateway, made.identities, ENDPOINTS, HINTS, max_body_bytes=10_000_000, hash_key=b"k" * 32)


class Ear:
    """A transport to a caller who reads at once, and knows the end of a response when it comes."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] | None = None

    def write(self, data: bytes) -> None:
        if data[-5:] == b"0\r\n\r\n" or (data[:5] == b"HTTP/" and b"content-length: " in data):
            assert self.done is not None
            self.done.set_result(None)

    def get_extra_info(self, name: str) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


def asking(serves: DataListener, route: str, *, stream: bool, cache: bytes = b"") -> Once:
    """Asks once, on a connection that is kept."""
    body = json.dumps({"model": route, "messages": [{"role": "user", "content": "x" * 200}], "stream": stream}).encode()
    told = cache and b"x-fairlead-cache: " + cache + b"\r\n"
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\naccept: application/json\r\nuser-agent: OpenAI/Python 1.0\r\n"
        b"%bcontent-length: %d\r\n\r\n%b" % (KEY.encode(), told, len(body), body)
    )
    ear = Ear()
    connection: Inbound | None = None

    async def once() -> None:
        nonlocal connection
        if connection is None:
            connection = Inbound(Listener(serves, Bounds()))
            connection.connection_made(ear)  # type: ignore[arg-type]
        ear.done = asyncio.get_running_loop().create_future()
        connection.data_received(request)
        await ear.done

    return once


async def repeat(once: Once, count: int) -> None:
    for _ in range(count):
        await once()


def variants(folder: Path) -> dict[str, tuple[Once, int]]:
    """By name: what is done once, and into how many parts its time is divided."""
    full, bookless = site(folder), site(folder, with_books=False)
    return {
        "unary": (asking(full, "same", stream=False), 1),
        "unary, no limits": (asking(full, "free", stream=False), 1),
        "unary, no retries": (asking(full, "bare", stream=False), 1),
        "unary, no books": (asking(bookless, "same", stream=False), 1),
        "unary, from the cache": (asking(full, "cached", stream=False), 1),
        "chunk": (asking(full, "same", stream=True), CHUNKS),
        "chunk, no retries": (asking(full, "bare", stream=True), CHUNKS),
        "chunk, translated": (asking(full, "other", stream=True), CHUNKS),
        "chunk, into the cache": (asking(full, "cached", stream=True, cache=b"no-cache"), CHUNKS),
        "chunk, from the cache": (asking(full, "cached", stream=True), CHUNKS),
    }


async def measure(made: dict[str, tuple[Once, int]], rounds: int, calls: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in made}
    for once, _ in made.values():
        await repeat(once, 50)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    for number in range(rounds):
        for name in list(made) if number % 2 == 0 else list(made)[::-1]:
            once, parts = made[name]
            count = max(1, calls // parts)
            began = time.process_time()
            await repeat(once, count)
            took[name].append((time.process_time() - began) / count / parts * 1e6)
    return took


def counted(name: str, calls: int) -> float:
    """Instructions of one call, under valgrind, which begins to count when everything is warm."""
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null"]
    command += [sys.executable, __file__, "--only", name, "--once", str(calls)]
    env = {**os.environ, "VALGRIND": "1"}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stderr
    found = re.search(r"Collected : (\d+)", said)
    assert found, said
    return int(found[1]) / calls


async def watched(once: Once, count: int) -> None:
    """For `counted`, and for profilers: some calls before, then those that count."""
    await repeat(once, 20)
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    _counting("on")
    await repeat(once, count)
    _counting("off")


def _counting(how: str) -> None:
    """Valgrind looks for what it is told while it runs code, so waiting keeps it busy."""
    if "VALGRIND" in os.environ:
        switching = subprocess.Popen(
            ["callgrind_control", f"--instr={how}", str(os.getpid())], stdout=subprocess.DEVNULL
        )
        while switching.poll() is None:
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--only", default="")
    parser.add_argument("--once", type=int, default=0)
    parser.add_argument("--count", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairlead-inprocess-")))
        made = variants(folder)
        chosen = {name: made[name] for name in made if name == options.only or not options.only}
        if options.once:
            for once, _ in chosen.values():
                uvloop.run(watched(once, options.once))
            return
        if options.count:
            for name, (_, parts) in chosen.items():
                print(f"{name:24} {counted(name, 1000 // parts) / parts:10,.0f} instructions")
            return
        for name, took in uvloop.run(measure(chosen, options.rounds, options.calls)).items():
            print(f"{name:24} median {statistics.median(took):7.2f} µs, least {min(took):7.2f}")


if __name__ == "__main__":
    main()
