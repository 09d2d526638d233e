"""The life of a call, on one page: the books open, a name becomes targets, the rules narrow it, a strategy asks.

`Gateway` is what the HTTP endpoints, evaluations and agents use alike; it knows no HTTP, no SQL and no provider.
"""

from collections.abc import Awaitable, Mapping
from contextlib import aclosing
from functools import partial

from msgspec import Struct

from fairlead.chat import Answer, Request, Stream
from fairlead.errors import RequestInvalid
from fairlead.gateway.attempt import Attempts
from fairlead.gateway.breaking import Circuits
from fairlead.gateway.caching import Caches
from fairlead.gateway.call import GENERATING, Ask, Backend, Call, Caller, Clock, Context, Fetch, Purse, Strategy
from fairlead.gateway.clock import SystemClock
from fairlead.gateway.elsewhere import with_hint
from fairlead.gateway.hedging import Hedging, Lateness
from fairlead.gateway.inlining import inlined
from fairlead.gateway.ledger import Book, Ledger
from fairlead.gateway.policies import OF_REQUESTS
from fairlead.gateway.rescuing import rescuing
from fairlead.gateway.retrying import RetryBudgets, Retrying
from fairlead.gateway.routes import Routes
from fairlead.gateway.shaping import SHAPED, shaped
from fairlead.gateway.spreading import Loads, Spreading
from fairlead.gateway.standing import Standing


class Generation(Struct, frozen=True):
    """One generation of the configuration, as the road needs it."""

    routes: Routes
    backends: Mapping[str, Backend]
    strategies: Mapping[str, Strategy]
    accounts: frozenset[str] = frozenset()  # of all targets, for what is remembered of them


class Gateway:
    """`generation` is replaced as a whole by a reload; a call keeps the one that it began with. What is known of how
    targets do outlives it."""

    def __init__(
        self,
        generation: Generation,
        ledger: Ledger,
        purse: Purse,
        fetch: Fetch | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.generation = generation
        self.ledger = ledger
        self.purse = purse
        self._fetch = fetch
        self._standing = Standing()
        self.circuits = Circuits(clock)
        self._clock = clock
        self._loads = Loads()
        self._lateness = Lateness(clock)
        self._retry_budgets = RetryBudgets(clock)
        self._caches = Caches(clock, purse)
        self._caches.take(generation.routes.all())

    def take(self, generation: Generation) -> None:
        """Use it from the next call on."""
        self.generation = generation
        self.circuits.keep(generation.accounts)
        self._caches.take(generation.routes.all())

    def open(self, caller: Caller, request: Request, context: Context) -> Book:
        """The books of one call; `answer` and `stream` work within them."""
        return Book(self.ledger, caller, request, context)

    def answer(self, book: Book) -> Awaitable[Answer]:
        generation = self.generation
        call = self._call(generation, book)
        if call.route.cache is not None and (found := self._caches.find(call)) is not None:
            cache, key = found
            return cache.answer(key, call, book, partial(self._answer, generation, call, book, cached=True))
        return self._answer(generation, call, book)

    def stream(self, book: Book) -> Stream:
        generation = self.generation
        call = self._call(generation, book)
        if call.route.cache is not None and (found := self._caches.find(call)) is not None:
            cache, key = found
            return cache.stream(key, call, book, partial(self._stream, generation, call, book, cached=True))
        return self._stream(generation, call, book)

    async def _answer(self, generation: Generation, call: Call, book: Book, *, cached: bool = False) -> Answer:
        if call.route.media.urls == "inline":
            call = await inlined(call, self._fetch)
        ask = self._ask(generation, call, book, cached=cached)
        try:
            return await generation.strategies[call.route.strategy].answer(call, ask)
        except RequestInvalid as error:
            raise with_hint(error, call, generation.backends) from None

    async def _stream(self, generation: Generation, call: Call, book: Book, *, cached: bool = False) -> Stream:
        if call.route.media.urls == "inline":
            call = await inlined(call, self._fetch)
        ask = self._ask(generation, call, book, cached=cached)
        async with aclosing(generation.strategies[call.route.strategy].stream(call, ask)) as items:
            try:
                async for item in items:
                    yield item
            except RequestInvalid as error:
                raise with_hint(error, call, generation.backends) from None

    def _ask(self, generation: Generation, call: Call, book: Book, *, cached: bool) -> Ask:
        """What the strategy may do: ask, be answered in the form that the caller wants, ask again where that helps, and
        be in the books. What is cached is read, so that it can be told whole and as a stream."""
        whole = cached and call.request.task in GENERATING
        ask: Ask = Attempts(call, book, generation.backends, self.purse, self.circuits, whole)
        spreading: Spreading | None = None
        if call.route.spreads:
            ask = spreading = Spreading(ask, call, self.circuits, self._loads, self._clock)
        if call.route.on_break != "error":
            ask = rescuing(ask, call, book, self._retry_budgets)
        if call.route.hedge is not None:
            ask = Hedging(ask, call, book, call.route.hedge, self._lateness, self.circuits, spreading)
        if call.route.retry is not None:
            ask = Retrying(ask, call, call.route.retry, self._retry_budgets, self.circuits, spreading, book.elapsed_us)
        return ask if call.request.needs.isdisjoint(SHAPED) else shaped(ask, call, generation.backends)

    def _call(self, generation: Generation, book: Book) -> Call:
        book.call = self._standing.call(generation.routes, book.id, book.caller, book.request, book.context)
        call = book.call
        for policy in OF_REQUESTS:
            call = policy(call)
        book.call = call
        return call
