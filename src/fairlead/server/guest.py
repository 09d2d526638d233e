"""A guest on the road: whoever asks through it for a while with a key of its own, such as an evaluation.

Where a server runs on the data directory it is asked there, over its data listener; else the road is opened in this
process. The key is made for it, goes nowhere beyond its zone, expires, and is revoked at the end.
"""

import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from fairlead.config import Config, masked
from fairlead.errors import FairleadError, RouteUnknown
from fairlead.evals.asking import Asker, GatewayAsker, RemoteAsker
from fairlead.gateway.routes import EVERY, EVERY_TARGET, OF_TARGET
from fairlead.ids import new_id, now_us
from fairlead.server.office import KeyWanted
from fairlead.server.own_road import OwnRoad
from fairlead.server.premises import Premises
from fairlead.server.remote import Desk, Local, Remote, enter
from fairlead.wire.address import place, trust
from fairlead.wire.pool import Origin, Pool

log = logging.getLogger("fairlead.guest")
KEY_GOOD_FOR_S = 7 * 86_400  # longer than any run is left alone; it is revoked when the run ends
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}


class Visit(Struct, frozen=True, kw_only=True):
    """What a guest wants: `routes` to ask, words that go no further than `zone`, no more money than `budget`
    ("5usd/total", "" for no bound). `name` is how its keys' names begin: what an earlier visit of the same name left
    behind is revoked. `doing` is told to whoever finds the data directory taken."""

    name: str
    doing: str
    routes: tuple[str, ...]
    zone: str
    budget: str = ""
    team: str = ""


class Guest(Struct, frozen=True, kw_only=True):
    """`key` is the id of its key in the books; `configuration` what is in force, in plain values; `server` the address
    that is asked, "" in process."""

    asker: Asker
    key: str
    configuration: Mapping[str, Any]
    server: str = ""


@asynccontextmanager
async def visiting(settings: Config, visit: Visit) -> AsyncIterator[Guest]:
    """Raises RouteUnknown, InUse, OperatorError, …"""
    data_dir = Path(settings.data_dir)
    async with AsyncExitStack() as house:
        found = await enter(data_dir, visit.doing)
        if isinstance(found, Remote):
            yield await _at_server(house, found, settings, visit)
        else:
            house.callback(found.close)
            yield await _in_process(house, found, settings, visit)


async def _in_process(house: AsyncExitStack, premises: Premises, settings: Config, visit: Visit) -> Guest:
    check_routes(masked(settings), visit.routes)
    road = OwnRoad(premises, settings)
    await road.open(house, visit.routes)
    key, secret = await _key(house, Local(road.office), visit)
    asker = GatewayAsker(road.gateway, await road.admit(secret))
    return Guest(asker=asker, key=key, configuration=masked(settings))


async def _at_server(house: AsyncExitStack, remote: Remote, settings: Config, visit: Visit) -> Guest:
    configuration = await remote.configuration()
    check_routes(configuration, visit.routes)
    listen = (await remote.status()).listen
    key, secret = await _key(house, remote, visit)
    pool = Pool()
    house.push_async_callback(pool.close)
    asker = RemoteAsker(_origin(listen, configuration, settings), secret, pool, _Costs(remote).of)
    return Guest(asker=asker, key=key, configuration=configuration, server=listen)


async def _key(house: AsyncExitStack, desk: Desk, visit: Visit) -> tuple[str, str]:
    for left in await desk.keys():
        if left.name.startswith(f"{visit.name}-"):
            await desk.revoke_key(left.id)
    made = await desk.new_key(
        KeyWanted(
            name=f"{visit.name}-{new_id()[-8:]}",
            routes=(EVERY, EVERY_TARGET),
            team=visit.team,
            zone=visit.zone,
            budget=visit.budget,
            expires_us=now_us() + KEY_GOOD_FOR_S * 1_000_000,
        )
    )
    house.push_async_callback(_revoke, desk, made.key.id)
    return made.key.id, made.secret


async def _revoke(desk: Desk, key: str) -> None:
    try:
        await desk.revoke_key(key)
    except FairleadError as error:  # whatever ended the visit is told, not this
        log.warning("the key %s of this visit could not be revoked, it expires in a week: %s", key, error.message)


class _Costs:
    """What a call cost, from the books of a server."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    async def of(self, call: str) -> int | None:
        try:
            return (await self._remote.call(call)).call.cost_nusd
        except FairleadError:
            return None  # it stays unknown: the answer is there all the same


def check_routes(configuration: Mapping[str, Any], routes: tuple[str, ...]) -> None:
    """Raises RouteUnknown where one of them is none."""
    for route in routes:
        target = route.removeprefix(OF_TARGET)
        if route not in configuration["routes"] and (route == target or target not in configuration["targets"]):
            known = [*configuration["routes"], *(OF_TARGET + name for name in configuration["targets"])]
            raise RouteUnknown(f"there is no route {route!r}", hint=f"there are: {', '.join(known) or 'none'}")


def _origin(listen: str, configuration: Mapping[str, Any], settings: Config) -> Origin:
    """Where callers ask. Its certificate is the one that the configuration names: whose name is in it does not matter
    then."""
    host, _, port = listen.rpartition(":")
    address = f"{EVERYWHERE.get(host, host)}:{port}"
    certificate = configuration["server"]["tls_cert"]
    if not certificate:
        return Origin(place(f"http://{address}"))
    base = Path(configuration["source"] or settings.source).parent
    context = trust(str(base / Path(certificate).expanduser()))
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return Origin(place(f"https://{address}"), tls=context)
