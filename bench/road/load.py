"""Load: whole answers by wrk, or at a rate that is kept, and paced streams; and what CPU time they cost a gateway."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httptools
import uvloop

from road.gateways import Gateway

CONNECTIONS = 32  # over which a rate is kept
LUA = """
wrk.method = "POST"
wrk.body = {body}
{headers}
done = function(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format('\\nRESULT {{"requests": %d, "seconds": %f, "bad": %d, "p50_us": %d, "p99_us": %d}}\\n',
    summary.requests, summary.duration / 1e6, bad, latency:percentile(50), latency:percentile(99)))
end
"""


class Failed(Exception):
    """A gateway did not do what was asked of it."""


@dataclass
class Unary:
    """What wrk counted, and what one request cost the gateway's own processes, those on the road and those aside."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    aside_us: float


@dataclass
class Streams:
    """Milliseconds to the first word of each stream; events that came; CPU per event. `refused`: how many had another
    status than 200, and the last one's; `broken`: how many did not come to their end otherwise."""

    first_ms: list[float] = field(default_factory=list)
    events: int = 0
    refused: int = 0
    status: int = 0
    broken: int = 0
    cpu_us: float = 0.0


def cpu_s(pids: tuple[int, ...]) -> float:
    """User and system time that the kernel booked for these processes, all threads, since they began: their CPU clocks,
    whose names `clock_getcpuclockid(3)` makes of process ids in this way."""
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


class Machine(NamedTuple):
    """CPU time of all cores until now: what there was, what nobody used, what we used and our children that ended."""

    total_s: float
    idle_s: float
    own_s: float

    @classmethod
    def now(cls) -> "Machine":
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        spent = [int(field) / os.sysconf("SC_CLK_TCK") for field in fields]
        return cls(sum(spent), spent[3] + spent[4], sum(os.times()[:4]))

    def others_since(self, begun: "Machine") -> float:
        """What part of it went to anybody else."""
        total, idle, own = (after - before for after, before in zip(self, begun, strict=True))
        return max(0.0, (total - idle - own) / total)


def resident_mb(pids: tuple[int, ...]) -> float:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def body_of(model: str, *, prompt_bytes: int = 200, stream: bool = False, chunks: int = 0) -> bytes:
    words = "x" * prompt_bytes + (f" chunks={chunks}" if chunks else "")
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": words}], "max_tokens": 900}
    if stream:
        body["stream"] = True
    return json.dumps(body).encode()


def headers_of(gateway: Gateway, translated: bool) -> dict[str, str]:
    given = gateway.translated_headers if translated and gateway.translated_headers else gateway.headers
    return {"content-type": "application/json", **given}


def _request(gateway: Gateway, body: bytes, translated: bool = False) -> bytes:
    head = f"POST {gateway.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers_of(gateway, translated).items())
    return head.encode() + b"\r\n" + body


def unary(
    gateway: Gateway, folder: Path, *, translated: bool = False, prompt_bytes: int, connections: int, seconds: float
) -> Unary:
    """wrk keeps `connections` busy for a while. Raises Failed where anything but answers came."""
    wrk = shutil.which("wrk")
    if not wrk:
        raise SystemExit("wrk is needed: apt install wrk")
    model = gateway.translated if translated else gateway.plain
    lines = [f"wrk.headers[{json.dumps(n)}] = {json.dumps(v)}" for n, v in headers_of(gateway, translated).items()]
    body = json.dumps(body_of(model, prompt_bytes=prompt_bytes).decode())
    script = folder / "post.lua"
    script.write_text(LUA.format(body=body, headers="\n".join(lines)))
    url = f"http://127.0.0.1:{gateway.port}{gateway.path}"
    command = [
        wrk,
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "30s",
        "-s",
        str(script),
        url,
    ]
    before, aside = cpu_s(gateway.counted), cpu_s(gateway.aside)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent, spent_aside = cpu_s(gateway.counted) - before, cpu_s(gateway.aside) - aside
    found = json.loads(said.partition("RESULT ")[2] or "{}")
    if not found.get("requests") or found["bad"]:
        raise Failed(
            f"{found.get('bad', 'all')} of {found.get('requests', 'its')} requests were not answered with a 2xx"
        )
    return Unary(
        requests=found["requests"],
        per_second=found["requests"] / found["seconds"],
        p50_ms=found["p50_us"] / 1e3,
        p99_ms=found["p99_us"] / 1e3,
        cpu_us=spent / found["requests"] * 1e6,
        aside_us=spent_aside / found["requests"] * 1e6,
    )


