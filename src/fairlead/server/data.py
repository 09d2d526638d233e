"""What the data listener of a worker serves: the endpoint of each request, and the edge where every error is caught.

Which endpoints there are is in `endpoints.py`, what one does in the file of its language, what a call is in `gateway/`,
how bytes become requests in `wire/inbound.py`.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import blake2b
from time import monotonic
from types import ModuleType
from typing import Any, Literal, Protocol

from msgspec import Struct

from fairlead.dialects import openai
from fairlead.errors import EndpointUnsupported, FairleadError, RequestInvalid, trail
from fairlead.gateway.call import Caller, Context
from fairlead.gateway.flow import Gateway
from fairlead.gateway.identity import Identities
from fairlead.ids import new_trace, now_us
from fairlead.server.cors import Cors
from fairlead.server.errors import INTERNAL, body_of, headers_of, status_of
from fairlead.server.recording import Recorder
from fairlead.wire.inbound import Refusal
from fairlead.wire.incoming import Head, Incoming, Lines, Link, too_large

log = logging.getLogger("fairlead.data")
JSON = b"content-type: application/json"
TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
TAGS_AT_MOST = 16
TRACE = b"traceparent"
TAGS = b"x-fairlead-tags"
SESSION = b"x-fairlead-session"
TIMEOUT = b"x-fairlead-timeout-s"
CACHE = b"x-fairlead-cache"
BESIDE = frozenset({TRACE, TAGS, SESSION, TIMEOUT, CACHE})  # headers that say something about the request
SECONDS = re.compile(rb"\d{1,6}(?:\.\d{1,9})?\Z")
LONGEST_TIMEOUT_S = 86_400
CREDENTIALS = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")


class Exchange(Incoming):
    """One HTTP request and the response to it."""

    language: ModuleType = openai  # that errors are told in
    call = ""  # the id of the call in the books, once there is one

    def __init__(self, listener: "DataListener", link: Link, head: Head) -> None:
        self.head = head
        self.headers = head.headers
        self._link = link
        self.listener = listener
        self.at_us = now_us()
        self.began = monotonic()

    @property
    def gateway(self) -> Gateway:
        return self.listener.gateway

    def caller(self) -> Caller:
        """Whose key came with it, in whichever header the caller's language has for it. Raises Unauthenticated."""
        identities = self.listener.identities
        proof = self.head.known
        if proof is None or not identities.holds(proof):
            said = next((value for name in CREDENTIALS if (value := self.headers.get(name))), b"")
            proof = self.head.known = identities.prove(said.decode("latin-1"))
        return proof.caller

    def at_once(self) -> bytes | None:
        """The body, if all of it came with its head, as of nearly all; None: `content` awaits it, or says why not."""
        if b"content-encoding" in self.headers or self.size > self.listener.max_body_bytes:
            return None
        return self.whole

    def content(self) -> Awaitable[bytes]:
        """The whole body. Raises BodyTooLarge before more than the limit is held."""
        if self.headers.get(b"content-encoding", b"identity") != b"identity":
            raise RequestInvalid("compressed request bodies are not taken", hint="send the body as it is")
        return self.body(self.listener.max_body_bytes)

    def bounded(self, body: bytes) -> bytes:
        """The same body, if a request may be as long. Raises BodyTooLarge."""
        if len(body) > self.listener.max_body_bytes:
            raise too_large(self.listener.max_body_bytes)
        return body

    def describe(self, body: bytes) -> Context:
        """What surrounds the request: its trace, its tags, the caller's own deadline and word on the cache, and a keyed
        hash that tells equal requests apart from others without telling what they say. Raises RequestInvalid where the
        deadline or that word is none."""
        headers = self.headers
        hashed = self.listener.keyed.copy()
        hashed.update(body)
        if BESIDE.isdisjoint(headers):  # as nearly always
            trace, span = new_trace()
            return Context(self.at_us, self.began, f"00-{trace}-{span}-01", (), None, None, hashed.hexdigest())
        session = headers.get(SESSION)
        return Context(
            at_us=self.at_us,
            started=self.began,
            trace=_trace(headers.get(TRACE)),
            tags=_tags(headers.get(TAGS)),
            session=session.decode("latin-1")[:128] if session else None,
            request_hash=hashed.hexdigest(),
            timeout_s=_seconds(headers.get(TIMEOUT)),
            cache=_cache(headers.get(CACHE)),
        )

    def fail(self, error: FairleadError, lines: Lines) -> None:
        """The error as the whole response, in the caller's language."""
        told = told_in(self.language, error)
        self.respond(told.status, told.body, [*told.lines, *lines])


