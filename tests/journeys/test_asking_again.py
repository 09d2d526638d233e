"""What fails is asked again here, and the official client adds nothing to it; a late account is hedged."""

import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from journeys.door import Door, say

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
drain_s = 2

[backends.east]
kind = "script"
zone = "private"
script = "east.toml"

[backends.west]
kind = "script"
zone = "private"
script = "west.toml"

[targets.one]
backend = "east"
model = "m"
price = { input = 1.0, output = 2.0 }
breaker = { on = false }

[targets.both]
backends = ["east", "west"]
model = "m"
price = { input = 1.0, output = 2.0 }

[routes.one]
targets = ["one"]
retry = { attempts = 2, backoff_s = 0.01 }

[routes.both]
targets = ["both"]
hedge = { after_s = 0.2, max_share = 1.0 }
"""
EAST = """\
[[lines]]
when = "down"
status = 503

[[lines]]
when = "slow"
text = "from the east"
latency_s = 30.0

[[lines]]
text = "from the east"
"""
WEST = '[[lines]]\ntext = "from the west"\n'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder: Path = tmp_path_factory.mktemp("house")
    (folder / "fairlead.toml").write_text(CONFIG)
    (folder / "east.toml").write_text(EAST)
    (folder / "west.toml").write_text(WEST)
    door = Door(folder).open()
    yield door
    door.close()


def test_the_official_client_does_not_multiply_what_was_asked_again_here(house: Door) -> None:
    key = house.key("multiplied")
    with house.client(key, max_retries=2) as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="one", messages=say("down"))
    assert caught.value.response.headers["x-should-retry"] == "false"
    [call] = house.calls(key)
    assert (call.code, call.attempts) == ("target_failed", 3)
    purposes = [attempt.purpose for attempt in house.call(call.id).attempts]
    assert purposes == ["primary", "retry", "retry"]


def test_a_caller_gets_an_answer_or_an_error_within_the_time_that_it_names(house: Door) -> None:
    key = house.key("hurried")
    began = time.monotonic()
    with house.client(key) as client, pytest.raises(openai.APIStatusError) as caught:
        headers = {"x-fairlead-timeout-s": "0.5"}
        client.chat.completions.create(model="one", messages=say("slow"), extra_headers=headers)
    assert caught.value.status_code == 504 and time.monotonic() - began < 20
    with house.client(key) as client, pytest.raises(openai.BadRequestError) as refused:
        headers = {"x-fairlead-timeout-s": "soon"}
        client.chat.completions.create(model="one", messages=say("hi"), extra_headers=headers)
    assert refused.value.param == "x-fairlead-timeout-s"


@pytest.mark.parametrize("stream", [False, True])
def test_whoever_is_late_is_not_waited_for(house: Door, stream: bool) -> None:
    key = house.key(f"late {stream}")
    with house.client(key) as client:
        for number in range(8):  # about half of these conversations have their home in the east
            asked = say(f"slow question {number}")
            if stream:
                pieces = client.chat.completions.create(model="both", messages=asked, stream=True)
                text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
            else:
                text = client.chat.completions.create(model="both", messages=asked).choices[0].message.content or ""
            assert text == "from the west"
    attempts = [attempt for call in house.calls(key) for attempt in house.call(call.id).attempts]
    assert {(a.backend, a.purpose, a.outcome) for a in attempts} <= {
        ("east", "primary", "cancelled"),
        ("west", "hedge", "ok"),
        ("west", "primary", "ok"),
    }
    assert any(attempt.purpose == "hedge" for attempt in attempts)
    assert all(a.why == "another attempt was faster" for a in attempts if a.outcome == "cancelled")
