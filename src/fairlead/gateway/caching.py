"""The same request gets the answer that is there, on routes that say so; while it is being asked, all wait for it.

What is the same: route, its version (all that it and its targets are set to), task and every value of the request as
it was said, but for those that change no answer; for the same key, or team or route, as the route says; and always
within the same zone. A stream and its unary twin are the same.

What is kept: whole answers that came to their own end. What is not wholly in the request (files, media, the provider's
own tools), what has several answers, and what the provider is to remember is not looked up at all.

A `Cache` is one route's in this process. Who is served from it is a call of its own in the books that asked nobody: it
counts as a request, and costs nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from hashlib import blake2b
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from fairlead.chat import Answer, Chunk, Head, Item, Stream
from fairlead.dialects.harmless import FIELDS
from fairlead.dialects.retelling import gathered, told
from fairlead.errors import Unavailable
from fairlead.gateway.call import CacheRules, Call, Clock, Purse, Route
from fairlead.gateway.ledger import Book
from fairlead.gateway.rescuing import ITEM_BYTES, size_of
from fairlead.gateway.sharing import Flight, is_own
from fairlead.ids import now_us

MOST_SHARED_BYTES = 4 * 1024 * 1024  # of an answer that others may join while it comes
WHOLE = frozenset({"stop", "tool_calls"})  # ends of an answer that is worth keeping
# Fields that change no answer. Responses repeat them, so there they are part of what is said.
_ASIDE: dict[str, frozenset[str]] = {
    dialect: frozenset(name for name, purpose in fields.items() if purpose in ("tracing", "safety ids"))
    for dialect, fields in FIELDS.items()
    if dialect != "responses"
}
_FORM = frozenset({"model", "stream", "stream_options"})  # the route has a name of its own
# Fields by which the provider remembers, or remembers for: a replay would not have happened there.
_STATEFUL = ("previous_response_id", "conversation", "background", "thread", "container", "cachedContent")

AskAnswer = Callable[[], Awaitable[Answer]]
AskStream = Callable[[], Stream]


def key_of(call: Call) -> bytes | None:
    """What makes two calls the same; None where a call is like no other."""
    request, rules, spoken = call.request, call.route.cache, call.request.spoken
    if rules is None or spoken is None or request.samples != 1 or request.input_bound is None:
        return None
    fields = spoken.fields
    if any(name in fields and bytes(fields[name]) not in (b"null", b"false") for name in _STATEFUL):
        return None
    stores = bytes(fields.get("store", b"null"))
    if stores == b"true" or (spoken.dialect == "responses" and call.route.keep_responses_s > 0 and stores != b"false"):
        return None
    digest = blake2b(digest_size=32)
    route = call.route
    for said in (*_owner(call, rules), call.zone, route.name, route.version, request.task, spoken.dialect):
        _add(digest, said.encode())
    aside = _ASIDE.get(spoken.dialect, frozenset())
    for name in sorted(fields):
        if name not in aside and name not in _FORM:
            _add(digest, name.encode("utf-8", "surrogatepass"))
            _add(digest, bytes(fields[name]))
    return digest.digest()


def _owner(call: Call, rules: CacheRules) -> tuple[str, str]:
    if rules.scope == "route":
        return "route", ""
    if rules.scope == "team" and call.caller.team:
        return "team", call.caller.team
    return "key", call.caller.key


def _add(digest: Any, said: bytes) -> None:
    """With its length, so that no two lists of values look alike."""
    digest.update(b"%d:" % len(said))
    digest.update(said)


# --- what is kept ----------------------------------------------------------------------------------------------------


class Kept(Struct, frozen=True):
    """An answer as it came, whole or as the items of a stream; or both, once it was told in the other form as well."""

    target: str
    answer: Answer | None = None
    items: tuple[Item, ...] = ()
    at: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether it came to its own end, and is an answer."""
        if self.answer is None:
            chunks = [item for item in self.items if isinstance(item, Chunk)]
            finish = [chunk.finish for chunk in chunks if chunk.finish is not None]
            return finish[-1:] != [] and finish[-1] in WHOLE and not any(chunk.refusal for chunk in chunks)
        if self.answer.said:
            return all(said.finish in WHOLE and said.refusal is None for said in self.answer.said)
        return self.answer.finish is None or self.answer.finish in WHOLE

    @property
    def size(self) -> int:
        size = sum(map(size_of, self.items))
        if self.answer is not None:
            size += ITEM_BYTES + len(self.answer.spoken or b"") + sum(map(size_of, told(self.answer)))
            size += sum(32 * len(vector) for vector in self.answer.vectors or ())
        return size

    def in_form(self, *, as_stream: bool) -> "Kept | None":
        """The same with what that form needs; None where it can't be told so."""
        if as_stream:
            if self.items or self.answer is None:
                return self
            return replace(self, items=tuple(told(self.answer))) if self.answer.said else None
        if self.answer is not None:
            return self
        if any(isinstance(item, Chunk) and item.logprobs is not UNSET for item in self.items):
            return None
        return replace(self, answer=replace(gathered(self.items), target=self.target))


