"""The endpoints that speak OpenAI: chat completions, completions, embeddings, models; and health.

Translation is in `dialects/openai.py`; what is served where, in `gateway/`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial

import msgspec

from fairlead import __version__
from fairlead.chat import Answer, Chunk, Item, Request, Stream, Task
from fairlead.dialects import openai
from fairlead.errors import EndpointUnsupported, FairleadError, RouteUnknown
from fairlead.gateway.ledger import Book
from fairlead.ids import now_us
from fairlead.money import format_usd
from fairlead.server.data import JSON, Endpoint, Exchange, Headers
from fairlead.server.errors import body_of
from fairlead.server.premises import names_loopback

STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
HEARTBEAT = b": still waiting for the first word\n\n"
LATER = "not served by Fairlead yet; call the provider directly for this one"
HINTS: tuple[tuple[str, str], ...] = (
    ("/v1/audio", f"audio is {LATER}"),
    ("/v1/images", f"images are {LATER}"),
    ("/v1/videos", f"videos are {LATER}"),
    ("/v1/batches", f"batches are {LATER}"),
    ("/v1/files", f"files are {LATER}"),
    ("/v1/uploads", f"uploads are {LATER}"),
    ("/v1/fine_tuning", f"fine-tuning is {LATER}"),
    ("/v1/realtime", f"the realtime API is {LATER}"),
    ("/v1/moderations", f"moderation is {LATER}"),
    ("/v1/assistants", "assistants are not served; use /v1/chat/completions"),
    ("/v1/threads", "threads are not served; use /v1/chat/completions"),
    ("/v1/responses", "responses are not served yet; use /v1/chat/completions"),
    ("/v1/messages", "Anthropic's messages are not served yet; use /v1/chat/completions"),
    ("/v1/vector_stores", f"vector stores are {LATER}"),
    ("/chat/completions", "the base URL of a client ends in /v1"),
    ("/completions", "the base URL of a client ends in /v1"),
    ("/embeddings", "the base URL of a client ends in /v1"),
    ("/models", "the base URL of a client ends in /v1"),
    ("/v1/v1", "the base URL of a client ends in one /v1"),
    ("/metrics", "metrics are on the admin listener"),
)


End = Callable[[], Awaitable[None]]  # sends what ends a response


def _model_endpoint(task: Task) -> Endpoint:
    async def endpoint(exchange: Exchange) -> None:
        caller = exchange.listener.identities.authenticate(
            exchange.headers.get(b"authorization", b"").decode("latin-1")
        )
        body = await exchange.body()
        request = openai.read_request(task, body)
        context = exchange.describe(body)
        watcher = exchange.watch()
        try:
            end = await _serve(exchange, exchange.gateway.open(caller, request, context), request)
            await end()
        finally:
            watcher.cancel()

    return endpoint


async def _serve(exchange: Exchange, book: Book, request: Request) -> End:
    """All but the end of the response: the books are closed before it goes out, so that whoever has an answer finds its
    call in them."""
    try:
        with book:
            return await (_streamed if request.stream else _unary)(exchange, book, request)
    except FairleadError as error:
        return _failed(exchange, book, error)


async def _unary(exchange: Exchange, book: Book, request: Request) -> End:
    answer = await exchange.gateway.answer(book)
    return partial(exchange.respond, 200, _body(answer, request), [JSON, *_labels(book), *_cost(answer)])


async def _streamed(exchange: Exchange, book: Book, request: Request) -> End:
    writer = openai.StreamWriter(
        model=request.route, created=now_us() // 1_000_000, include_usage=request.wants_usage, task=request.task
    )
    async with aclosing(exchange.gateway.stream(book)) as items:
        early = await _until_first_word(exchange, book, items)
        if not exchange.started:
            await exchange.start([*STREAM_HEADERS, *_labels(book)])
        for item in early:
            if written := writer.write(item):
                await exchange.write(written)
        async for item in items:
            if written := writer.write(item):
                await exchange.write(written)
    return partial(exchange.write, writer.end(), more=False)


async def _until_first_word(exchange: Exchange, book: Book, items: Stream) -> list[Item]:
    """What comes before the first word, and that word: until then a failure still has a status of its own.

    A model may think for minutes: after the route's heartbeat the 200 goes out, and a comment line each heartbeat.
    """

    async def early() -> list[Item]:
        seen: list[Item] = []
        async for item in items:
            seen.append(item)
            if isinstance(item, Chunk) and item.words:
                break
        return seen

    waiting = asyncio.create_task(early())
    try:
        await asyncio.sleep(0)  # now the call has its route
        while True:
            heartbeat_s = book.call.route.heartbeat_s if book.call else 15.0
            done, _ = await asyncio.wait({waiting}, timeout=heartbeat_s)
            if done:
                return waiting.result()
            if not exchange.started:
                await exchange.start([*STREAM_HEADERS, *_labels(book)])
            await exchange.write(HEARTBEAT)
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait({waiting})


def _failed(exchange: Exchange, book: Book, error: FairleadError) -> End:
    """Tell the caller. In a stream that has begun: a typed error event, and no end mark, so that no client takes what
    came for a whole answer."""
    if exchange.started:
        return partial(exchange.write, b"data: " + body_of(error) + b"\n\n", more=False)
    return partial(exchange.fail, error, _labels(book))


def _body(answer: Answer, request: Request) -> bytes:
    if answer.spoken is not None and answer.dialect == openai.DIALECT:
        return answer.spoken
    return openai.write_answer(answer, created=now_us() // 1_000_000, task=request.task)


def _labels(book: Book) -> Headers:
    labels = [(b"x-fairlead-call", book.id.encode()), (b"x-request-id", book.id.encode())]
    if book.target:
        labels.append((b"x-fairlead-target", book.target.encode()))
    return labels


def _cost(answer: Answer) -> Headers:
    if answer.cost_nusd is None:
        return []
    return [(b"x-fairlead-cost-usd", format_usd(answer.cost_nusd).removesuffix("usd").encode())]


async def _models(exchange: Exchange) -> None:
    caller = exchange.listener.identities.authenticate(exchange.headers.get(b"authorization", b"").decode("latin-1"))
    names = exchange.gateway.generation.routes.visible(caller)
    await exchange.respond(200, openai.models_body(names, created=0), [JSON])


async def _model(exchange: Exchange) -> None:
    """One route that the caller may use. A route's name may hold slashes, which clients send as %2F."""
    caller = exchange.listener.identities.authenticate(exchange.headers.get(b"authorization", b"").decode("latin-1"))
    name = exchange.path.removeprefix("/v1/models/")
    if name not in exchange.gateway.generation.routes.visible(caller):
        raise RouteUnknown(f"there is no route {name[:200]!r}", hint="GET /v1/models lists this key's", param="model")
    [model] = msgspec.json.decode(openai.models_body([name], created=0))["data"]
    await exchange.respond(200, msgspec.json.encode(model), [JSON])


