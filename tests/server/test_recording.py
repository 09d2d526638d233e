"""What is recorded is what was said, byte for byte, on routes that say so; and no call is the worse for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from fairlead.errors import TargetFailed
from fairlead.gateway.call import RecordRules
from fairlead.server.recording import Recorder
from fairlead.store.recordings import Recorded, Recordings, read, waiting
from server.client import CHAT, Client, ask
from world import World, caller, route, said, target, words

RULES = RecordRules(keep_s=60, what=("request", "answer"), share=1.0)
STREAM = {**CHAT, "stream": True}


class Play:
    """A caller of a route with rules, and what was recorded of it."""

    def __init__(self, folder: Path, line: Any, rules: RecordRules | None = RULES, **settings: Any) -> None:
        by = settings.pop("by", caller())
        self.folder = folder / "w"
        self.recorder = Recorder(Recordings(self.folder, settings.pop("most_bytes", 10_000_000)))
        self.client = Client(World([route(target("a"), record=rules, **settings)], {"a": line}), by=by)
        self.client.listener.recorder = self.recorder

    def found(self) -> list[Recorded]:
        return [one for _, one in read(waiting(self.folder), 10**9) if one is not None]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", CHAT),
        ("/v1/messages", {**CHAT, "max_tokens": 5}),
        ("/v1/responses", {"model": "r", "input": "hi"}),
        ("/v1beta/models/r:generateContent", {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
    ],
)
def test_both_are_recorded_as_they_were_on_the_wire(path: str, body: dict[str, Any], tmp_path: Path) -> None:
    play = Play(tmp_path, said("hello"))
    status, headers, answer = ask(play.client, path, body)
    (found,) = play.found()
    assert status == 200 and dict(found.parts) == {"request": json.dumps(body).encode(), "answer": answer}
    assert (found.call, found.key, found.zone) == (headers["x-fairlead-call"], "k1", "public")
    assert found.expires_us - found.at_us == 60_000_000


def test_a_stream_is_recorded_whole(tmp_path: Path) -> None:
    play = Play(tmp_path, words("one", " two"))
    _, _, answer = ask(play.client, body=STREAM)
    (found,) = play.found()
    assert dict(found.parts)["answer"] == answer and b"two" in answer


def test_what_was_said_until_the_caller_left_is_recorded(tmp_path: Path) -> None:
    play = Play(tmp_path, [*words("one")[:3], 30.0, *words("late")])
    ask(play.client, body=STREAM, hang_up_after=1)
    (found,) = play.found()
    assert b"one" in dict(found.parts)["answer"] and b"late" not in dict(found.parts)["answer"]


@pytest.mark.parametrize("body", [CHAT, STREAM])
def test_an_error_is_an_answer_too(body: dict[str, Any], tmp_path: Path) -> None:
    play = Play(tmp_path, TargetFailed("its words"))
    _, _, answer = ask(play.client, body=body)
    (found,) = play.found()
    assert dict(found.parts)["answer"] == answer and b"its words" in answer


@pytest.mark.parametrize(("what", "kinds"), [(("request",), ["request"]), (("answer",), ["answer"])])
def test_only_what_is_wanted_is_recorded(what: tuple[str, ...], kinds: list[str], tmp_path: Path) -> None:
    play = Play(tmp_path, said(), RecordRules(60, what, 1.0))
    ask(play.client)
    (found,) = play.found()
    assert [kind for kind, _ in found.parts] == kinds


def test_nothing_is_recorded_where_the_route_does_not_say_so_or_the_share_is_none(tmp_path: Path) -> None:
    for rules in (None, RecordRules(60, ("request",), 0.0)):
        play = Play(tmp_path, said(), rules)
        ask(play.client)
        assert play.found() == []


def test_a_share_is_about_that_share(tmp_path: Path) -> None:
    play = Play(tmp_path, said(), RecordRules(60, ("request",), 0.5))
    for _ in range(60):
        ask(play.client)
    assert 10 < len(play.found()) < 50


def test_words_that_may_not_travel_to_the_store_are_not_recorded(tmp_path: Path) -> None:
    near = Play(tmp_path, said(), store_zone="contract", by=caller(zone="private"))
    assert ask(near.client)[0] == 200 and near.found() == []
    far = Play(tmp_path, said(), store_zone="contract", by=caller(zone="contract"))
    assert ask(far.client)[0] == 200
    assert [one.zone for one in far.found()] == ["contract"]


def test_where_there_is_no_room_the_call_is_answered_and_the_loss_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    play = Play(tmp_path, said("quiet words"), most_bytes=10)
    for _ in range(3):
        assert ask(play.client)[0] == 200
    assert play.recorder.lost == 3 and play.found() == []
    assert len(caplog.records) == 1 and "quiet" not in caplog.text
