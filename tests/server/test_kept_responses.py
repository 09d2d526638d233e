"""Responses that are kept: continued by their key within their zone, forgotten on request, answered without a store."""

import asyncio
import json
import logging
from typing import Any

import pytest

from fairlead.chat import Answer, Chat, Request, Said, Text
from fairlead.errors import Unavailable
from fairlead.server import channel as say
from server.client import KEY, OTHER_KEY, Client
from world import USAGE, World, caller, route, target, words

Asked = tuple[int, dict[str, str], dict[str, Any]]


class Shelf:
    """An archive in a dictionary; `away` raises as when the store is gone."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], say.Keep] = {}
        self.away = False
        self.slow = False  # the deadline for its answer has passed

    async def keep(self, kept: say.Keep) -> None:
        self._check()
        self.kept[kept.owner, kept.response] = kept

    async def find(self, response: str, owner: str) -> say.Found:
        self._check()
        kept = self.kept.get((owner, response))
        return say.Found(None) if kept is None else say.Found(kept.body, kept.zone)

    async def forget(self, response: str, owner: str) -> bool:
        self._check()
        return self.kept.pop((owner, response), None) is not None

    def _check(self) -> None:
        if self.away:
            raise Unavailable("the store is away", code="store_unavailable")
        if self.slow:
            raise TimeoutError


class Play:
    """A caller, a shelf, and a model that repeats how many messages it was told."""

    def __init__(self, by: Any = None, **settings: Any) -> None:
        self.shelf = Shelf()
        self.told: list[Chat] = []
        settings = {"keep_responses_s": 60.0, **settings}
        wide = route(target("a"), name="wide", **{**settings, "zone": "public"})
        routes = [route(target("a"), **settings), wide, route(target("a"), name="quiet")]
        self.client = Client(World(routes, {"a": self._line}), archive=self.shelf, by=by or caller())

    def _line(self, request: Request) -> Any:
        self.told.append(request.chat())
        text = f"told {len(self.told[-1].messages)}"
        if request.stream:
            return words(*text.split(" "))
        return Answer(id=f"a{len(self.told)}", model="m-1", said=(Said((Text(text),), "stop"),), usage=USAGE)

    def ask(self, said: str = "hi", key: str = KEY, **fields: Any) -> Asked:
        body = {"model": "r", "input": said, **fields}
        status, headers, raw = asyncio.run(self.client.ask("/v1/responses", body, key=key))
        if fields.get("stream"):
            *_, last = [json.loads(line[6:]) for line in raw.decode().splitlines() if line.startswith("data: ")]
            return status, headers, last["response"]
        return status, headers, json.loads(raw)

    def delete(self, id: str, key: str = KEY) -> tuple[int, dict[str, Any]]:
        status, _, raw = asyncio.run(self.client.ask(f"/v1/responses/{id}", b"", method="DELETE", key=key))
        return status, json.loads(raw)

    def heard(self) -> list[tuple[str, str]]:
        """What the model was told last."""
        texts = [
            (one.role, "".join(p.text for p in one.parts if isinstance(p, Text))) for one in self.told[-1].messages
        ]
        return [(str(role), text) for role, text in texts]


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_continued_by_its_id(stream: bool) -> None:
    play = Play()
    how = {"stream": True} if stream else {}
    _, _, first = play.ask("one", instructions="be brief", **how)
    _, _, second = play.ask("two", previous_response_id=first["id"], **how)
    assert second["previous_response_id"] == first["id"]
    _, _, third = play.ask("three", previous_response_id=second["id"], **how)
    said = "told2" if stream else "told 2"
    assert play.heard()[:3] == [("user", "one"), ("assistant", said), ("user", "two")]
    assert play.heard()[-1] == ("user", "three") and third["status"] == "completed"


def test_a_response_can_be_continued_twice() -> None:
    play = Play()
    _, _, first = play.ask("one")
    play.ask("left", previous_response_id=first["id"])
    play.ask("right", previous_response_id=first["id"])
    assert [text for role, text in play.heard() if role == "user"] == ["one", "right"]


def test_an_unknown_response_can_not_be_continued() -> None:
    status, _, body = Play().ask(previous_response_id="resp_nobodys")
    assert (status, body["error"]["code"]) == (400, "previous_response_not_found")
    assert body["error"]["param"] == "previous_response_id" and body["error"]["hint"]


def test_another_key_learns_nothing() -> None:
    play = Play()
    _, _, first = play.ask("secret")
    stranger = play.ask(previous_response_id=first["id"], key=OTHER_KEY)
    nobody = play.ask(previous_response_id=first["id"][:-1] + "?", key=OTHER_KEY)
    assert stranger[0] == nobody[0] == 400
    assert stranger[2]["error"]["code"] == nobody[2]["error"]["code"] == "previous_response_not_found"
    assert play.delete(first["id"], OTHER_KEY)[0] == 404 and len(play.shelf.kept) == 1


def test_a_response_that_was_deleted_is_gone() -> None:
    play = Play()
    _, _, first = play.ask("one")
    assert play.delete(first["id"]) == (200, {"id": first["id"], "object": "response", "deleted": True})
    assert play.ask(previous_response_id=first["id"])[0] == 400
    status, body = play.delete(first["id"])
    assert (status, body["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("how", [{"store": False}, {"model": "quiet"}])
def test_nothing_is_kept_that_is_not_wanted(how: dict[str, Any]) -> None:
    play = Play()
    assert play.ask("one", **how)[0] == 200 and play.shelf.kept == {}


def test_what_is_kept_says_whose_it_is_how_far_it_may_go_and_for_how_long() -> None:
    play = Play(zone="contract")
    _, headers, first = play.ask("one")
    [kept] = play.shelf.kept.values()
    assert (kept.owner, kept.response, kept.zone) == ("k1", first["id"], "contract")
    assert kept.expires_us - kept.at_us == 60_000_000 and kept.call == headers["x-fairlead-call"]


def test_words_do_not_travel_further_than_when_they_were_said() -> None:
    play = Play(zone="private")
    _, _, first = play.ask("one")
    status, _, body = play.ask("two", model="wide", previous_response_id=first["id"])
    assert (status, body["error"]["code"]) == (403, "zone_denied") and len(play.told) == 1
    _, _, wide = play.ask("one", model="wide")
    assert play.ask("two", previous_response_id=wide["id"])[0] == 200
    narrow = Play(by=caller(zone="private"))  # a key that keeps to a zone keeps it on every route
    _, _, first = narrow.ask("one")
    assert narrow.ask("two", model="wide", previous_response_id=first["id"])[0] == 200


@pytest.mark.parametrize("stream", [False, True])
def test_while_the_store_is_away_answers_are_given_all_the_same(stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    play = Play()
    play.shelf.away = True
    with caplog.at_level(logging.WARNING, "fairlead.data"):
        status, headers, body = play.ask("one", **({"stream": True} if stream else {}))
    assert (status, body["status"]) == (200, "completed")
    assert headers["x-fairlead-call"] in caplog.text and "can't be continued" in caplog.text
    assert play.client.world.spool.calls()[0].status == "ok"


def test_while_the_store_is_away_nothing_can_be_continued() -> None:
    play = Play()
    play.shelf.away = True
    status, _, body = play.ask(previous_response_id="resp_1")
    assert (status, body["error"]["code"]) == (503, "store_unavailable") and play.told == []
    assert play.delete("resp_1")[0] == 503


def test_a_store_that_says_nothing_keeps_no_answer_waiting(caplog: pytest.LogCaptureFixture) -> None:
    play = Play()
    play.shelf.slow = True
    with caplog.at_level(logging.WARNING, "fairlead.data"):
        assert play.ask("one")[0] == 200
    assert "can't be continued" in caplog.text
    status, _, body = play.ask(previous_response_id="resp_1")
    assert (status, body["error"]["code"]) == (503, "store_slow") and len(play.told) == 1


def test_a_conversation_grows_no_longer_than_a_request_may_be() -> None:
    play = Play()
    limit = play.client.listener.max_body_bytes
    _, _, first = play.ask("a" * (limit - 300))
    status, _, body = play.ask("b" * 300, previous_response_id=first["id"])
    assert (status, body["error"]["code"]) == (413, "body_too_large") and len(play.told) == 1


def test_a_key_learns_nothing_of_a_route_that_it_may_not_use() -> None:
    play = Play(by=caller(routes=("r",)), zone="private")
    _, _, first = play.ask("one")
    for id in (first["id"], "resp_1"):
        status, _, body = play.ask("two", model="wide", previous_response_id=id)
        assert (status, body["error"]["code"]) == (403, "route_denied")
        assert "public" not in json.dumps(body)
    assert len(play.told) == 1


def test_where_nothing_is_kept_half_of_a_conversation_is_not_answered() -> None:
    """What came before is still in what a target is told, so that its language can say no (`dialects/losses.py`)."""
    play = Play()
    play.ask("two", model="quiet", previous_response_id="resp_1")
    assert "previous_response_id" in play.told[-1].others
