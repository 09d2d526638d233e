"""Errors: what they say is bounded, whatever somebody sent."""

import json

import pytest

from fairlead.backends.http import Http
from fairlead.errors import LONGEST_PARAM, LONGEST_TEXT, FairleadError
from fairlead.wire.pool import Pool
from server.client import Client, ask
from server.languages import LANGUAGES, Language
from world import World, route, target

LONG = "A" * 100_000


def test_both_ends_of_a_long_text_are_told() -> None:
    error = FairleadError(f"`{LONG}` can't be said", hint=LONG, param=LONG, path=LONG, number=5)
    assert error.message.startswith("`AAA") and error.message.endswith("AAA` can't be said")
    assert max(map(len, (error.message, str(error), error.hint, error.details["path"]))) <= LONGEST_TEXT + 3
    assert error.param is not None and len(error.param) <= LONGEST_PARAM + 3
    assert error.details["number"] == 5


def test_a_usual_text_is_told_as_it_is() -> None:
    error = FairleadError("what", hint="how", param="a.b", path="c")
    assert (error.message, error.hint, error.param, error.details) == ("what", "how", "a.b", {"path": "c"})


@pytest.mark.parametrize("language", LANGUAGES, ids=[one.name for one in LANGUAGES])
def test_no_error_repeats_what_was_sent_at_length_to_a_caller_or_in_the_books(language: Language) -> None:
    for kind in ("openai", "gemini"):
        said = json.loads(json.dumps(language.body).replace('"user"', json.dumps(LONG)))
        for body in ({**language.body, LONG: {"x": 1}}, {**said, "tools": [{"type": LONG}], "n": LONG}):
            world = World([route(target("a"))], {})
            world.gateway.generation.backends["table"] = Http(  # type: ignore[index]
                Pool(), kind=kind, base_url="http://127.0.0.1:9", key="sk-1"
            )
            status, headers, out = ask(Client(world, max_body_bytes=10_000_000), language.path, body)
            assert status >= 400
            assert len(out) + sum(map(len, headers.values())) < 8000
            assert all(len(record.__repr__()) < 8000 for record in world.spool.records)
