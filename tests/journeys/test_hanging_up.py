"""A caller who hangs up in the middle of a stream is billed for what came, and nothing goes on behind their back."""

import pytest

from fairlead.server.office import KeyMade
from journeys.door import Door, say, until

pytestmark = pytest.mark.engine


def test_the_words_until_then_are_billed_and_the_call_is_cancelled(door: Door, key: KeyMade) -> None:
    with door.client(key).chat.completions.create(model="slow", messages=say("twenty words"), stream=True) as stream:
        heard = [next(stream) for _ in range(4)]
    assert heard[0].choices
    (row,) = until(lambda: door.calls(key))
    assert row.status == "cancelled"
    (attempt,) = door.call(row.id).attempts
    assert attempt.outcome == "cancelled"
    assert 2 <= attempt.output_tokens < 20
    assert attempt.estimated
    assert row.cost_nusd == attempt.cost_nusd == 1000 * attempt.input_tokens + 2000 * attempt.output_tokens


def test_an_engines_stream_may_be_left_too(door: Door, key: KeyMade) -> None:
    with door.client(key).chat.completions.create(model="chat", messages=say("hi"), stream=True) as stream:
        next(stream)
    (row,) = until(lambda: door.calls(key))
    assert row.status in ("cancelled", "ok")  # the tiny model may be quicker than our hanging up
    assert row.cost_nusd
