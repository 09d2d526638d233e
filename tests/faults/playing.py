"""Every row of the table, played at once: a stand-in for each case, and one real `fairlead serve` in front of them."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import NamedTuple

import trustme

from fairlead.backends.lines import Line
from fairlead.errors import RemoteFailed
from fairlead.server.office import KeyWanted
from fairlead.standin.server import Seen, Standin
from fairlead.store.calls import CallShown
from faults.caller import Heard, ask
from faults.table import ROWS, SAID, WAYS, Row, Way
from journeys.door import Door

AT_ONCE = 24
ONCE_MORE = "and are you well now?"
INSTEAD = "I am the other one"
PATIENCE_S = 60.0
ON_BREAK = {"buffered": 'on_break = "buffer"', "continued": 'on_break = "continue"'}
FILLING = "words " * 400_000  # more than the buffers of a connection hold

CONFIG = """\
data_dir = "data"
[server]
listen = "127.0.0.1:0"
admin = "off"
drain_s = 2
[backends.other]
kind = "openai"
base_url = "{other}/v1"
zone = "private"
[targets.other]
backend = "other"
model = "other-1"
price = {{ input = 1.0, output = 2.0 }}
"""
CASE = """
[backends.{name}]
kind = "openai"
base_url = "{url}/v1"
zone = "private"
quirks = {{ prefill = "last" }}
[targets.{name}]
backend = "{name}"
model = "mock-1"
price = {{ input = 1.0, output = 2.0 }}
timeouts = {{ connect_s = 3, first_token_s = 1.2, between_tokens_s = 1.2, total_s = 5 }}
[routes.{name}]
targets = [{targets}]
max_output_tokens = 100
limits = {{ concurrent = 1 }}
retry = {{ backoff_s = 0.02, max_backoff_s = 0.5 }}
{more}
"""


class Case(NamedTuple):
    row: Row
    way: Way
    fallback: bool

    @property
    def name(self) -> str:
        return f"{ROWS.index(self.row)}-{self.way}-{'fallback' if self.fallback else 'single'}"

    @property
    def stream(self) -> bool:
        return self.way != "whole"

    @property
    def instead(self) -> bool:
        """Another target answers."""
        return self.fallback and self.row.falls_back(self.way)

    @property
    def lines(self) -> list[Line]:
        """What the provider says, in turn: where it may be continued, it is well after it went wrong."""
        return [*self.row.lines, SAID] if self.way == "continued" and self.row.mends else list(self.row.lines)


class Told(NamedTuple):
    """What a caller heard, and how often the provider was asked meanwhile. `again` is the request after it, None where
    nobody could answer one."""

    heard: Heard
    seen: int
    again: Heard | None


class Played(NamedTuple):
    """The same, with what the books say of it. `opened` and `open` count the provider's connections."""

    heard: Heard
    seen: int
    again: Heard | None
    shown: CallShown
    opened: int
    open: int


CASES = tuple(Case(row, way, fallback) for row in ROWS for way in WAYS for fallback in (False, True))


class Provider:
    """A stand-in of a case's own, where its row says."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.nobody = socket.socket()  # bound and never listened on, so that nobody else gets the port
        self.url = ""
        self.seen: list[Seen] = []
        well = Line(when=ONCE_MORE, pieces=SAID.pieces, usage=SAID.usage)
        self.standin = Standin([*case.lines, well] if case.row.lines else [SAID], self.seen.append)

    async def start(self, tls: ssl.SSLContext) -> None:
        match self.case.row.place:
            case "unknown name":
                self.url = "http://nowhere.invalid"
            case "no TLS":
                self.url = (await self.standin.start()).replace("http:", "https:")
            case "strange authority":
                self.url = (await self.standin.start(tls=tls)).replace("127.0.0.1", "localhost")
            case "nobody":
                self.nobody.bind(("127.0.0.1", 0))
                self.url = f"http://127.0.0.1:{self.nobody.getsockname()[1]}"
            case "script":
                self.url = await self.standin.start()

    def configured(self) -> str:
        targets = [self.case.name, "other"] if self.case.fallback else [self.case.name]
        return CASE.format(
            name=self.case.name,
            url=self.url,
            targets=", ".join(f'"{name}"' for name in targets),
            more=ON_BREAK.get(self.case.way, ""),
        )


async def play_all(folder: Path) -> dict[str, Played]:
    """By the name of the case."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    other = Standin([Line(text=INSTEAD)])
    providers = [Provider(case) for case in CASES]
    config = CONFIG.format(other=await other.start())
    for provider in providers:
        await provider.start(tls)
        config += provider.configured()
    (folder / "fairlead.toml").write_text(config)
    door = Door(folder)
    await asyncio.to_thread(door.open)
    try:
        made = await door.remote.new_key(KeyWanted(name="faults"))
        port, places = int(door.url.rpartition(":")[2]), asyncio.Semaphore(AT_ONCE)

        async def one(provider: Provider) -> Told:
            async with places:
                return await _play(provider, port, made.secret)

        told = await asyncio.gather(*map(one, providers))
        found = [await _looked_up(*each, door) for each in zip(providers, told, strict=True)]
        return {case.name: played for case, played in zip(CASES, found, strict=True)}
    finally:
        await asyncio.to_thread(door.close)
        for provider in providers:
            provider.nobody.close()
            await provider.standin.stop()
        await other.stop()


async def _play(provider: Provider, port: int, key: str) -> Told:
    case = provider.case
    text = f"tell me {FILLING if case.row.name == 'deaf' else ''}"
    async with asyncio.timeout(PATIENCE_S):
        heard = await ask(port, key, case.name, text, stream=case.stream)
        seen = len(provider.seen)
        again = None
        if case.row.place == "script" or case.fallback:
            again = await ask(port, key, case.name, ONCE_MORE, stream=case.stream)
    return Told(heard, seen, again)


async def _looked_up(provider: Provider, told: Told, door: Door) -> Played:
    """With what the books say, once they do."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                shown = await door.remote.call(told.heard.headers["x-fairlead-call"])
                break
            except RemoteFailed:
                await asyncio.sleep(0.2)
        while provider.standin.open > int(provider.case.row.place == "script"):
            await asyncio.sleep(0.02)
    return Played(*told, shown, provider.standin.connections, provider.standin.open)
