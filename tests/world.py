"""Adapters for tests of the road: a backend that is a dictionary, a spool that is a list, a broker that grants by
count."""

import asyncio
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from fairlead.chat import Answer, Chunk, Head, Item, Request, Stream, Usage
from fairlead.errors import FairleadError, RequestInvalid, Unavailable
from fairlead.gateway.call import Asking, Call, Caller, Clock, Context, Fetch, Limit, Route, Target
from fairlead.gateway.flow import Gateway, Generation
from fairlead.gateway.ledger import Ledger
from fairlead.gateway.purse import Lease, LeasedPurse
from fairlead.gateway.routes import Routes
from fairlead.gateway.strategies import STRATEGIES
from fairlead.money import Price
from fairlead.records import CallClosed, Intent, Outcome, Record

PRICE = Price(id="own/test", input=10**9, output=2 * 10**9)  # 1 and 2 US dollars per million tokens
USAGE = Usage(input=100, output=10)
COST = 100 * 1000 + 10 * 2000  # of USAGE at PRICE, in nano-dollars
Line = Answer | FairleadError | list[Item | FairleadError | float]


class ListSpool:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self.full = False

    def append(self, *records: Record) -> None:
        if self.full and any(isinstance(record, Intent) for record in records):
            raise Unavailable("the disk is full", code="spool_full")
        self.records += records

    def intents(self) -> list[Intent]:
        return [record for record in self.records if isinstance(record, Intent)]

    def outcomes(self) -> list[Outcome]:
        return [record for record in self.records if isinstance(record, Outcome)]

    def calls(self) -> list[CallClosed]:
        return [record for record in self.records if isinstance(record, CallClosed)]


class CountingBroker:
    """Grants what is free of each limit, to one process. `asked` counts how often it was needed."""

    def __init__(self) -> None:
        self.leased: dict[tuple[str, int], int] = {}
        self.asked = 0

    async def lease(self, limit: Limit, window_us: int, needed: int, spent: int, held: int) -> Lease:
        self.asked += 1
        await asyncio.sleep(0)  # as the real one: others run meanwhile
        key = (limit.id, window_us)
        free = limit.amount - self.leased.get(key, 0)
        if free < needed:
            return Lease(0, spent, held)
        self.leased[key] = self.leased.get(key, 0) + needed
        return Lease(needed, spent, held)


class Table:
    """A backend that says what a table has for each target: an answer, an error, or the items of a stream."""

    dialect = "house"

    def __init__(self, lines: Mapping[str, Line | Callable[[Request], Line]]) -> None:
        self.lines = lines
        self.asked: list[Asking] = []

    def _line(self, request: Request, asking: Asking) -> Any:
        self.asked.append(asking)
        line = self.lines[asking.target.name]
        return line(request) if callable(line) else line

    async def answer(self, request: Request, asking: Asking) -> Answer:
        line = self._line(request, asking)
        await asyncio.sleep(0)
        if isinstance(line, FairleadError):
            raise copy(line)  # one that is held by whoever raises it is a cycle
        return line

    def says(self, request: Request, asking: Asking) -> bool:
        """What it would not refuse."""
        line = self.lines.get(asking.target.name)
        return not isinstance(line, RequestInvalid)

    async def stream(self, request: Request, asking: Asking) -> Stream:
        line = self._line(request, asking)
        for item in [line] if isinstance(line, FairleadError) else line:
            await asyncio.sleep(item if isinstance(item, float) else 0)
            if isinstance(item, FairleadError):
                raise copy(item)
            if not isinstance(item, float):
                yield item


def in_turn(*lines: Line) -> Callable[[Request], Line]:
    """These, one after the other; the last of them from then on."""
    left = list(lines)

    def line(asked: Request) -> Line:
        said = left.pop(0) if len(left) > 1 else left[0]
        return copy(said) if isinstance(said, FairleadError) else said  # what is known of one failure stays with it

    return line


def said(text: str = "hello", **changes: Any) -> Answer:
    return Answer(**{"model": "m-1", "dialect": "openai", "spoken": text.encode(), "usage": USAGE, **changes})


def words(*pieces: str, usage: Usage | None = USAGE) -> list[Item]:
    items: list[Item] = [Head(model="m-1"), Chunk(words=False)]
    items += [Chunk(text=piece, words=True) for piece in pieces]
    items.append(Chunk(finish="stop"))
    return [*items, usage] if usage else items


def target(name: str, **changes: Any) -> Target:
    return Target(**{"name": name, "backend": "table", "model": "m", "zone": "private", "price": PRICE, **changes})


def route(*targets: Target, name: str = "r", **changes: Any) -> Route:
    strategy = "fallback" if len(targets) > 1 else "single"
    return Route(**{"name": name, "strategy": strategy, "targets": targets, "max_output_tokens": 50, **changes})


def request(**changes: Any) -> Request:
    return Request(**{"task": "chat", "route": "r", "input_bound": 1000, "input_bytes": 400, **changes})


def caller(**changes: Any) -> Caller:
    return Caller(**{"key": "k1", "name": "tests", "routes": ("*",), **changes})


class World:
    """A gateway over a table."""

    def __init__(
        self,
        routes: list[Route],
        lines: Mapping[str, Any],
        limits: tuple[tuple[str, Limit], ...] = (),
        fetch: Fetch | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.spool = ListSpool()
        self.broker = CountingBroker()
        self.purse = LeasedPurse(self.broker)
        self.table = Table(lines)
        named = Routes({route.name: route for route in routes}, limits, "c0ffee")
        self.gateway = Gateway(
            Generation(named, {"table": self.table}, STRATEGIES), Ledger(self.spool, "c0ffee"), self.purse, fetch, clock
        )

    async def answer(self, asked: Request | None = None, by: Caller | None = None) -> Answer:
        with self.gateway.open(by or caller(), asked or request(), Context()) as book:
            return await self.gateway.answer(book)

    async def stream(self, asked: Request | None = None, by: Caller | None = None) -> list[Item]:
        with self.gateway.open(by or caller(), asked or request(stream=True), Context()) as book:
            return [item async for item in self.gateway.stream(book)]

    def held(self) -> int:
        return sum(account.held for account in self.purse.accounts())

    def spent(self) -> dict[str, int]:
        return {account.limit.id: account.spent for account in self.purse.accounts()}


def call_of(route: Route, by: Caller | None = None, asked: Request | None = None) -> Call:
    return Routes({route.name: route}).call("id", by or caller(), asked or request(), Context())