async def _healthz(exchange: Exchange) -> None:
    await exchange.respond(200, b'{"status":"ok"}', [JSON])


async def _readyz(exchange: Exchange) -> None:
    """Whether this worker takes calls, and under which configuration."""
    draining = exchange.listener.draining
    config = exchange.gateway.generation.routes.config
    body = {"status": "draining" if draining else "ready", "config": config, "version": __version__}
    await exchange.respond(503 if draining else 200, msgspec.json.encode(body), [JSON])


async def _metrics(exchange: Exchange) -> None:
    asked_of = exchange.headers.get(b"host", b"").decode("latin-1")
    if exchange.listener.metrics is None or not names_loopback(asked_of):
        raise EndpointUnsupported("metrics are on the admin listener", hint="`admin` in [server] says where")
    body = await exchange.listener.metrics()
    await exchange.respond(200, body, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")])


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/chat/completions"): _model_endpoint("chat"),
    ("POST", "/v1/completions"): _model_endpoint("complete"),
    ("POST", "/v1/embeddings"): _model_endpoint("embed"),
    ("GET", "/v1/models"): _models,
    ("GET", "/v1/models/"): _model,
    ("GET", "/healthz"): _healthz,
    ("GET", "/readyz"): _readyz,
    ("GET", "/metrics"): _metrics,
}