def _trace(said: bytes | None) -> str:
    """The caller's trace with a span of our own, or a fresh one."""
    found = TRACEPARENT.match(said) if said else None
    trace, span = new_trace()
    return f"00-{trace}-{span}-01" if found is None else f"00-{found[1].decode()}-{span}-{found[3].decode()}"


def _tags(said: bytes | None) -> tuple[str, ...]:
    if not said:
        return ()
    tags = said.decode("latin-1").split(",")
    return tuple(tag.strip()[:64] for tag in tags if tag.strip())[:TAGS_AT_MOST]


def told_in(language: ModuleType, error: FairleadError) -> Refusal:
    lines = [b"%b: %b" % header for header in headers_of(error, language)]
    return Refusal(status_of(error), [JSON, *lines], body_of(error, language))


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
    """The site that callers ask. `endpoints` maps (method, path) to what serves it, a path that ends in `/` with all
    below it; `hints` tells of paths that are not served, and why. Implements `wire.inbound.Site`.
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
        self.recorder: Recorder | None = None  # where a route records what is said
        self.archive = archive
        self.identities = identities
        self.max_body_bytes = max_body_bytes
        self.keyed = blake2b(digest_size=16, key=hash_key)  # taken up anew for each body
        self.draining = False
        self.cors: Cors | None = None  # where pages of other origins may ask
        self.metrics: Callable[[], Awaitable[bytes]] | None = None
        self._endpoints = endpoints
        self._hints = hints

    def incoming(self, link: Link, head: Head) -> Exchange:
        return Exchange(self, link, head)

    async def serve(self, exchange: Exchange) -> None:
        try:
            if self.cors is not None:
                exchange.also = self.cors.lines(exchange.headers)
            head = exchange.head
            endpoint = self._endpoints.get((head.method, head.path)) or self._found(exchange)
            await endpoint(exchange)
        except FairleadError as error:
            self._refuse(exchange, error)
        except Exception as bug:  # noqa: BLE001  # the edge: a bug answers 500 and tells the log, never the caller
            log.error("%s %.100r: %s", exchange.method, exchange.path, trail(bug))
            self._refuse(exchange, INTERNAL)

    def refusal(self, error: FairleadError) -> Refusal:
        """What is said where it is not known yet who asks for what."""
        return told_in(openai, error)

    def _refuse(self, exchange: Exchange, error: FairleadError) -> None:
        if not exchange.started:  # else the connection breaks off: the caller sees a body that does not end
            exchange.fail(error, [])

    def _found(self, exchange: Exchange) -> Endpoint:
        method, path = exchange.method, exchange.path
        if method == "HEAD":
            return self._endpoints.get(("GET", path)) or self._below("GET", path) or self._not_served(exchange)
        if method == "OPTIONS" and (taken := self._taken(path)):
            return partial(self._options, taken)
        return self._below(method, path) or self._not_served(exchange)

    async def _options(self, taken: list[str], exchange: Exchange) -> None:
        asked = self.cors.preflight(exchange.headers, taken) if self.cors is not None else None
        exchange.respond(204, b"", [b"allow: " + ", ".join([*taken, "OPTIONS"]).encode(), *(asked or ())])

    def _below(self, method: str, path: str) -> Endpoint | None:
        found = (
            endpoint for (known, stem), endpoint in self._endpoints.items() if known == method and _is_below(path, stem)
        )
        return next(found, None)

    def _taken(self, path: str) -> list[str]:
        """The methods that a path takes."""
        return sorted(
            {known for known, stem in self._endpoints if path == "*" or stem == path or _is_below(path, stem)}
        )

    def _not_served(self, exchange: Exchange) -> Endpoint:
        path, hint, taken = exchange.path, self._hint(exchange.path), self._taken(exchange.path)
        exchange.language = hint.language
        told = f"{exchange.method} {path[:200]} is not served here"
        raise EndpointUnsupported(f"{told}; it takes {', '.join(taken)}" if taken else told, hint=hint.text)

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
