"""What the house refuses becomes the exception that the official client has for it, with a code and a hint."""

import threading
import time

import openai
import pytest

from fairlead.server.office import KeyMade
from journeys.door import Door, ask, say, until

pytestmark = pytest.mark.engine


def refusal(door: Door, key: KeyMade, model: str = "chat", text: str = "hi", **more: object) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        door.client(key).chat.completions.create(**{"model": model, "messages": say(text), "max_tokens": 4, **more})  # type: ignore[call-overload]
    return caught.value


def test_an_unknown_key_is_an_authentication_error(door: Door) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        openai.OpenAI(base_url=f"{door.url}/v1", api_key="fl-nobody", max_retries=0).models.list()
    assert caught.value.code == "key_unknown"


def test_an_unknown_route_is_not_found_and_a_near_one_is_named(door: Door, key: KeyMade) -> None:
    error = refusal(door, key, "chatt")
    assert isinstance(error, openai.NotFoundError)
    assert error.code == "route_not_found"
    assert isinstance(error.body, dict)
    assert "'chat'" in error.body["hint"]


def test_a_route_that_the_key_does_not_name_is_forbidden_and_in_the_books(door: Door) -> None:
    narrow = door.key("only slow", routes=("slow",))
    error = refusal(door, narrow)
    assert isinstance(error, openai.PermissionDeniedError)
    assert error.code == "route_denied"
    assert [(row.status, row.code) for row in door.calls(narrow)] == [("denied", "route_denied")]


def test_words_never_leave_the_callers_zone(door: Door) -> None:
    private = door.key("stays at home", zone="private")
    error = refusal(door, private, "abroad")
    assert (error.status_code, error.code) == (403, "zone_denied")
    assert door.call(door.calls(private)[0].id).attempts == ()


def test_a_request_that_makes_no_sense_is_a_bad_request(door: Door, key: KeyMade) -> None:
    error = refusal(door, key, messages="hi")
    assert isinstance(error, openai.BadRequestError)


def test_a_body_over_the_limit_is_refused(door: Door, key: KeyMade) -> None:
    assert (error := refusal(door, key, text="x" * 300_000)).status_code == 413
    assert error.code == "body_too_large"


def test_the_second_request_in_a_minute_is_a_rate_limit_error_if_one_is_allowed(door: Door) -> None:
    limited = door.key("one a minute", requests_per_minute=1)
    door.client(limited).chat.completions.create(model="slow", messages=say("hi"))
    error = refusal(door, limited, "slow")
    assert isinstance(error, openai.RateLimitError)
    assert error.code == "rate_limited"
    assert int(error.response.headers["retry-after"]) >= 1


def test_a_budget_that_is_too_small_is_exhausted_with_the_numbers(door: Door) -> None:
    poor = door.key("poor", budget="0.000001usd/day")
    error = refusal(door, poor, "slow")
    assert (error.status_code, error.code) == (402, "budget_exhausted")
    assert "0.000001usd" in str(error)
    assert door.call(door.calls(poor)[0].id).attempts == ()


def test_under_a_budget_a_target_of_unknown_price_is_refused(door: Door) -> None:
    careful = door.key("careful", budget="1usd/day")
    error = refusal(door, careful, "unpriced")
    assert (error.status_code, error.code) == (402, "price_unknown")


def test_a_budget_that_calls_in_flight_hold_is_told_apart_from_an_exhausted_one(door: Door) -> None:
    tight = door.key("tight", budget="0.002usd/day")  # one call may cost 0.0013, so two don't fit at once
    create = door.client(tight).chat.completions.create
    first = threading.Thread(target=create, kwargs={"model": "slow", "messages": say("take a while")})
    first.start()
    refused: list[openai.RateLimitError] = []

    def try_another() -> bool:
        try:
            create(model="slow", messages=say("hi"))
        except openai.RateLimitError as error:
            refused.append(error)
        return bool(refused)

    until(try_another)
    first.join()
    assert refused[0].code == "budget_held"
    assert int(refused[0].response.headers["retry-after"]) >= 1
    assert create(model="slow", messages=say("hi")).choices


def test_a_revoked_key_is_dead_within_a_second(door: Door, key: KeyMade) -> None:
    client = door.client(key)
    assert client.models.list().data
    ask(door.remote.revoke_key(key.key.id))
    began = time.monotonic()
    with pytest.raises(openai.AuthenticationError) as caught:
        until(lambda: not client.models.list())
    assert caught.value.code == "key_revoked"
    assert time.monotonic() - began < 1