class Shelf:
    """Answers by what was asked: the one that was used longest ago makes room first."""

    def __init__(self, rules: CacheRules, clock: Clock) -> None:
        self.size = 0
        self._rules = rules
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[Kept, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: bytes) -> Kept | None:
        found = self._kept.get(key)
        if found is None:
            return None
        kept, _ = found
        if self._clock.now() - kept.at >= self._rules.ttl_s:
            self._forget(key)
            return None
        self._kept.move_to_end(key)
        return kept

    def keep(self, key: bytes, kept: Kept) -> None:
        self._forget(key)
        if self._rules.ttl_s > 0 and kept.is_whole:
            self._put(key, replace(kept, at=self._clock.now()))

    def retell(self, key: bytes, kept: Kept) -> None:
        """What is there is known in one more form; it is no younger for that."""
        if kept.size <= self._rules.most_bytes:
            self._forget(key)
            self._put(key, kept)

    def _put(self, key: bytes, kept: Kept) -> None:
        size = kept.size
        if size > self._rules.most_bytes:
            return
        self._kept[key] = kept, size
        self.size += size
        while self.size > self._rules.most_bytes:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: bytes) -> None:
        if (found := self._kept.pop(key, None)) is not None:
            self.size -= found[1]


# --- who is served ---------------------------------------------------------------------------------------------------


class Cache:
    """One version of one route, in this process. Whoever is not served from it asks, and leads those who come later."""

    def __init__(self, rules: CacheRules, version: str, clock: Clock, purse: Purse) -> None:
        self.version = version
        self.shelf = Shelf(rules, clock)
        self.flights: dict[bytes, Flight] = {}
        self._most_bytes = min(rules.most_bytes, MOST_SHARED_BYTES)
        self._purse = purse

    async def answer(self, key: bytes, call: Call, book: Book, ask: AskAnswer) -> Answer:
        counted = _Counted(call, self._purse)
        try:
            while (found := self._find(key, call, as_stream=False)) is not None:
                await counted.take()
                if (answer := await _whole(found, call, book)) is not None:
                    return answer
            counted.give_back()
        finally:
            counted.end()
        flight = self._lead(key, book)
        reader = flight.ask(ask, partial(self._land, key))
        try:
            await reader.end()
        finally:
            reader.leave()
            await flight.outlast()
        if flight.answer is None:
            raise _failure(flight)
        return flight.answer

    async def stream(self, key: bytes, call: Call, book: Book, ask: AskStream) -> Stream:
        counted = _Counted(call, self._purse)
        try:
            while (found := self._find(key, call, as_stream=True)) is not None:
                await counted.take()
                is_served = False
                async with aclosing(_streamed(found, call, book)) as items:
                    async for item in items:
                        is_served = True
                        yield item
                if is_served:
                    return
            counted.give_back()
        finally:
            counted.end()
        flight = self._lead(key, book)
        reader = flight.stream(ask, partial(self._land, key))
        try:
            async with aclosing(reader.items()) as items:
                async for item in items:
                    yield item
        finally:
            reader.leave()
            await flight.outlast()
        if flight.error is not None:
            raise _failure(flight)

    def _find(self, key: bytes, call: Call, *, as_stream: bool) -> Kept | Flight | None:
        if call.context.cache == "no-cache":
            return None
        kept = self.shelf.find(key)
        if kept is not None and (fitting := kept.in_form(as_stream=as_stream)) is not None:
            if fitting is not kept:
                self.shelf.retell(key, fitting)
            return fitting
        flight = self.flights.get(key)
        return flight if flight is not None and flight.is_open else None

    def _lead(self, key: bytes, book: Book) -> Flight:
        book.cache = "miss"
        flight = self.flights[key] = Flight(book, self._most_bytes)
        return flight

    def _land(self, key: bytes, flight: Flight) -> None:
        if self.flights.get(key) is flight:
            del self.flights[key]
        if flight.error is None and flight.has_all:
            self.shelf.keep(key, _kept(flight))


