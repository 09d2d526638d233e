"""Requests to Amazon's and Google's services, from a configuration to places that take only the right credentials."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import openai
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from journeys.door import Door, say
from signing.authority import Asked, Authority, token
from signing.bedrock import Bedrock, credential_in

CONFIG = """\
data_dir = "data"
[server]
listen = "127.0.0.1:0"
admin = "off"
drain_s = 2
"""
BACKEND = """
[backends.{name}]
{said}
[targets.{name}]
backend = "{name}"
model = "maker.m-1:0"
[routes.{name}]
targets = ["{name}"]
"""
SAID = {
    "keys": 'aws = { access_key = "env:STATIC_KEY", secret_key = "file:secret" }',
    "wrong": 'aws = { access_key = "env:STATIC_KEY", secret_key = "file:wrong" }',
    "chain": "",
    "profile": 'aws = { profile = "team" }',
    "nobody": 'aws = { profile = "nobody" }',
    "bearer": 'key = "env:AWS_BEARER_TOKEN_BEDROCK"',
}
SECRETS = {"STATIC": "the-static-secret", "CHAIN": "the-secret-of-the-chain", "TEAM": "the-secret-of-the-team"}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def bedrock() -> Iterator[Bedrock]:
    with Bedrock(SECRETS, ("a-bedrock-key",)) as there:
        yield there


def vertex(asked: Asked, number: int) -> tuple[int, bytes]:
    if "publishers/google" not in asked.path:
        return token(asked, number)
    if not asked.headers.get("authorization", "").startswith("Bearer token_"):
        return HTTPStatus.UNAUTHORIZED, b'{"error":{"code":401,"message":"no token"}}'
    said = {"role": "model", "parts": [{"text": "hello"}]}
    return HTTPStatus.OK, json.dumps({"candidates": [{"content": said, "finishReason": "STOP"}]}).encode()


@pytest.fixture(scope="module")
def google() -> Iterator[Authority]:
    with Authority(vertex) as there:
        yield there


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, bedrock: Bedrock, google: Authority) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("signed")
    config = CONFIG
    for name, said in SAID.items():
        at = f'provider = "bedrock"\nbase_url = "{bedrock.url}"\nvars = {{ region = "eu-central-1" }}\n'
        config += BACKEND.format(name=name, said=at + said)
    for name, said in (("file", 'google = { credentials_file = "account.json" }'), ("default", "")):
        at = f'provider = "vertex"\nbase_url = "{google.url}/v1/publishers/google"\n'
        config += BACKEND.format(name=name, said=at + said)
    (folder / "fairlead.toml").write_text(config)
    with pytest.MonkeyPatch.context() as environment:
        furnish(folder, google, environment)
        opened = Door(folder).open()
        yield opened
        opened.close()


def furnish(folder: Path, google: Authority, environment: pytest.MonkeyPatch) -> None:
    """Credentials where each of them is looked for."""
    (folder / "secret").write_text(SECRETS["STATIC"])
    (folder / "wrong").write_text("another-secret")
    (folder / "aws").write_text(f"[team]\naws_access_key_id = TEAM\naws_secret_access_key = {SECRETS['TEAM']}\n")
    account = {
        "type": "service_account",
        "client_email": "gateway@p.iam.gserviceaccount.com",
        "private_key": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "token_uri": f"{google.url}/token",
    }
    (folder / "account.json").write_text(json.dumps(account))
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
        environment.delenv(name, raising=False)
    variables = {
        "STATIC_KEY": "STATIC",
        "AWS_ACCESS_KEY_ID": "CHAIN",
        "AWS_SECRET_ACCESS_KEY": SECRETS["CHAIN"],
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws"),
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_BEARER_TOKEN_BEDROCK": "a-bedrock-key",
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "account.json"),
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in variables.items():
        environment.setenv(name, value)


@pytest.fixture(scope="module")
def client(door: Door) -> openai.OpenAI:
    return door.client(door.key("signed"))


def asked(client: openai.OpenAI, route: str) -> str | None:
    return client.chat.completions.create(model=route, messages=say("hello")).choices[0].message.content


@pytest.mark.parametrize(("route", "key"), [("keys", "STATIC"), ("chain", "CHAIN"), ("profile", "TEAM")])
def test_amazon_takes_what_is_signed_with_given_keys_or_with_those_that_are_found(
    client: openai.OpenAI, bedrock: Bedrock, route: str, key: str
) -> None:
    assert asked(client, route) == "hello"
    last = bedrock.asked[-1]
    assert last.path == "/model/maker.m-1%3A0/converse"
    assert credential_in(last.headers).startswith(f"{key}/") and "/eu-central-1/bedrock/" in credential_in(last.headers)


def test_a_key_of_bedrock_needs_no_signature(client: openai.OpenAI, bedrock: Bedrock) -> None:
    assert asked(client, "bearer") == "hello"
    assert bedrock.asked[-1].headers["authorization"] == "Bearer a-bedrock-key"


@pytest.mark.parametrize(("route", "why"), [("wrong", "signature"), ("nobody", "nobody")])
def test_a_wrong_or_missing_credential_is_the_targets_failure(client: openai.OpenAI, route: str, why: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        asked(client, route)
    assert why in caught.value.message and caught.value.status_code >= 400
    assert not any(secret in caught.value.message for secret in (*SECRETS.values(), "another-secret"))


def test_google_takes_a_token_of_a_file_or_of_what_is_found(client: openai.OpenAI, google: Authority) -> None:
    assert asked(client, "file") == asked(client, "default") == asked(client, "file") == "hello"
    assert [request.path for request in google.asked].count("/token") == 2  # one for each backend
