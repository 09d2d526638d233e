"""A request of any language is served: read, asked of the gateway, and answered in the language that it came in.

What is said is in `dialects/`, what a call is in `gateway/`; which paths there are, in the files of the languages
beside this one.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from types import ModuleType
from typing import Protocol

from msgspec import Struct

from fairlead.chat import Answer, Chunk, Head, Item, Request
from fairlead.errors import FairleadError
from fairlead.gateway.call import Caller
from fairlead.gateway.ledger import Book
from fairlead.ids import now_us
from fairlead.money import plain_usd
from fairlead.server.data import JSON, Exchange
from fairlead.server.errors import body_of
from fairlead.wire.incoming import Lines

HEARTBEAT = b": still waiting for the first word\n\n"
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]|,")
_LONGEST_PATH = 120

End = Callable[[], object]  # sends what ends a response


class Writer(Protocol):
    """Items of a stream -> bytes in the caller's language."""

    def write(self, item: Item) -> bytes: ...
    def end(self) -> bytes: ...
    def fail(self, body: bytes) -> bytes: ...


Keep = Callable[[bytes | None, Writer | None], Awaitable[None]]


def _plain_body(language: ModuleType, answer: Answer, request: Request) -> bytes:
    return language.write_answer(answer, created=now_us() // 1_000_000, task=request.task)


def _plain_writer(language: ModuleType, request: Request) -> Writer:
    return language.StreamWriter(
        model=request.route, created=now_us() // 1_000_000, include_usage=request.wants_usage, task=request.task
    )


class Tongue(Struct, frozen=True):
    """How callers of one language are answered over HTTP.

    `heartbeat` is what may be sent while nothing is said, b"" where the language has no such thing. `id_headers` are
    the names by which its clients look for the id of a request.
    """

    language: ModuleType
    body: Callable[[ModuleType, Answer, Request], bytes] = _plain_body
    writer: Callable[[ModuleType, Request], Writer] = _plain_writer
    stream_type: bytes = b"text/event-stream; charset=utf-8"
    heartbeat: bytes = HEARTBEAT
    id_headers: tuple[bytes, ...] = (b"x-request-id", b"request-id")  # OpenAI's and Anthropic's clients


def serve(exchange: Exchange, tongue: Tongue, read: Callable[[bytes], Request]) -> Awaitable[None]:
    """One request from its key to its last byte. `read` makes it of the body."""
    exchange.language = tongue.language  # in which errors are told from here on
    caller = exchange.caller()
    body = exchange.at_once()
    if body is None:
        return _served_later(exchange, tongue, caller, read)
    return reply(exchange, tongue, caller, body, read(body))


async def _served_later(exchange: Exchange, tongue: Tongue, caller: Caller, read: Callable[[bytes], Request]) -> None:
    body = await exchange.content()
    await reply(exchange, tongue, caller, body, read(body))


async def reply(
    exchange: Exchange, tongue: Tongue, caller: Caller, body: bytes, request: Request, keep: Keep | None = None
) -> None:
    """Ask the gateway and send what comes. `body` is what was received; `keep` is told the whole answer before it ends:
    the body, or None and the writer of the stream. The books are closed before the end of the response goes out, so
    that whoever has an answer finds its call in them."""
    listener = exchange.listener
    gateway = listener.gateway
    book = gateway.open(caller, request, exchange.describe(body))
    exchange.call = book.id
    recording = None if listener.recorder is None else listener.recorder.begin(gateway, book, body)
    if recording is not None:
        tongue = recording.overhears(tongue)
    writer = tongue.writer(tongue.language, request) if request.stream else None
    try:
        with book:
            if writer is None:
                answer = await gateway.answer(book)
                said = tongue.body(tongue.language, answer, request)
                if keep is not None:
                    book.write_down()
                    await keep(said, None)
                end = partial(exchange.respond, 200, said, _lines_of(answer, book, tongue))
            else:
                end = await _streamed(exchange, tongue, book, writer, keep)
    except FairleadError as error:
        if recording is not None and not exchange.started:
            recording.hear(body_of(error, tongue.language))
        end = _failed(exchange, tongue, book, writer, error)
    finally:
        if recording is not None:
            recording.close()
    end()


def _lines_of(answer: Answer, book: Book, tongue: Tongue) -> Lines:
    """What stands above a whole answer."""
    lines = [JSON, *_labels(book, tongue)]
    if answer.cost_nusd is not None:
        lines.append(b"x-fairlead-cost-usd: %b" % plain_usd(answer.cost_nusd).encode())
    if answer.estimated:  # the tokens, and so the cost: the target did not count
        lines.append(b"x-fairlead-estimated: true")
    if answer.dropped:
        lines += _dropped(answer.dropped)
    return lines


async def _streamed(exchange: Exchange, tongue: Tongue, book: Book, writer: Writer, keep: Keep | None) -> End:
    async with aclosing(exchange.gateway.stream(book)) as items:
        early: list[Item] = []
        heartbeat = _Heartbeat(exchange, tongue, book)
        try:
            async for item in items:  # until the first word a failure still has a status of its own
                early.append(item)
                if isinstance(item, Chunk) and item.words:
                    break
        finally:
            heartbeat.stop()
        if not exchange.started:
            upstream = early[0].request_id if early and isinstance(early[0], Head) else ""
            exchange.start([*_stream_lines(tongue), *_labels(book, tongue, upstream), *_told(early)])
        await exchange.write(b"".join([writer.write(item) for item in early]))

        write, push = writer.write, exchange.push

        def tell(items: Sequence[Item]) -> bool:
            return push(write(items[0]) if len(items) == 1 else b"".join([write(item) for item in items]))

        if book.relay is not None:
            book.relay.tell = tell
        async for item in items:
            if written := writer.write(item):
                await exchange.write(written)
            if book.relay is not None:
                book.relay.tell = tell
    last = writer.end()
    if keep is not None:
        await keep(None, writer)
    return partial(exchange.push, last, more=False)


class _Heartbeat:
    """A model may think for minutes: after the route's heartbeat the 200 goes out, then comment lines."""

    def __init__(self, exchange: Exchange, tongue: Tongue, book: Book) -> None:
        route = exchange.gateway.generation.routes.get(book.request.route)
        self._every_s = route.heartbeat_s if route is not None else 0.0  # without a route there is nothing to wait for
        self._exchange = exchange
        self._tongue = tongue
        self._book = book
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_later(self._every_s, self._beat) if tongue.heartbeat and route else None

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _beat(self) -> None:
        exchange = self._exchange
        if not exchange.started:
            exchange.start([*_stream_lines(self._tongue), *_labels(self._book, self._tongue)])
        exchange.push(self._tongue.heartbeat)
        self._handle = self._loop.call_later(self._every_s, self._beat)


def _failed(exchange: Exchange, tongue: Tongue, book: Book, writer: Writer | None, error: FairleadError) -> End:
    """Tell the caller. In a stream that has begun: a typed error event, and no end mark, so that no client takes what
    came for a whole answer."""
    if exchange.started and writer is not None:
        return partial(exchange.push, writer.fail(body_of(error, tongue.language)), more=False)
    return partial(exchange.fail, error, _labels(book, tongue))


def _stream_lines(tongue: Tongue) -> Lines:
    return [b"content-type: " + tongue.stream_type, b"cache-control: no-cache", b"x-accel-buffering: no"]


def _labels(book: Book, tongue: Tongue, upstream: str = "") -> Lines:
    """The call's id by its own name and by those that the language's clients look for."""
    id = book.id.encode()
    labels = [b"x-fairlead-call: " + id]
    for name in tongue.id_headers:
        labels.append(b"%b: %b" % (name, id))
    if book.target:
        labels.append(b"x-fairlead-target: " + book.target.encode())
    if request_id := book.request_id or upstream:
        labels.append(b"x-fairlead-upstream-id: " + request_id.encode("ascii"))
    if book.cache:
        labels.append(b"x-fairlead-cache: " + book.cache.encode())
    return labels


def _told(early: list[Item]) -> Lines:
    return _dropped(early[0].dropped) if early and isinstance(early[0], Head) else []


def _dropped(paths: tuple[str, ...]) -> Lines:
    """What of the request was left out. The paths hold the caller's own words, which may not break out of a header."""
    if not paths:
        return []
    told = ", ".join(_UNPRINTABLE.sub("?", path)[:_LONGEST_PATH] for path in paths[:32])
    return [b"x-fairlead-dropped: " + told.encode("ascii")]