class _Asker(asyncio.Protocol):
    """A connection that is kept: one request at a time."""

    def __init__(self, asked: bytes) -> None:
        self._asked = asked
        self._parser = httptools.HttpResponseParser(self)
        self._done: asyncio.Future[None] | None = None

    async def ask(self) -> None:
        """Raises Failed where the answer is no 200."""
        if self._transport.is_closing():
            raise Failed("a connection was not kept")
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(self._asked)
        await self._done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        assert self._done is not None
        if (status := self._parser.get_status_code()) == 200:
            self._done.set_result(None)
        else:
            self._done.set_exception(Failed(f"a request was answered with status {status}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Failed("a connection ended before the answer came"))


async def _keep(port: int, asked: bytes, rate: float, turns: int) -> float:
    """Seconds that `turns` requests on each connection took. Each has its moment; who is late makes up for it."""
    loop = asyncio.get_running_loop()
    ends = [await loop.create_connection(partial(_Asker, asked), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    began = loop.time()

    async def one(number: int, asker: _Asker) -> None:
        for turn in range(turns):
            await asyncio.sleep(began + (turn * CONNECTIONS + number) / rate - loop.time())
            await asker.ask()

    await asyncio.gather(*(one(number, asker) for number, (_, asker) in enumerate(ends)))
    took_s = loop.time() - began
    for transport, _ in ends:
        transport.close()
    return took_s


def kept(gateway: Gateway, *, rate: float, seconds: float) -> float:
    """CPU microseconds of a whole answer of 300 B while so many a second are asked for, however fast the gateway is.

    Raises Failed where one is not answered, or the rate could not be kept.
    """
    turns = max(1, round(rate * seconds / CONNECTIONS))
    before = cpu_s(gateway.counted)
    took_s = uvloop.run(_keep(gateway.port, _request(gateway, body_of(gateway.plain)), rate, turns))
    if took_s > 1.2 * turns * CONNECTIONS / rate:
        raise Failed(f"it answered {turns * CONNECTIONS / took_s:.0f} of {rate:.0f} requests a second")
    return (cpu_s(gateway.counted) - before) / (turns * CONNECTIONS) * 1e6


class _Reader(asyncio.Protocol):
    """One stream: when its first word came, how many events there were, and whether it came to its end."""

    def __init__(self, asked: bytes, into: Streams, done: asyncio.Future[None], timed: bool) -> None:
        self._asked = asked
        self._timed = timed
        self._into = into
        self._done = done
        self._tail = b""
        self._whole = False
        self._headed = False
        self._first = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._began = time.perf_counter()
        transport.write(self._asked)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self._headed:
            self._headed = True
            if (status := int(data[9:12])) != 200:
                self._into.refused, self._into.status, self._whole = self._into.refused + 1, status, True
                self._transport.close()
                return
        if not self._first and b"word" in data:
            self._first = True
            if self._timed:
                self._into.first_ms.append((time.perf_counter() - self._began) * 1e3)
        self._into.events += data.count(b"word ")
        if b"[DONE]" in self._tail + data:
            self._whole = True
            self._transport.close()
        self._tail = data[-8:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._into.broken += not self._whole
        if not self._done.done():
            self._done.set_result(None)


async def _all(gateway: Gateway, asked: bytes, count: int, over_s: float, timed: int) -> Streams:
    into = Streams()
    loop = asyncio.get_running_loop()

    async def one(number: int) -> None:
        await asyncio.sleep(over_s * number / count)
        done: asyncio.Future[None] = loop.create_future()
        reader = partial(_Reader, asked, into, done, number >= count - timed)
        await loop.create_connection(reader, "127.0.0.1", gateway.port)
        await done

    await asyncio.gather(*map(one, range(count)))
    return into


def streams(
    gateway: Gateway, *, translated: bool = False, count: int, chunks: int, over_s: float, timed: int = 0
) -> Streams:
    """`count` streams of `chunks` words, begun evenly over `over_s` seconds, each word 25 ms after the one before. The
    time to the first word is told of the last `timed` of them.

    Raises Failed where one of them is not whole.
    """
    body = body_of(gateway.translated if translated else gateway.plain, stream=True, chunks=chunks)
    before = cpu_s(gateway.counted)
    found = uvloop.run(_all(gateway, _request(gateway, body, translated), count, over_s, timed))
    spent = cpu_s(gateway.counted) - before
    if found.refused:
        raise Failed(f"{found.refused} of {count} streams were answered with status {found.status}")
    if found.broken or found.events < count * chunks:
        raise Failed(f"{found.broken} of {count} streams broke; {found.events} of {count * chunks} words came")
    found.cpu_us = spent / found.events * 1e6
    return found
