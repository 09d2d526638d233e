"""A script is played alike in process and over TCP, in every language: the same words, errors and ends."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from msgspec.structs import replace

from backends.stages import KEY, asking, unspoken
from fairlead.backends.faults import FAULTS
from fairlead.backends.http import Http
from fairlead.backends.lines import Line, ScriptedCall, ScriptedUsage
from fairlead.backends.script import Script
from fairlead.chat import Chunk, Request
from fairlead.errors import StreamBroken, TargetError
from fairlead.gateway.call import Asking, Backend
from fairlead.standin.server import Seen, Standin
from fairlead.wire.pool import Pool

SAID = Line(pieces=("Never", " was", " there", " more"), usage=ScriptedUsage(5, 4))
LIMITS = {"first_token_s": 0.2, "between_tokens_s": 0.2, "total_s": 0.4}
BASES = {"openai": "/v1", "responses": "/v1", "anthropic": "", "gemini": "/v1beta", "bedrock": ""}
KINDS = tuple(BASES)
FINE: dict[str, Line] = {
    "a text": SAID,
    "a call": Line(tool_calls=(ScriptedCall("look_up", {"id": 7}, "t1"),)),
    "thoughts": Line(text="Yes", reasoning="Let me see."),
    "cut short": Line(text="So it", finish="length"),
    "filtered": Line(text="No", finish="content_filter"),
    "uncounted": Line(text="Hello there", usage="none"),
    "slow": Line(text="one two three", latency_s=0.02, delay_s=0.01),
}
FAULTY: dict[str, Line] = {name: replace(SAID, fault=name) for name in FAULTS} | {
    "429": Line(status=429, retry_after_s=7),
    "401": Line(status=401),
    "500": Line(status=500, message="out of order"),
    "307": Line(status=307),
    "refused": Line(refuse=True),
    "malformed": Line(malformed=True),
    "cut": replace(SAID, cut_after=2),
    "stalled": replace(SAID, stall_after=2),
    "late": replace(SAID, timeout="first_token"),
    "late again": replace(SAID, timeout="between_tokens"),
    "later": replace(SAID, timeout="total"),
}


class Heard:
    """What came of an asking: words, the finish, the error's kind and its stage."""

    def __init__(self) -> None:
        self.words = ""
        self.calls: list[tuple[str | None, str]] = []
        self.finish: str | None = None
        self.error: type[TargetError] | None = None
        self.details: tuple[Any, ...] = ()
        self.tokens: tuple[int, int] | None = None

    def told(self) -> tuple[Any, ...]:
        return self.words, self.calls, self.finish, self.error, self.details, self.tokens


async def hear(backend: Backend, request: Request, how: Asking) -> Heard:
    heard = Heard()
    try:
        async with asyncio.timeout(20):
            await (_stream if request.stream else _answer)(backend, request, how, heard)
    except TargetError as error:
        heard.error = type(error)
        heard.details = (error.status, error.retry_after_s, error.details.get("stage"))
    return heard


async def _answer(backend: Backend, request: Request, how: Asking, heard: Heard) -> None:
    answer = await backend.answer(request, how)
    said = answer.said[0]
    heard.words, heard.finish = (said.reasoning or "") + (said.text or ""), answer.finish
    heard.calls = [(call.name, call.arguments) for call in said.tool_calls]
    heard.tokens = (answer.usage.input, answer.usage.output) if answer.usage else None


async def _stream(backend: Backend, request: Request, how: Asking, heard: Heard) -> None:
    async with aclosing(backend.stream(request, how)) as items:
        async for item in items:
            if isinstance(item, Chunk):
                heard.words += item.reasoning + item.text
                heard.calls += [(item.tool.name, item.tool.arguments)] if item.tool else []
                heard.finish = item.finish or heard.finish


async def both(line: Line, kind: str, stream: bool) -> tuple[Heard, Heard, list[Seen]]:
    """The same asking twice: of the script in process, and of the stand-in that plays it in this language."""
    seen: list[Seen] = []
    standin, pool = Standin([line], seen.append), Pool()
    how = replace(asking(**LIMITS), whole=True)
    request = unspoken("hi " * (300_000 if line.fault == "deaf" else 1), stream=stream)
    try:
        backend = Http(pool, kind=kind, base_url=await standin.start() + BASES[kind], key=KEY)
        over_tcp = await hear(backend, request, how)
        return await hear(Script([line]), request, how), over_tcp, seen
    finally:
        await pool.close()
        await standin.stop()


