"""The configuration changes under calls in flight; engines die; the whole house is killed. No call is lost."""

import itertools
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import openai
import pytest

from fairlead.errors import RemoteFailed
from fairlead.server.office import KeyMade
from journeys.door import CONFIG, Door, ask, furnish, say, until

pytestmark = pytest.mark.engine
SPARE = """
[engines.spare]
model = "tiny.gguf"

[targets.spare]
engine = "spare"
price = { input = 1.0, output = 2.0 }
"""
ONLY_TINY, BOTH = 'targets = ["tiny"]', 'targets = ["tiny", "spare"]'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A house of this file's own, to be changed and killed."""
    opened = furnish(tmp_path_factory.mktemp("house"), CONFIG + SPARE).open()
    yield opened
    opened.close()


@pytest.fixture
def door(house: Door) -> Iterator[Door]:
    """It, and afterwards as it was."""
    text = house.file.read_text()
    yield house
    house.file.write_text(text)
    ask(house.remote.reload())


class Loop:
    """Asks without pause from three threads; `targets` are those that answered, `failures` what went wrong."""

    def __init__(self, door: Door, key: KeyMade, route: str) -> None:
        self.targets: list[str] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._client = door.client(key)
        self._route = route
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]

    def _ask(self) -> None:
        create = self._client.chat.completions.with_raw_response.create
        while not self._stop.is_set():
            try:
                raw = create(model=self._route, messages=say("hi"), max_tokens=4)
                self.targets.append(raw.headers["x-fairlead-target"])
            except openai.OpenAIError as error:
                self.failures.append(str(error))

    @contextmanager
    def going(self) -> Iterator["Loop"]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    @property
    def changes(self) -> list[str]:
        """The targets that answered, repetitions left out."""
        return [name for name, _ in itertools.groupby(self.targets)]

    def until_more(self, target: str, count: int = 5) -> None:
        seen = len(self.targets)
        until(lambda: self.targets[seen:].count(target) >= count)


def test_a_reload_swaps_the_target_under_calls_in_flight_and_loses_none(door: Door) -> None:
    key = door.key("swaps")
    with Loop(door, key, "chat").going() as loop:
        loop.until_more("tiny")
        door.rewrite((ONLY_TINY, 'targets = ["slow"]'))
        taken = ask(door.remote.reload())
        assert taken.changed
        loop.until_more("slow")
    assert loop.failures == []
    rows = door.calls(key)
    assert len(rows) == len(loop.targets)
    assert {row.status for row in rows} == {"ok"}
    assert {row.target for row in rows if row.config == taken.hash} == {"slow"}
    assert {row.target for row in rows if row.config != taken.hash} == {"tiny"}


def test_an_invalid_configuration_leaves_the_old_one_standing(door: Door) -> None:
    key = door.key("stands")
    before = door.status().config
    door.rewrite((ONLY_TINY, 'targets = ["tinny"]'))
    with pytest.raises(RemoteFailed, match=r"routes\.chat\.targets\[0\]") as caught:
        ask(door.remote.reload())
    assert caught.value.code == "config_invalid"
    assert door.status().config == before
    assert door.client(key).chat.completions.create(model="chat", messages=say("hi"), max_tokens=2).choices


def test_a_dead_engines_calls_go_to_the_next_target_until_it_is_back(door: Door) -> None:
    door.rewrite((ONLY_TINY, BOTH))
    ask(door.remote.reload())
    key = door.key("falls back")
    with Loop(door, key, "chat").going() as loop:
        loop.until_more("tiny")
        pid = next(engine.pid for engine in ask(door.remote.engines()) if engine.name == "tiny")
        os.kill(pid, signal.SIGKILL)
        loop.until_more("spare", 1)
        loop.until_more("tiny")
    assert loop.failures == []
    rows = door.calls(key)
    assert len(rows) == len(loop.targets)
    rescued = next(row for row in rows if row.target == "spare")
    *failed, last = door.call(rescued.id).attempts
    assert (last.target, last.purpose, last.outcome) == ("spare", "fallback", "ok")
    assert failed and all(one.target == "tiny" for one in failed)  # twice where its kept connection was stale
    broken = {"target_unreachable", "connection_stale", "target_failed", "stream_broken", "target_unclear"}
    assert {one.outcome for one in failed} <= broken
    assert next(engine for engine in ask(door.remote.engines()) if engine.name == "tiny").restarts >= 1


def test_after_kill_9_of_everything_each_finished_call_is_in_the_books(door: Door) -> None:
    key = door.key("survives")
    with Loop(door, key, "chat").going() as loop:
        loop.until_more("tiny", 10)
        door.kill_all()
        answered = len(loop.targets)
    door.open()
    rows = door.calls(key)
    finished = [row for row in rows if row.status == "ok"]
    assert len(finished) >= answered
    assert all(row.cost_nusd for row in finished)
    assert {row.status for row in rows} <= {"ok", "lost"}
    assert door.client(key).chat.completions.create(model="chat", messages=say("hi"), max_tokens=2).choices
