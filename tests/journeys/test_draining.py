"""A server that is told to stop while callers ask without a pause: whoever could not know it is answered."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.server.office import CallFilter
from fairlead.store.calls import CallRow
from journeys.door import Door, ask, until
from pipe import Reader, Said

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
workers = 2
drain_s = 20

[backends.script]
kind = "script"
zone = "private"
script = "script.toml"

[targets.a]
backend = "script"
model = "a"

[routes.r]
targets = ["a"]
"""
CALLERS = 8


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Door]:
    (tmp_path / "fairlead.toml").write_text(CONFIG)
    (tmp_path / "script.toml").write_text('[[lines]]\npieces = ["one ", "two ", "three"]\ndelay_s = 0.02\n')
    door = Door(tmp_path).open()
    yield door
    door.close()


async def answer(reader: asyncio.StreamReader) -> Said:
    heard = Reader()
    while not (heard.responses and heard.responses[0].whole):
        data = await reader.read(65536)
        assert data, "the connection ended before the answer did"
        heard.read(data)
    return heard.responses[0]


async def keep_asking(port: int, key: str, stream: bool) -> list[Said]:
    """One after the other on one connection, on another where the server says so, until nobody takes one."""
    body = json.dumps({"model": "r", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
    asked = head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
    told: list[Said] = []
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return told
        last = ""
        while last != "close":
            writer.write(asked)
            told.append(await asyncio.wait_for(answer(reader), 30))
            last = told[-1].headers.get("connection", "")
        writer.close()


def test_a_drain_loses_no_request(house: Door) -> None:
    key = house.key("app").secret
    port = int(house.url.rpartition(":")[2])

    async def play() -> list[list[Said]]:
        callers = [asyncio.create_task(keep_asking(port, key, number % 2 == 0)) for number in range(CALLERS)]
        await asyncio.to_thread(until, lambda: len(ask_calls(house)) >= 3 * CALLERS)
        closing = asyncio.create_task(asyncio.to_thread(house.close))
        told = await asyncio.gather(*callers)
        await closing
        return told

    told = asyncio.run(play())
    assert all(one.status == 200 and one.whole for many in told for one in many)
    assert all(many[-1].headers["connection"] == "close" for many in told)
    house.open()
    calls = ask_calls(house)
    assert len(calls) == sum(len(many) for many in told)
    assert {call.status for call in calls} == {"ok"}


def ask_calls(house: Door) -> list[CallRow]:
    return ask(house.remote.calls(CallFilter(limit=1000)))
