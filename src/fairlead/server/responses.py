"""The endpoints of OpenAI's Responses: a response may be continued by its id where its route keeps responses.

What is kept is kept by the steward, in the store, for the key that asked, and not longer than the route says. A caller
who sends `"store": false` is not kept. What a response holds is the dialect's knowledge.
"""

import asyncio
import logging
from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from fairlead.chat import Answer, Request, Spoken
from fairlead.dialects import responses
from fairlead.dialects.reading import read_fields
from fairlead.errors import NotFound, PolicyDenied, RequestInvalid, Unavailable
from fairlead.gateway.call import ZONES, Caller, Route, Zone
from fairlead.gateway.routes import may_use
from fairlead.ids import now_us
from fairlead.server import channel as say
from fairlead.server.answering import Tongue, Writer, reply, serve
from fairlead.server.data import JSON, Endpoint, Exchange
from fairlead.server.recording import Overheard

log = logging.getLogger("fairlead.data")
STEM = "/v1/responses/"
STORE_S = 10.0  # longer than a locked store keeps anybody waiting
T = TypeVar("T")


def _body(_: object, answer: Answer, request: Request, previous: str = "") -> bytes:
    return responses.write_answer(answer, created=now_us() // 1_000_000, request=_as_asked(request, previous))


def _writer(_: object, request: Request, previous: str = "") -> Writer:
    asked = _as_asked(request, previous)
    return responses.StreamWriter(model=request.route, created=now_us() // 1_000_000, request=asked)


def _as_asked(request: Request, previous: str) -> Request:
    """The request whose words a response repeats: before the conversation was put into it."""
    if not previous or request.spoken is None:
        return request
    fields = {**request.spoken.fields, "previous_response_id": msgspec.Raw(msgspec.json.encode(previous))}
    return replace(request, spoken=Spoken(request.spoken.dialect, fields))


def _count_body(_: object, answer: Answer, request: Request) -> bytes:
    return responses.count_body(answer.tokens or 0)


RESPONSES = Tongue(responses, body=_body, writer=_writer)
COUNTING = Tongue(responses, body=_count_body)


async def _create(exchange: Exchange) -> None:
    exchange.language = responses
    caller = exchange.caller()
    body = await exchange.content()
    fields = read_fields(body)
    route = _route(exchange, fields)
    tongue, request = RESPONSES, responses.read_request("chat", body)
    if route is None or route.keep_responses_s <= 0 or not may_use(caller, route.name):
        await reply(exchange, tongue, caller, body, request)
        return
    if previous := responses.previous_of(fields):
        fields = responses.continued(fields, await _earlier(exchange, caller, route, previous))
        request = responses.read_request("chat", exchange.bounded(msgspec.json.encode(fields)))
        tongue = replace(tongue, body=partial(_body, previous=previous), writer=partial(_writer, previous=previous))
    keep = partial(_keep, exchange, caller, route, fields) if responses.wants_store(fields) else None
    await reply(exchange, tongue, caller, body, request, keep)


def _route(exchange: Exchange, fields: dict[str, msgspec.Raw]) -> Route | None:
    """The route that is asked for, if there is one: what is wrong with the name is told where calls are made."""
    name = responses.route_of(fields)
    return None if name is None else exchange.gateway.generation.routes.get(name)


async def _earlier(exchange: Exchange, caller: Caller, route: Route, response: str) -> bytes:
    """What was kept. Raises PolicyDenied where its words would travel further than when they were said."""
    archive = exchange.listener.archive
    found = say.Found(None) if archive is None else await _soon(archive.find(response, caller.key))
    if found.body is None:
        raise RequestInvalid(
            f"there is no response {response[:200]!r} to continue",
            hint="it was made with another key, was not to be stored, or has expired: send the whole conversation",
            code="previous_response_not_found",
            param="previous_response_id",
        )
    zone = _zone(caller, route)
    if ZONES.index(zone) > ZONES.index(found.zone):
        raise PolicyDenied(
            f"response {response[:200]!r} was made in zone {found.zone!r}, and route {route.name!r} reaches as far as "
            f"{zone!r}",
            hint="continue it on a route that keeps to that zone, or send what may travel",
            code="zone_denied",
            param="previous_response_id",
            rule="zone",
        )
    return found.body


def _zone(caller: Caller, route: Route) -> Zone:
    return ZONES[min(ZONES.index(route.zone), ZONES.index(caller.zone))]


async def _keep(
    exchange: Exchange,
    caller: Caller,
    route: Route,
    fields: dict[str, msgspec.Raw],
    body: bytes | None,
    writer: Writer | None,
) -> None:
    """Before the answer ends, so that whoever has it can continue it. Where the store is away, the answer is given all
    the same: it has been paid for."""
    if isinstance(writer, Overheard):
        writer = writer.writer
    if isinstance(writer, responses.StreamWriter):
        body = writer.response()
    archive, zone = exchange.listener.archive, _zone(caller, route)
    if body is None or archive is None or ZONES.index(zone) < ZONES.index(route.store_zone):
        return
    at_us = now_us()
    try:
        kept = say.Keep(
            response=responses.id_of(body),
            owner=caller.key,
            call=exchange.call,
            zone=zone,
            at_us=at_us,
            expires_us=at_us + round(route.keep_responses_s * 1_000_000),
            body=responses.kept(fields, body),
        )
        await _soon(archive.keep(kept))
    except Unavailable as error:
        log.warning("a response of call %s can't be continued: %s", exchange.call, error.message)


async def _soon(asked: Awaitable[T]) -> T:
    """What the store says, if it says it in time: an answer that is there waits for it."""
    try:
        async with asyncio.timeout(STORE_S):
            return await asked
    except TimeoutError:
        raise Unavailable(f"the store said nothing for {STORE_S:g} s", hint="ask again", code="store_slow") from None


async def _count(exchange: Exchange) -> None:
    await serve(exchange, COUNTING, responses.read_count_request)


async def _one(exchange: Exchange) -> None:
    """`DELETE /v1/responses/ID`: it can't be continued any more."""
    exchange.language = responses
    caller, id = exchange.caller(), exchange.path.removeprefix(STEM)
    archive = exchange.listener.archive
    if archive is None or not await _soon(archive.forget(id, caller.key)):
        raise NotFound(f"there is no response {id[:200]!r}", hint="only routes with `keep_responses_s` keep them")
    gone = {"id": id, "object": "response", "deleted": True}
    exchange.respond(200, msgspec.json.encode(gone), [JSON])


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/responses"): _create,
    ("POST", "/v1/responses/input_tokens"): _count,
    ("DELETE", STEM): _one,
}