class Caches:
    """Those of all routes, in this process. A reload leaves what is still true."""

    def __init__(self, clock: Clock, purse: Purse) -> None:
        self._clock = clock
        self._purse = purse
        self._caches: dict[str, Cache] = {}

    def take(self, routes: Iterable[Route]) -> None:
        """A generation begins: what another version of a route was asked is forgotten."""
        known, self._caches = self._caches, {}
        for route in routes:
            if route.cache is not None:
                found = known.get(route.name)
                if found is None or found.version != route.version:
                    found = Cache(route.cache, route.version, self._clock, self._purse)
                self._caches[route.name] = found

    def find(self, call: Call) -> tuple[Cache, bytes] | None:
        """None where nothing is looked up: this call is like no other, or its route has changed since it came."""
        cache = self._caches.get(call.route.name)
        if cache is None or cache.version != call.route.version or call.context.cache == "no-store":
            return None
        key = key_of(call)
        return None if key is None else (cache, key)


class _Counted:
    """A call that asks nobody is a request all the same, under the limits that count those."""

    def __init__(self, call: Call, purse: Purse) -> None:
        self._limits = tuple(limit for limit in call.limits if limit.unit == "requests")
        self._purse = purse
        self._hold: Any = None

    async def take(self) -> None:
        """Raises LimitExceeded."""
        if self._limits and self._hold is None:
            self._hold = await self._purse.reserve(tuple((limit, 1) for limit in self._limits), now_us())

    def give_back(self) -> None:
        """It asks after all, and is counted there."""
        self._settle(0)

    def end(self) -> None:
        self._settle(None)

    def _settle(self, amount: int | None) -> None:
        if self._hold is not None:
            self._purse.settle(self._hold, tuple(amount for _ in self._limits))
            self._hold = None


async def _whole(found: Kept | Flight, call: Call, book: Book) -> Answer | None:
    """None where it came to nothing that is this caller's, too."""
    if isinstance(found, Kept):
        return _served(book, "hit", found)
    if not found.is_open:
        return None
    reader = found.join()
    try:
        items = await reader.end(_left_s(call, book))
    finally:
        reader.leave()
    if found.error is None:
        return _served(book, "shared", replace(_kept(found), items=tuple(items)))
    if is_own(found.error):
        return None
    raise found.error


async def _streamed(found: Kept | Flight, call: Call, book: Book) -> Stream:
    """Nothing where it came to nothing that is this caller's, too."""
    if isinstance(found, Kept):
        for item in found.items:
            yield _passed(book, "hit", found.target, item)
        return
    if not found.is_open:
        return
    reader = found.join()
    is_served = False
    try:
        async with aclosing(reader.items(_left_s(call, book))) as items:
            async for item in items:
                is_served = True
                yield _passed(book, "shared", found.target, item)
    finally:
        reader.leave()
    if found.error is None:
        kept = _kept(found).in_form(as_stream=True) if found.answer is not None else None
        for item in kept.items if kept is not None else ():
            yield _passed(book, "shared", found.target, item)
    elif is_served or not is_own(found.error):
        raise _failure(found)


def _kept(flight: Flight) -> Kept:
    who = flight.answer or next((item for item in flight.items if isinstance(item, Head)), None)
    return Kept((who.target if who is not None else "") or flight.target, flight.answer, tuple(flight.items))


def _served(book: Book, how: str, kept: Kept) -> Answer | None:
    whole = kept.in_form(as_stream=False)
    if whole is None or whole.answer is None:
        return None
    book.cache, book.target = how, kept.target
    return replace(whole.answer, cost_nusd=0, request_id="")


def _passed(book: Book, how: str, target: str, item: Item) -> Item:
    book.cache, book.target = how, target
    if isinstance(item, Head):
        return replace(item, request_id="")
    if isinstance(item, Chunk) and item.words and book.first_word_us is None:
        book.first_word_us = book.elapsed_us()
    return item


def _left_s(call: Call, book: Book) -> Callable[[], float]:
    return lambda: call.route.total_s - book.elapsed_us() / 1_000_000


def _failure(flight: Flight) -> BaseException:
    """A flight that was cut off is no hanging up of those who are still there."""
    if flight.error is None or isinstance(flight.error, asyncio.CancelledError):
        return Unavailable("the asking that this call shared was cut off", hint="ask again")
    return flight.error
