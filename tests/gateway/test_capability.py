"""A request goes only to targets that can do what it asks; what nobody says of a target rules nothing out."""

import asyncio

import pytest

from fairlead.errors import RequestInvalid
from fairlead.gateway.call import Call, Capabilities, Context, Request, Route, Target
from fairlead.gateway.policies import narrow
from fairlead.gateway.policies.capability import capability
from fairlead.gateway.routes import Routes
from world import World, call_of, caller, request, route, said, target

BLIND = Capabilities(image=False, audio=False, tools=True, tasks=frozenset({"chat"}))
SEEING = Capabilities(image=True, tools=True, tasks=frozenset({"chat"}))
UNKNOWN = Capabilities()


def able(name: str, can: Capabilities | None, **changes: object) -> Target:
    return target(name, can=can, **changes)


def kept(asked: Request, *targets: Target, **changes: object) -> list[str]:
    return [one.name for one in capability(call_of(route(*targets, **changes), asked=asked)).targets]


def needing(*needs: str, **changes: object) -> Request:
    return request(needs=frozenset(needs), **changes)


def test_a_target_that_is_known_not_to_see_gets_no_image() -> None:
    call = capability(call_of(route(able("a", BLIND), able("b", SEEING)), asked=needing("image")))
    assert [one.name for one in call.targets] == ["b"]
    assert call.narrowed == ("capability: a takes no images",)


def test_what_is_not_known_rules_nothing_out() -> None:
    everything = needing("image", "audio", "video", "document", "tools", "thinking", "schema", "json")
    assert kept(everything, able("a", None), able("b", UNKNOWN)) == ["a", "b"]


def test_a_request_that_asks_for_nothing_special_is_left_as_it_is() -> None:
    call = call_of(route(able("a", BLIND), able("b", SEEING)))
    assert capability(call) is call


def test_a_form_of_the_answer_rules_nobody_out() -> None:
    assert kept(needing("schema", "json"), able("a", Capabilities(schema=False))) == ["a"]


def test_thinking_may_be_lost_where_the_route_says_so() -> None:
    plain, thinker = able("a", Capabilities(thinking=False)), able("b", Capabilities(thinking=True))
    assert kept(needing("thinking"), plain, thinker) == ["b"]
    assert kept(needing("thinking"), plain, thinker, lossy=True) == ["a", "b"]
    assert kept(needing("tools"), able("a", Capabilities(tools=False)), thinker, lossy=True) == ["b"]


@pytest.mark.parametrize(
    ("tasks", "task", "serves"),
    [
        ({"chat"}, "chat", True),
        ({"chat"}, "embed", False),
        ({"embed"}, "embed", True),
        ({"embed"}, "chat", False),
        ({"rerank"}, "rerank", True),
        ({"chat"}, "complete", True),
        ({"chat"}, "count", True),
        ({"embed"}, "count", False),
    ],
)
def test_a_target_gets_only_tasks_that_its_model_serves(tasks: set[str], task: str, serves: bool) -> None:
    one, other = able("a", Capabilities(tasks=frozenset(tasks))), able("b", None)
    assert kept(request(task=task), one, other) == (["a", "b"] if serves else ["b"])


def refused(asked: Request, *routes: Route, **by: object) -> RequestInvalid:
    call = Routes({one.name: one for one in routes}).call("id", caller(**by), asked, Context())
    with pytest.raises(RequestInvalid) as caught:
        narrow(call)
    return caught.value


def test_where_none_is_left_it_is_said_what_each_lacks_and_how_to_say_otherwise() -> None:
    error = refused(needing("image", "tools"), route(able("a", BLIND), able("b", Capabilities(tools=False))))
    assert error.code == "unsupported_feature"
    assert error.message == "no target of route 'r' can do what is asked: a takes no images; b has no tools"
    assert "[targets.a.can]" in error.hint


def test_the_hint_names_the_callers_other_routes_that_can_and_no_others() -> None:
    others = (
        route(able("b", SEEING), name="vision"),
        route(able("c", BLIND), name="cheap"),
        route(able("d", SEEING), name="secret"),
        route(able("e", SEEING, zone="public"), name="abroad"),
    )
    asked = needing("image")
    error = refused(asked, route(able("a", BLIND)), *others, routes=("r", "vision", "cheap", "abroad"), zone="private")
    assert error.hint == "routes that can: vision"


def test_the_hint_names_a_target_that_could_if_its_zone_were_allowed() -> None:
    one = route(able("a", BLIND), able("b", SEEING, zone="public"), zone="private")
    assert "b of this route can, but may not be asked in zone 'private'" in refused(needing("image"), one).hint


def test_a_prompt_that_is_too_long_for_one_goes_to_the_others() -> None:
    small, large = able("a", Capabilities(context_tokens=1000)), able("b", Capabilities(context_tokens=100_000))
    assert kept(request(input_bytes=8001, input_bound=9000), small, large) == ["b"]
    assert kept(request(input_bytes=8000, input_bound=9000), small, large) == ["a", "b"]


def test_a_prompt_that_is_too_long_for_all_or_is_no_text_is_left_to_the_providers() -> None:
    small, unbounded = able("a", Capabilities(context_tokens=1000)), able("b", None)
    assert kept(request(input_bytes=10**6, input_bound=10**6), small) == ["a"]
    assert kept(request(input_bytes=10**6, input_bound=None), small, unbounded) == ["a", "b"]
    assert kept(request(task="embed", input_bytes=10**6), small, unbounded) == ["a", "b"]


def test_the_output_limit_that_is_sent_is_no_more_than_the_model_can_say() -> None:
    short = able("a", Capabilities(max_output_tokens=20))
    world = World([route(short)], {"a": said()})
    for asked, sent in ((request(), 20), (request(max_output_tokens=7), 7), (request(max_output_tokens=30), 20)):
        asyncio.run(world.answer(asked))
        assert world.table.asked[-1].max_output_tokens == sent
    assert world.spool.calls()[-1].narrowed == ("capability: a answers with 20 tokens at most",)


def test_a_refused_feature_is_in_the_books_as_denied_and_no_target_was_asked() -> None:
    world = World([route(able("a", BLIND))], {"a": said()})
    with pytest.raises(RequestInvalid):
        asyncio.run(world.answer(needing("image")))
    (closed,) = world.spool.calls()
    assert (closed.status, closed.code, closed.attempts) == ("denied", "unsupported_feature", 0)
    assert not world.table.asked


def test_the_zone_is_asked_before_what_a_target_can_do() -> None:
    call = narrow(call_of(route(able("a", BLIND), able("b", SEEING)), asked=needing("image")))
    assert isinstance(call, Call)
    assert [one.name for one in call.targets] == ["b"]
