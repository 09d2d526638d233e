"""The data listener of a worker: an ASGI application that finds the endpoint, and the edge where every error is caught.

Which endpoints there are is in `endpoints.py`, what one does in the file of its language, what a call is in `gateway/`.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from secrets import token_hex
from types import ModuleType
from typing import Any, Literal, Protocol

from msgspec import Struct

from fairlead.dialects import openai
from fairlead.errors import BodyTooLarge, EndpointUnsupported, FairleadError, RequestInvalid, Unavailable
from fairlead.gateway.call import Caller, Context
from fairlead.gateway.flow import Gateway
from fairlead.gateway.identity import Identities
from fairlead.ids import now_us
from fairlead.server.errors import INTERNAL, body_of, headers_of, status_of, trail

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

log = logging.getLogger("fairlead.data")
JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")
TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
TAGS_AT_MOST = 16
TIMEOUT = b"x-fairlead-timeout-s"
CACHE = b"x-fairlead-cache"
SECONDS = re.compile(rb"\d{1,6}(?:\.\d{1,9})?\Z")
LONGEST_TIMEOUT_S = 86_400
CREDENTIALS = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")


class Exchange:
    """One HTTP request and the response to it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, listener: "DataListener") -> None:
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self.language: ModuleType = openai  # that errors are told in
        self.call = ""  # the id of the call in the books, once there is one
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.listener = listener
        self.context = Context(at_us=now_us(), started=time.monotonic())
        self.started = False  # the status line is out
        self.finished = False  # the last byte is out
        self.hung_up = False
        self._receive = receive
        self._send = send

    @property
    def gateway(self) -> Gateway:
        return self.listener.gateway

    def caller(self) -> Caller:
        """Whose key came with it, in whichever header the caller's language has for it. Raises Unauthenticated."""
        said = next((value for name in CREDENTIALS if (value := self.headers.get(name))), b"")
        return self.listener.identities.authenticate(said.decode("latin-1"))

    async def body(self) -> bytes:
        """The whole body. Raises BodyTooLarge before more than the limit is held."""
        limit = self.listener.max_body_bytes
        if self.headers.get(b"content-encoding", b"identity") != b"identity":
            raise RequestInvalid("compressed request bodies are not taken", hint="send the body as it is")
        announced = self.headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            raise _too_large(limit)
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.hung_up = True
                raise asyncio.CancelledError
            piece = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            pieces.append(piece)
            if not message.get("more_body"):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def bounded(self, body: bytes) -> bytes:
        """The same body, if a request may be as long. Raises BodyTooLarge."""
        if len(body) > self.listener.max_body_bytes:
            raise _too_large(self.listener.max_body_bytes)
        return body

    def describe(self, body: bytes) -> Context:
        """What surrounds the request: its trace, its tags, the caller's own deadline and word on the cache, and a keyed
        hash that tells equal requests apart from others without telling what they say. Raises RequestInvalid where the
        deadline or that word is none."""
        found = TRACEPARENT.match(self.headers.get(b"traceparent", b""))
        fresh = token_hex(24)
        trace_id, flags = (found[1].decode(), found[3].decode()) if found else (fresh[16:], "01")
        tags = self.headers.get(b"x-fairlead-tags", b"").decode("latin-1")
        session = self.headers.get(b"x-fairlead-session", b"").decode("latin-1")[:128]
        self.context = Context(
            at_us=self.context.at_us,
            started=self.context.started,
            trace=f"00-{trace_id}-{fresh[:16]}-{flags}",
            tags=tuple(tag.strip()[:64] for tag in tags.split(",") if tag.strip())[:TAGS_AT_MOST],
            session=session or None,
            request_hash=blake2b(body, digest_size=16, key=self.listener.hash_key).hexdigest(),
            timeout_s=_seconds(self.headers.get(TIMEOUT)),
            cache=_cache(self.headers.get(CACHE)),
        )
        return self.context

    async def respond(self, status: int, body: bytes, headers: Headers) -> None:
        self.started = self.finished = True
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, headers: Headers) -> None:
        """The head of a streamed 200."""
        self.started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def write(self, piece: bytes, more: bool = True) -> None:
        self.finished = not more
        await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    def watch(self) -> "asyncio.Task[None]":
        """A caller who hangs up cancels the work that is done for them. The body must have been read."""
        worker = asyncio.current_task()
        assert worker is not None

        async def watching() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            if not self.finished:
                self.hung_up = True
                worker.cancel()

        return asyncio.create_task(watching())

    async def fail(self, error: FairleadError, headers: Headers) -> None:
        body = body_of(error, self.language)
        await self.respond(status_of(error), body, [JSON, *headers_of(error, self.language), *headers])


