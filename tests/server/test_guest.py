"""A guest on the road: in this process where no server runs, at the server where one does; the same to whoever asks."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fairlead import config
from fairlead.errors import InUse, RouteUnknown
from fairlead.evals.asking import Asked, Question
from fairlead.server.guest import Guest, Visit, visiting
from fairlead.server.office import CallFilter
from fairlead.server.remote import open_office
from journeys.door import Door, say

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
drain_s = 2

[engines.never]
model = "no-such-file.gguf"

[backends.script]
kind = "script"
zone = "private"
script = "script.toml"

[backends.abroad]
kind = "script"
zone = "public"
script = "script.toml"

[targets.never]
engine = "never"

[targets.here]
backend = "script"
model = "here-1"
price = { input = 1.0, output = 2.0 }

[targets.unpriced]
backend = "script"
model = "here-2"

[targets.abroad]
backend = "abroad"
model = "far-1"

[routes.chat]
targets = ["here"]

[routes.other]
targets = ["never"]

[budgets.all]
amount = "1usd/total"
"""
SCRIPT = '[[lines]]\ntext = "at once"\n'
Use = Callable[[Guest], Awaitable[Any]]


def furnish(folder: Path, text: str = CONFIG) -> Path:
    (folder / "script.toml").write_text(SCRIPT)
    (folder / "fairlead.toml").write_text(text)
    return folder


def visit(folder: Path, use: Use, **changes: Any) -> Any:
    async def visiting_it() -> Any:
        wanted = {"name": "eval-1", "doing": "eval run", "routes": ("chat", "target:here"), "zone": "private"}
        settings = config.load(folder / "fairlead.toml")
        async with visiting(settings, Visit(**{**wanted, **changes})) as guest:
            return await use(guest)

    return asyncio.run(visiting_it())


def asking(*routes: str) -> Use:
    async def use(guest: Guest) -> list[Asked]:
        body = {"messages": say("hi"), "max_tokens": 9}
        return [await guest.asker.ask(Question(route=route, body=body)) for route in routes]

    return use


def books(folder: Path) -> tuple[list[Any], list[Any], list[Any]]:
    async def reading() -> tuple[list[Any], list[Any], list[Any]]:
        async with open_office(folder / "data", doing="test") as desk:
            return await desk.calls(CallFilter()), await desk.keys(revoked=True), await desk.budgets()

    return asyncio.run(reading())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return furnish(tmp_path)


@pytest.fixture(params=["in_process", "at_a_server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    text = CONFIG.replace('[engines.never]\nmodel = "no-such-file.gguf"\n', "")
    text = text.replace('[targets.never]\nengine = "never"\n', "").replace('[routes.other]\ntargets = ["never"]\n', "")
    furnish(tmp_path, text)
    if request.param == "in_process":
        yield tmp_path
        return
    door = Door(tmp_path).open()
    yield tmp_path
    door.close()


def test_a_guest_asks_routes_and_targets_and_stands_in_the_books(place: Path) -> None:
    by_route, by_target = visit(place, asking("chat", "target:here"))
    assert (by_route.status, by_route.text, by_route.target) == ("ok", "at once", "here")
    assert (by_target.status, by_target.model, by_target.cost_nusd) == ("ok", "here-1", by_route.cost_nusd)
    assert by_route.cost_nusd > 0
    calls, keys, _ = books(place)
    assert {call.route for call in calls} == {"chat", "target:here"} and {call.tags for call in calls} == {("eval",)}
    assert [key.name.startswith("eval-1-") and key.revoked_us is not None for key in keys] == [True]
    assert {call.key for call in calls} == {keys[0].id}


def test_words_go_no_further_than_the_zone_of_the_visit(place: Path) -> None:
    (asked,) = visit(place, asking("target:abroad"), routes=("target:abroad",))
    assert (asked.status, asked.code) == ("denied", "zone_denied")
    (asked,) = visit(place, asking("target:abroad"), routes=("target:abroad",), zone="public")
    assert asked.status == "denied" and asked.code == "price_unknown"  # the house's own budget holds for guests, too


def test_no_more_is_spent_than_the_visit_may(place: Path) -> None:
    asked = visit(place, asking(*["chat"] * 80), budget="0.0013usd/total")
    done = [one for one in asked if one.status == "ok"]
    assert done and asked[-1].code == "budget_exhausted" and not asked[-1].waits
    assert sum(one.cost_nusd for one in done) <= 1_300_000


def test_a_route_that_is_none_is_told_before_anything_begins(place: Path) -> None:
    with pytest.raises(RouteUnknown) as unknown:
        visit(place, asking(), routes=("chta",))
    assert "target:here" in unknown.value.hint


def test_what_an_earlier_visit_of_the_name_left_behind_is_revoked(place: Path) -> None:
    from fairlead.server.office import KeyWanted

    async def leave() -> None:
        async with open_office(place / "data", doing="test", create=True) as desk:
            await desk.new_key(KeyWanted(name="eval-1-left"))
            await desk.new_key(KeyWanted(name="eval-11-other"))

    asyncio.run(leave())
    visit(place, asking("chat"))
    left = {key.name: key.revoked_us for key in books(place)[1] if key.name in ("eval-1-left", "eval-11-other")}
    assert left["eval-1-left"] is not None and left["eval-11-other"] is None


def test_only_engines_that_are_asked_are_started(folder: Path) -> None:
    (asked,) = visit(folder, asking("chat"))  # the other one's model is no file
    assert asked.status == "ok"


def test_what_was_leased_is_given_back_and_what_was_spent_stands(folder: Path) -> None:
    asked = visit(folder, asking("chat", "chat", "chat"))
    (account,) = [one for one in books(folder)[2] if one.scope == "everything"]
    assert account.spent == sum(one.cost_nusd for one in asked) and not account.held
    assert not list((folder / "data" / "spool").glob("*/*.spool"))


def test_two_of_them_never_own_a_data_directory_at_once(folder: Path) -> None:
    async def second(_: Guest) -> None:
        with pytest.raises(InUse, match="eval run"):
            async with visiting(
                config.load(folder / "fairlead.toml"),
                Visit(name="eval-2", doing="eval run", routes=("chat",), zone="private"),
            ):
                pass

    visit(folder, second)
