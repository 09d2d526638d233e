"""A target's own route: for keys that say so, and as invisible as if it were not there for all others."""

import asyncio

import pytest

from fairlead.errors import PolicyDenied, RouteUnknown
from fairlead.gateway.call import Limit
from fairlead.gateway.routes import may_use
from world import World, caller, request, route, said, target


def world(**changes: object) -> World:
    own = route(target("a", **changes), name="target:a")
    return World([route(target("a"), target("b")), own], {"a": said("from a"), "b": said("from b")})


@pytest.mark.parametrize(
    ("routes", "name", "may"),
    [
        (("*",), "chat", True),
        (("*",), "target:a", False),
        (("target:*",), "target:a", True),
        (("target:*",), "chat", False),
        (("target:a",), "target:a", True),
        (("target:a",), "target:b", False),
        (("*", "target:*"), "target:a", True),
        (("chat",), "chat", True),
        (("chat",), "mail", False),
    ],
)
def test_a_star_is_all_routes_and_no_targets_own(routes: tuple[str, ...], name: str, may: bool) -> None:
    assert may_use(caller(routes=routes), name) is may


def test_a_targets_own_route_asks_it_and_nobody_else() -> None:
    by = caller(routes=("target:a",))
    assert asyncio.run(world().answer(request(route="target:a"), by)).spoken == b"from a"


def test_who_may_use_all_routes_is_denied_a_targets_own_and_sees_none() -> None:
    here = world()
    with pytest.raises(PolicyDenied) as denied:
        asyncio.run(here.answer(request(route="target:a")))
    assert denied.value.code == "route_denied"
    assert here.gateway.generation.routes.visible(caller()) == ["r"]
    with pytest.raises(RouteUnknown) as unknown:
        asyncio.run(here.answer(request(route="target:b")))
    assert "target:a" not in unknown.value.hint


def test_the_keys_zone_and_the_limits_of_the_house_hold_there_too() -> None:
    by = caller(routes=("target:*",), zone="private")
    with pytest.raises(PolicyDenied) as denied:
        asyncio.run(world(zone="public").answer(request(route="target:a"), by))
    assert denied.value.code == "zone_denied"
    none_left = Limit("all::requests:minute", "everything", "requests", 0, "minute")
    limited = World([route(target("a"), name="target:a")], {"a": said()}, limits=(("", none_left),))
    with pytest.raises(Exception, match="everything"):
        asyncio.run(limited.answer(request(route="target:a"), by))