Endpoint = Callable[[Exchange], Awaitable[None]]


class Hint(Struct, frozen=True):
    """What is said of a path that begins with `prefix` and is not served, and in whose language."""

    prefix: str
    text: str
    language: ModuleType = openai


class Archive(Protocol):
    """Where responses are kept that a later request may continue. Raises Unavailable."""

    async def keep(self, kept: Any) -> None: ...
    async def find(self, response: str, owner: str) -> Any: ...
    async def forget(self, response: str, owner: str) -> bool: ...


NO_HINT = Hint("", "GET /v1/models lists the routes")


class DataListener:
    """The ASGI application. `endpoints` maps (method, path) to what serves it, a path that ends in `/` with all below
    it; `hints` tells of paths that are not served, and why.
    """

    def __init__(
        self,
        gateway: Gateway,
        identities: Identities,
        endpoints: dict[tuple[str, str], Endpoint],
        hints: tuple[Hint, ...],
        *,
        max_body_bytes: int,
        hash_key: bytes,
        archive: "Archive | None" = None,
    ) -> None:
        self.gateway = gateway
        self.archive = archive
        self.identities = identities
        self.max_body_bytes = max_body_bytes
        self.hash_key = hash_key
        self.draining = False
        self.metrics: Callable[[], Awaitable[bytes]] | None = None
        self._endpoints = endpoints
        self._hints = hints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send, self)
        try:
            await self._endpoint(exchange, scope["method"])(exchange)
        except FairleadError as error:
            await self._refuse(exchange, error)
        except asyncio.CancelledError:
            if not (exchange.hung_up or self.draining):  # the end of a drain cuts off what is still going on
                raise
        except Exception as bug:  # noqa: BLE001  # the edge: a bug answers 500 and tells the log, never the caller
            log.error("%s %.100r: %s", scope["method"], scope["path"], trail(bug))
            await self._refuse(exchange, INTERNAL)

    async def _refuse(self, exchange: Exchange, error: FairleadError) -> None:
        if exchange.started:
            raise error  # the server closes the connection: the caller sees a body that does not end
        await exchange.fail(error, [])

    def _below(self, method: str, path: str) -> Endpoint | None:
        found = (
            endpoint for (known, stem), endpoint in self._endpoints.items() if known == method and _is_below(path, stem)
        )
        return next(found, None)

    def _endpoint(self, exchange: Exchange, method: str) -> Endpoint:
        path = exchange.path
        found = self._endpoints.get((method, path)) or self._below(method, path)
        if found is None:
            raise self._not_served(exchange, method)
        if self.draining and method == "POST":
            exchange.language = self._hint(path).language
            raise Unavailable("this server is shutting down", hint="ask again: another one answers")
        return found

    def _not_served(self, exchange: Exchange, method: str) -> EndpointUnsupported:
        path, hint = exchange.path, self._hint(exchange.path)
        exchange.language = hint.language
        taken = sorted({known for known, stem in self._endpoints if stem == path or _is_below(path, stem)})
        told = f"{method} {path[:200]} is not served here" + (f"; it takes {', '.join(taken)}" if taken else "")
        return EndpointUnsupported(told, hint=hint.text)

    def _hint(self, path: str) -> Hint:
        return next((hint for hint in self._hints if path.startswith(hint.prefix)), NO_HINT)


def _seconds(said: bytes | None) -> float | None:
    """The caller's own deadline."""
    if said is None:
        return None
    seconds = float(said) if SECONDS.match(said) else 0.0
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        raise RequestInvalid(
            f"`x-fairlead-timeout-s` must be seconds above 0 and at most {LONGEST_TIMEOUT_S}",
            param="x-fairlead-timeout-s",
            hint="Such as 2.5; the route's own deadline holds as well.",
        )
    return seconds


def _cache(said: bytes | None) -> Literal["", "no-cache", "no-store"]:
    """What the caller wants of a route's cache."""
    match said:
        case None:
            return ""
        case b"no-cache":
            return "no-cache"
        case b"no-store":
            return "no-store"
    raise RequestInvalid(
        "`x-fairlead-cache` must be no-cache or no-store",
        param="x-fairlead-cache",
        hint="no-cache: ask anew, and keep the answer; no-store: ask anew, and keep nothing.",
    )


def _is_below(path: str, stem: str) -> bool:
    return stem.endswith("/") and path.startswith(stem)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the request is larger than {limit / 1e6:g} MB", hint="`max_body_mb` in [server] sets the limit", limit=limit
    )
