"""What goes upstream has our headers and nobody else's, whatever a caller or a model's name holds."""

import itertools
import re

import httpx
import pytest

from journeys.door import Door, say

OURS = {
    "host",
    "accept",
    "accept-encoding",
    "content-type",
    "content-length",
    "authorization",
    "traceparent",
    "user-agent",
}
STRANGE = {
    "x-forwarded-for": "10.0.0.1",
    "x-api-key": "mine",
    "cookie": "session=1",
    "x-fairlead-tags": "a,b",
    "x-fairlead-session": "s",
    "openai-organization": "org-of-the-caller",
    "user-agent": "caller",
    "via": "1.1 caller",
    "te": "trailers",
}


_numbers = itertools.count()


def repeated(door: Door, route: str, headers: dict[str, str]) -> str:
    """What the provider was told, as it says in its error."""
    secret = door.key(f"headers-{next(_numbers)}").secret
    said = httpx.post(
        f"{door.url}/v1/chat/completions",
        json={"model": route, "messages": say("hi")},
        headers={"authorization": f"Bearer {secret}", **headers},
        trust_env=False,
    )
    assert said.status_code == 400 and secret not in said.text
    return str(said.json()["error"]["message"])


def names(told: str) -> set[str]:
    return set(re.findall(r"<([^:<>]+):", told))


def test_no_header_of_a_caller_goes_upstream(door: Door) -> None:
    told = repeated(door, "rejects", STRANGE)
    assert names(told) <= OURS
    assert not [value for value in STRANGE.values() if f": {value}>" in told]


@pytest.mark.parametrize("trace", ["quark", "00-" + "g" * 32, "00-" + "a" * 32 + "-" + "b" * 16 + "-01, x", "a\tb: c"])
def test_a_trace_that_is_none_is_not_passed_on(trace: str, door: Door) -> None:
    assert trace not in repeated(door, "rejects", {"traceparent": trace})


def test_a_models_name_breaks_out_of_nothing(door: Door) -> None:
    told = repeated(door, "crooked", {"x-any": "1"})
    assert names(told) <= OURS | {"x-goog-api-key"}
    assert "a%2F..%2Fb%3Fc%3Dd%0D%0Ax-evil%3A%20yes:generateContent" in told
