"""What a provider says when it fails."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead import errors
from fairlead.dialects.failures import LONGEST_MESSAGE, failure, read_error


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"message": "no", "type": "t", "code": "c"}}, "no", "c"),
        ({"error": {"message": "no", "type": "t", "code": None}}, "no", "t"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, "no", "overloaded_error"),
        ({"error": "no"}, "no", ""),
        ({"message": "no", "code": 7}, "no", "7"),
        ({"detail": [{"loc": ["body"]}]}, '[{"loc":["body"]}]', ""),
        ([{"error": {"message": "no", "code": 404}}], "no", "404"),
        ({"error": {"error": {"message": "no"}}}, "no", ""),
        ({}, "HTTP 500", ""),
        ([], "HTTP 500", ""),
        (5, "HTTP 500", ""),
        ("no", "no", ""),
    ],
)
def test_errors_of_every_shape_are_read(body, message, code):
    assert read_error(500, json.dumps(body).encode()) == (message, code)


def test_plain_text_is_its_own_message_and_html_is_none():
    assert read_error(502, b"upstream\n  went away") == ("upstream went away", "")
    assert read_error(502, b"<html>oops</html>") == ("HTTP 502", "")
    assert read_error(502, b"") == ("HTTP 502", "")
    assert len(read_error(502, b"x" * 9999)[0]) == LONGEST_MESSAGE


@given(some.integers(100, 599), some.binary(max_size=100))
def test_reading_an_error_never_raises(status, body):
    message, code = read_error(status, body)
    assert message
    assert isinstance(code, str)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("rate_limit_error", errors.TargetOverloaded),
        ("overloaded_error", errors.TargetOverloaded),
        ("authentication_error", errors.TargetRefused),
        ("permission_error", errors.TargetRefused),
        ("billing_error", errors.TargetRefused),
        ("not_found_error", errors.TargetRefused),
        ("invalid_request_error", errors.TargetRejected),
        ("context_length_exceeded", errors.TargetRejected),
        ("api_error", errors.TargetFailed),
        ("timeout_error", errors.TargetFailed),
        ("an error of tomorrow", errors.TargetFailed),
    ],
)
def test_the_kind_follows_what_was_said(said, kind):
    body = json.dumps({"error": {"type": said, "message": "why"}}).encode()
    found = failure(body, "anthropic")
    assert type(found) is kind
    assert "why" in found.message
    assert (found.body, found.dialect) == (body, "anthropic")


def test_an_error_that_repeats_a_status_tells_it():
    assert failure(b'{"error": {"code": 429}}', "openai").status == 429