def of_all(line: Line) -> list[tuple[str, bool, Heard, Heard, list[Seen]]]:
    """`both`, for every language, whole and streamed, all at once."""

    async def run() -> list[tuple[str, bool, Heard, Heard, list[Seen]]]:
        ways = [(kind, stream) for kind in KINDS for stream in (False, True)]
        found = await asyncio.gather(*(both(line, kind, stream) for kind, stream in ways))
        return [(*way, *one) for way, one in zip(ways, found, strict=True)]

    return asyncio.run(run())


@pytest.mark.parametrize("scene", FINE)
def test_what_goes_well_goes_well_over_tcp(scene: str) -> None:
    for kind, stream, in_process, over_tcp, seen in of_all(FINE[scene]):
        assert over_tcp.words == in_process.words and over_tcp.error is None, kind
        assert over_tcp.finish == in_process.finish or (scene, kind) == ("filtered", "bedrock")
        assert [name for name, _ in over_tcp.calls if name] == [name for name, _ in in_process.calls if name]
        assert "".join(said for _, said in over_tcp.calls) == "".join(said for _, said in in_process.calls)
        assert [one.line for one in seen] == [0] and seen[0].stream == stream and seen[0].trace == asking().trace


@pytest.mark.parametrize("scene", FAULTY)
def test_a_fault_leads_to_the_same_error_in_process_and_over_tcp(scene: str) -> None:
    line = FAULTY[scene]
    for kind, stream, in_process, over_tcp, seen in of_all(line):
        assert over_tcp.error is in_process.error, (kind, stream, over_tcp.told(), in_process.told())
        assert len(seen) >= 1
        if line.timeout is not None:
            continue  # in process it passes at once, whatever was said until then
        assert over_tcp.details[1:] == in_process.details[1:], (kind, stream)
        assert over_tcp.words == in_process.words, (kind, stream)
        if over_tcp.error is not None and issubclass(over_tcp.error, StreamBroken):
            assert over_tcp.finish is None


class Raw:
    """A connection of one's own to a stand-in."""

    async def open(self, url: str) -> "Raw":
        host, port = url.removeprefix("http://").split(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        return self

    async def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        said = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = next(line for line in said.lower().splitlines() if line.startswith("content-length:"))
        return int(said.split(" ")[1]), await self.reader.readexactly(int(length.split(":")[1]))


def test_what_makes_no_sense_to_a_script_is_said_so() -> None:
    async def run() -> list[tuple[int, bytes]]:
        standin = Standin([Line(text="yes", when="please")])
        one = await Raw().open(await standin.start())
        chat = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}'
        asked = [
            ("/v1/chat/completions", chat % b"please"),
            ("/v1/chat/completions", chat % b"now"),
            ("/v1/chat/completions", b"{"),
            ("/v1/embeddings", b"{}"),
            ("/any/where/v1/chat/completions", chat % b"please"),
        ]
        try:
            return [await one.ask(*each) for each in asked]
        finally:
            one.writer.close()
            await standin.stop()

    well, lineless, broken, elsewhere, below = asyncio.run(run())
    assert well[0] == below[0] == 200 and b'"yes"' in well[1]
    assert lineless[0] == 400 and b"no line was found" in lineless[1]
    assert broken[0] == 400 and elsewhere[0] == 404


def test_a_stand_in_that_stops_leaves_no_connection() -> None:
    async def run() -> tuple[int, int]:
        standin = Standin([Line(text="yes")])
        url = await standin.start()
        ones = [await Raw().open(url) for _ in range(3)]
        await ones[0].ask("/v1/chat/completions", b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
        await standin.stop()
        assert all([await one.reader.read() == b"" for one in ones])
        for one in ones:
            one.writer.close()
        return standin.connections, standin.open

    assert asyncio.run(run()) == (3, 0)
