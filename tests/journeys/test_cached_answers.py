"""Answers from a route's cache through the door: whole and streamed, shared by those who ask at once, in the books."""

import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from fairlead.server.office import KeyMade
from journeys.door import Door, ask, say, until

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
drain_s = 1

[backends.script]
kind = "script"
zone = "private"
script = "script.toml"

[targets.a]
backend = "script"
model = "a"
price = { input = 1.0, output = 2.0 }
can = { prefill = true }

[routes.cached]
targets = ["a"]
cache = { ttl_s = 600 }

[routes.plain]
targets = ["a"]

[routes.whole]
targets = ["a"]
on_break = "buffer"
retry = { backoff_s = 0.01 }

[routes.on]
targets = ["a"]
on_break = "continue"
"""
SCRIPT = """\
[[lines]]
when = "slow"
pieces = ["one ", "two ", "three ", "four ", "five ", "six"]
delay_s = 0.5

[[lines]]
when = "breaks"
pieces = ["Once upon a time", " there was"]
cut_after = 1

[[lines]]
when = "breaks"
pieces = [" there was", " a rope"]

[[lines]]
when = "falls"
pieces = ["In", " two"]
cut_after = 1

[[lines]]
when = "falls"
text = "In one piece"

[[lines]]
text = "at once"
"""
WHOLE = "one two three four five six"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("cached")
    (folder / "fairlead.toml").write_text(CONFIG)
    (folder / "script.toml").write_text(SCRIPT)
    door = Door(folder).open()
    yield door
    door.close()


def stream(client: openai.OpenAI, route: str, text: str) -> str:
    with client.chat.completions.create(model=route, messages=say(text), stream=True) as chunks:
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def raw(client: openai.OpenAI, text: str, **more: Any) -> tuple[str | None, str | None]:
    came = client.chat.completions.with_raw_response.create(model="cached", messages=say(text), **more)
    return came.headers.get("x-fairlead-cache"), came.headers.get("x-fairlead-cost-usd")


def test_an_answer_that_is_there_is_given_again_and_stands_in_the_books_at_no_cost(house: Door) -> None:
    key = house.key("again")
    client = house.client(key)
    assert raw(client, "hello")[0] == "miss"
    assert raw(client, "hello") == ("hit", "0.00")
    assert stream(client, "cached", "hello") == "at once"
    assert raw(client, "hello", extra_headers={"x-fairlead-cache": "no-cache"})[0] == "miss"
    rows = until(lambda: len(found := house.calls(key)) == 4 and found)
    assert [(row.cache, row.attempts, row.status, row.target) for row in rows] == [
        ("miss", 1, "ok", "a"),
        ("hit", 0, "ok", "a"),
        ("hit", 0, "ok", "a"),
        ("miss", 1, "ok", "a"),
    ]
    assert rows[1].cost_nusd == 0 and rows[0].cost_nusd


def test_another_key_is_given_nothing_of_it(house: Door) -> None:
    first, second = house.key("first"), house.key("second")
    assert raw(house.client(first), "mine")[0] == raw(house.client(second), "mine")[0] == "miss"


def test_a_route_that_says_nothing_tells_nothing(house: Door) -> None:
    came = house.client(house.key("plain")).chat.completions.with_raw_response.create(
        model="plain", messages=say("hello"), extra_headers={"x-fairlead-cache": "no-store"}
    )
    assert "x-fairlead-cache" not in came.headers


def test_those_who_ask_at_once_share_one_asking_also_when_the_first_one_hangs_up(house: Door) -> None:
    key = house.key("at once")
    first, second = _begin(house, key), _begin(house, key)
    said: list[str] = []
    twin = threading.Thread(target=lambda: said.append(_words(house, key)))
    twin.start()
    until(lambda: _open_calls(house) == 3)
    first.close()
    twin.join()
    assert said == [WHOLE]
    assert b"[DONE]" in _rest(second)
    rows = until(lambda: len(found := house.calls(key)) == 3 and found)
    told = sorted((row.cache, row.status, row.attempts) for row in rows)
    assert told == [("miss", "cancelled", 1), ("shared", "ok", 0), ("shared", "ok", 0)]
    [payer] = [row for row in rows if row.cache == "miss"]
    [attempt] = house.call(payer.id).attempts
    assert (attempt.outcome, attempt.cost_nusd) == ("ok", payer.cost_nusd)


def _open_calls(house: Door) -> int:
    told = urllib.request.urlopen(f"{house.url}/metrics").read().decode()
    return sum(int(float(count)) for count in re.findall(r"fairlead_open_calls\{[^}]*\} (\S+)", told))


def _rest(sock: socket.socket) -> bytes:
    came = b""
    while b"[DONE]" not in came and (piece := sock.recv(65536)):
        came += piece
    sock.close()
    return came


def _words(house: Door, key: KeyMade) -> str:
    answer = house.client(key).chat.completions.create(model="cached", messages=say("slow"))
    return answer.choices[0].message.content or ""


def _begin(house: Door, key: KeyMade) -> socket.socket:
    """A caller who has its first words and may hang up at any time."""
    host, _, port = house.url.removeprefix("http://").partition(":")
    body = b'{"model":"cached","messages":[{"role":"user","content":"slow"}],"stream":true}'
    sock = socket.create_connection((host, int(port)))
    sock.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
        % (key.secret.encode(), len(body), body)
    )
    came = b""
    while b"one" not in came:
        came += sock.recv(65536)
    return sock


def test_a_stream_that_breaks_is_rescued_as_its_route_says(house: Door) -> None:
    key = house.key("breaks")
    client = house.client(key)
    assert stream(client, "on", "breaks") == "Once upon a time there was a rope"
    [row] = until(lambda: len(found := house.calls(key)) == 1 and found)
    attempts = house.call(row.id).attempts
    assert [(one.purpose, one.outcome) for one in attempts] == [("primary", "stream_broken"), ("continue", "ok")]
    assert row.cost_nusd == sum(one.cost_nusd or 0 for one in attempts)


def test_a_stream_that_is_held_back_until_it_is_whole_never_shows_that_it_broke(house: Door) -> None:
    key = house.key("held")
    assert stream(house.client(key), "whole", "falls") == "In one piece"
    [row] = until(lambda: len(found := house.calls(key)) == 1 and found)
    attempts = house.call(row.id).attempts
    assert [(one.purpose, one.outcome) for one in attempts] == [("primary", "stream_broken"), ("retry", "ok")]


def test_a_route_that_is_rewritten_forgets_what_it_knew(house: Door) -> None:
    key = house.key("rewritten")
    client = house.client(key)
    assert [raw(client, "before")[0] for _ in range(2)] == ["miss", "hit"]
    house.rewrite(("cache = { ttl_s = 600 }", "cache = { ttl_s = 601 }"))
    ask(house.remote.reload())
    assert [raw(client, "before")[0] for _ in range(2)] == ["miss", "hit"]
