"""Signatures are those that Amazon publishes for its own examples, and cover all that they should."""

import asyncio
from datetime import UTC, datetime

from fairlead.signing import AwsSigner

AT_US = int(datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()) * 1_000_000
EXAMPLE = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/maker.model-1%3A0/converse"


def lines(method: str, url: str, body: bytes = b"", token: str = "", service: str = "service") -> dict[str, str]:
    signer = AwsSigner(*EXAMPLE, token, region="us-east-1", service=service, now=lambda: AT_US)
    said = asyncio.run(signer.lines(method, url, body)).decode()
    assert said.endswith("\r\n")
    return dict(line.split(": ", 1) for line in said.removesuffix("\r\n").split("\r\n"))


def signature(*args: str | bytes, **kwargs: str) -> str:
    return lines(*args, **kwargs)["authorization"].rpartition("=")[2]  # type: ignore[arg-type]


def test_amazons_own_examples_come_out_as_published() -> None:
    assert lines("GET", "https://example.amazonaws.com/") == {
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    }
    ordered = signature("GET", "https://example.amazonaws.com/?Param1=value1&Param2=value2")
    assert ordered == "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    assert signature("POST", "https://example.amazonaws.com/") == (
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    )


def test_parameters_are_signed_in_the_order_of_their_names() -> None:
    one = signature("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1")
    assert one == signature("GET", "https://example.amazonaws.com/?Param1=value1&Param2=value2")


def test_a_model_that_was_quoted_in_the_path_is_quoted_once_more_for_the_signature() -> None:
    assert signature("POST", URL, b'{"messages":[]}', service="bedrock") == (
        "7502358e8a81ec23565a80f1032248e5c6ddb625f80a2d317a88c581a11b00d7"
    )


def test_a_new_day_has_a_key_of_its_own() -> None:
    clock = [AT_US]
    signer = AwsSigner(*EXAMPLE, region="us-east-1", service="bedrock", now=lambda: clock[0])
    first = asyncio.run(signer.lines("POST", URL, b"{}"))
    clock[0] += 24 * 3600 * 1_000_000
    fresh = AwsSigner(*EXAMPLE, region="us-east-1", service="bedrock", now=lambda: clock[0])
    second = asyncio.run(signer.lines("POST", URL, b"{}"))
    assert second == asyncio.run(fresh.lines("POST", URL, b"{}")) != first
    assert b"x-amz-date: 20150831T123600Z" in second and b"/20150831/us-east-1/bedrock/" in second


def test_every_part_of_a_request_counts() -> None:
    changed = [
        signature("POST", URL, b"1"),
        signature("POST", URL, b"2"),
        signature("PUT", URL, b"1"),
        signature("POST", URL + "-stream", b"1"),
        signature("POST", URL.replace("us-east-1", "us-west-2"), b"1"),
        signature("POST", URL, b"1", service="bedrock"),
        signature("POST", URL, b"1", token="short-lived"),
    ]
    assert len(set(changed)) == len(changed)


def test_a_session_token_is_sent_and_signed_and_the_secret_never_is() -> None:
    said = lines("POST", URL, b"", token="short-lived")
    assert said["x-amz-security-token"] == "short-lived"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in said["authorization"]
    assert EXAMPLE[1] not in str(said)
