"""Conversations that a running server continues: after a restart too, for their key alone, and not for ever."""

import time
from collections.abc import Iterator

import openai
import pytest

from fairlead.server.office import KeyMade
from journeys.door import Door, furnish

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

[targets.said]
backend = "script"
model = "said-1"

[routes.kept]
targets = ["said"]
keep_responses_s = 60

[routes.soon-over]
targets = ["said"]
keep_responses_s = 0.05

[routes.never]
targets = ["said"]
"""


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    door = furnish(tmp_path_factory.mktemp("keeping"), CONFIG).open()
    yield door
    door.close()


@pytest.fixture
def mine(keeping: Door, request: pytest.FixtureRequest) -> KeyMade:
    return keeping.key(request.node.name[:60])


def test_a_conversation_goes_on_after_a_restart(keeping: Door, mine: KeyMade) -> None:
    first = keeping.client(mine).responses.create(model="kept", input="one two three")
    keeping.close()
    keeping.open()
    second = keeping.client(mine).responses.create(model="kept", input="four", previous_response_id=first.id)
    assert second.previous_response_id == first.id and second.output_text == "at once"
    assert first.usage and second.usage
    assert second.usage.input_tokens > first.usage.input_tokens


def test_a_streamed_response_is_continued_too(keeping: Door, mine: KeyMade) -> None:
    client = keeping.client(mine)
    with client.responses.stream(model="kept", input="one two three") as stream:
        first = stream.get_final_response()
    assert client.responses.create(model="kept", input="four", previous_response_id=first.id).output_text == "at once"


def test_another_key_can_not_continue_it(keeping: Door, mine: KeyMade) -> None:
    first = keeping.client(mine).responses.create(model="kept", input="secret")
    stranger = keeping.client(keeping.key("a stranger"))
    with pytest.raises(openai.BadRequestError, match="there is no response"):
        stranger.responses.create(model="kept", input="go on", previous_response_id=first.id)
    with pytest.raises(openai.NotFoundError):
        stranger.responses.delete(first.id)


def test_what_has_expired_can_not_be_continued(keeping: Door, mine: KeyMade) -> None:
    client = keeping.client(mine)
    first = client.responses.create(model="soon-over", input="one")
    time.sleep(0.1)
    with pytest.raises(openai.BadRequestError, match="there is no response"):
        client.responses.create(model="soon-over", input="two", previous_response_id=first.id)


def test_what_was_deleted_can_not_be_continued(keeping: Door, mine: KeyMade) -> None:
    client = keeping.client(mine)
    first = client.responses.create(model="kept", input="one")
    client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError, match="there is no response"):
        client.responses.create(model="kept", input="two", previous_response_id=first.id)


def test_a_route_that_keeps_nothing_continues_nothing(keeping: Door, mine: KeyMade) -> None:
    client = keeping.client(mine)
    first = client.responses.create(model="never", input="one")
    with pytest.raises(openai.APIStatusError):
        client.responses.create(model="kept", input="two", previous_response_id=first.id)
