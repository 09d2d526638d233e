"""Where else a request that was refused could be asked."""

import asyncio
from typing import Any

import pytest

from fairlead.errors import RequestInvalid
from fairlead.gateway.call import Capabilities
from world import World, caller, request, route, said, target


def unsayable() -> RequestInvalid:
    return RequestInvalid("`n`: no word for it.", code="unsupported_feature", param="n", hint="Leave it out.")


def refusal(world: World, streamed: bool, by: Any = None) -> RequestInvalid:
    asked = request(stream=streamed, needs=frozenset({"image"}))
    with pytest.raises(RequestInvalid) as caught:
        asyncio.run(world.stream(asked, by) if streamed else world.answer(asked, by))
    return caught.value


@pytest.mark.parametrize("streamed", [False, True])
def test_what_a_language_can_not_say_is_refused_with_the_routes_that_can(streamed: bool) -> None:
    blind = target("d", can=Capabilities(image=False))
    routes = [
        route(target("a")),
        route(target("b"), name="other"),
        route(target("c"), name="mute"),
        route(blind, name="blind"),
        route(target("e", zone="public"), name="far", zone="private"),
    ]
    lines = {"a": unsayable(), "b": said(), "c": unsayable(), "d": said(), "e": said()}
    assert refusal(World(routes, lines), streamed).hint == "Routes that can: other. Leave it out."


def test_no_route_is_told_that_the_key_may_not_use() -> None:
    world = World([route(target("a")), route(target("b"), name="other")], {"a": unsayable(), "b": said()})
    assert refusal(world, False, caller(routes=("r",))).hint == "Leave it out."


def test_a_callers_own_mistake_is_told_as_it_is() -> None:
    world = World([route(target("a")), route(target("b"), name="other")], {"a": RequestInvalid("no"), "b": said()})
    assert refusal(world, False).hint == ""
