"""How long a provider asks to wait, however it says so."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from fairlead.backends.status import error_for, retry_after_s
from fairlead.errors import TargetFailed
from fairlead.ids import now_us


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "60", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "60", "retry-after-ms": "soon"}, 60),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "999999999"}, 86_400),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_a_wait_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_a_wait_may_be_a_date() -> None:
    then = datetime.fromtimestamp(now_us() / 1e6, UTC) + timedelta(seconds=30)
    seconds = retry_after_s({"retry-after": format_datetime(then, usegmt=True)})
    assert seconds is not None
    assert 25 < seconds <= 30


def test_a_status_that_nobody_knows_is_judged_by_its_hundred() -> None:
    assert type(error_for(599, ("odd", "code_x"), b"", {}, target="mini", dialect="openai")) is TargetFailed
    assert "code_x" in str(error_for(418, ("odd", "code_x"), b"", {}, target="mini", dialect="openai"))


def test_a_model_that_failed_at_aws_is_no_fault_of_the_caller() -> None:
    assert type(error_for(424, ("odd", ""), b"", {}, target="mini", dialect="bedrock")) is TargetFailed
