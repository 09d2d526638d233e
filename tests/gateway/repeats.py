"""A gateway whose route has a cache, for tests of it: what is asked, what is answered, and a target that waits."""

import asyncio
from contextlib import aclosing
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Answer, Chunk, Head, Item, Request, Said, Spoken, Stream, Text
from fairlead.errors import (
    FairleadError,
)
from fairlead.gateway.call import Asking, CacheRules, Caller, Context, Route
from world import USAGE, Table, World, caller, request, route, target

RULES = CacheRules(ttl_s=60.0, most_bytes=100_000)
PATIENCE_S = 20.0


def cached(**changes: Any) -> Route:
    name = changes.pop("name", "r")
    rules = replace(RULES, **changes.pop("rules", {}))
    return route(target("a"), name=name, **{"cache": rules, "version": "1", **changes})


def asked(text: str = "hi", *, stream: bool = False, fields: dict[str, bytes] | None = None, **changes: Any) -> Request:
    said = {"messages": f'["{text}"]'.encode(), "model": b'"r"', **(fields or {})}
    spoken = Spoken("openai", {name: Raw(value) for name, value in said.items()})
    return request(stream=stream, spoken=spoken, **changes)


def whole(text: str = "hello", finish: Any = "stop", **changes: Any) -> Answer:
    one = Said((Text(text),), finish)
    return Answer(**{"id": "c1", "model": "m-1", "said": (one,), "finish": finish, "usage": USAGE, **changes})


def pieces(*texts: str, finish: Any = "stop") -> list[Item]:
    return [
        Head("c1", "m-1", request_id="up-1"),
        *(Chunk(text=one, words=True) for one in texts),
        Chunk(finish=finish),
        USAGE,
    ]


def text(items: list[Item]) -> str:
    return "".join(item.text for item in items if isinstance(item, Chunk))


def how(world: World) -> list[str]:
    return [call.cache for call in world.spool.calls()]


class Numbered:
    """A target that never says the same twice."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, request: Request) -> Any:
        self.count += 1
        return pieces(f"{self.count}", "!") if request.stream else whole(f"{self.count}!")


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds

    def chance(self) -> float:
        return 1.0


class Gated(Table):
    """Says nothing until it is let: an item for each `let`, and what `lines` have at last."""

    def __init__(self, lines: dict[str, Any]) -> None:
        super().__init__(lines)
        self.gate = asyncio.Semaphore(0)
        self.cancelled = 0
        self.begun = asyncio.Event()

    def let(self, items: int = 1000) -> None:
        for _ in range(items):
            self.gate.release()

    async def answer(self, request: Request, asking: Asking) -> Answer:
        line = self._line(request, asking)
        await self._pass()
        if isinstance(line, FairleadError):
            raise line
        return line

    async def stream(self, request: Request, asking: Asking) -> Stream:
        line = self._line(request, asking)
        for item in [line] if isinstance(line, FairleadError) else line:
            await self._pass()
            if isinstance(item, FairleadError):
                raise item
            yield item

    async def _pass(self) -> None:
        self.begun.set()
        try:
            await self.gate.acquire()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def gated(rules: Route, line: Any) -> tuple[World, Gated]:
    world = World([rules], {"a": line})
    table = Gated({"a": line})
    world.gateway.generation = replace(world.gateway.generation, backends={"table": table})
    return world, table


async def hear(world: World, request: Request, by: Caller | None = None, came: list[Item] | None = None) -> list[Item]:
    came = [] if came is None else came
    with world.gateway.open(by or caller(), request, Context()) as book:
        async with aclosing(world.gateway.stream(book)) as items:
            async for item in items:
                came.append(item)
    return came


async def until(is_so: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0)
