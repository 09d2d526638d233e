"""Tokens come from credentials of every kind that Google's own tools know, one for all who wait; failures are typed."""

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fairlead.errors import (
    ConfigInvalid,
    ExtraMissing,
    TargetError,
    TargetFailed,
    TargetRefused,
    TargetTimeout,
    TargetUnclear,
    TargetUnreachable,
)
from fairlead.signing import GoogleSigner
from fairlead.signing.google import EARLY_S, LAST_S
from fairlead.signing.google_credentials import SCOPE
from signing.authority import LIFE_S, Answer, Authority, always, token
from upstream import refused_url

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
FIRST = b"authorization: Bearer token_1\r\n"
SECOND = b"authorization: Bearer token_2\r\n"
OF_THIS_MACHINE = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT", "HTTP_PROXY",
                   "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")  # fmt: skip
USER = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r/1"}
EMAIL = "gateway@p.iam.gserviceaccount.com"
ASK = """
import asyncio
from fairlead.errors import TargetError
from fairlead.signing import GoogleSigner
try:
    print(asyncio.run(GoogleSigner().lines("POST", "https://aiplatform.googleapis.com/v1/x", b"{}")).decode())
except TargetError as error:
    print(type(error).__name__, error.message, error.hint)
"""


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in OF_THIS_MACHINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def there() -> Iterator[Authority]:
    with Authority() as authority:
        yield authority


def written(path: Path, **fields: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.encode(fields))
    return path


def service_account(tmp_path: Path, url: str, **more: str) -> Path:
    fields = {
        "type": "service_account",
        "project_id": "p",
        "client_email": EMAIL,
        "private_key": PEM,
        "private_key_id": "k1",
        "token_uri": f"{url}/token",
    }
    return written(tmp_path / "account.json", **fields | more)


def federated(tmp_path: Path, url: str, **more: Any) -> Path:
    (tmp_path / "own").write_text("a token of the cluster's")
    fields = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{url}/exchange",
        "credential_source": {"file": str(tmp_path / "own")},
    }
    return written(tmp_path / "federated.json", **fields | more)


async def told(signer: GoogleSigner) -> bytes:
    return await signer.lines("POST", "https://aiplatform.googleapis.com/v1/x", b"{}")


def once(file: Path | None = None, **settings: Any) -> bytes:
    return asyncio.run(told(GoogleSigner(file, **settings)))


def failure(file: Path, **settings: Any) -> TargetError:
    with pytest.raises(TargetError) as caught:
        once(file, **settings)
    assert caught.value.hint and "PRIVATE KEY" not in caught.value.message
    return caught.value


def elsewhere(**variables: str) -> str:
    """What a process of its own is told: Google's library reads these variables when it is imported."""
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:fairlead", "-c", ASK],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def decoded(part: str) -> dict[str, object]:
    return msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


# --- kinds of credentials ---------------------------------------------------------------------------------------------


def test_a_service_account_asks_with_a_claim_that_it_has_signed(there: Authority, tmp_path: Path) -> None:
    assert once(service_account(tmp_path, there.url)) == FIRST
    (asked,) = there.asked
    assert asked.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    text, _, signature = asked.form["assertion"].rpartition(".")
    header, _, claims = text.partition(".")
    assert decoded(header) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    said = decoded(claims)
    assert (said["iss"], said["scope"], said["aud"]) == (EMAIL, SCOPE, "https://oauth2.googleapis.com/token")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    KEY.public_key().verify(raw, text.encode(), padding.PKCS1v15(), SHA256())


def test_a_user_asks_google_with_what_gcloud_left(
    there: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in there.as_the_world(tmp_path).items():
        monkeypatch.setenv(name, value)
    file = written(tmp_path / "user.json", **USER, quota_project_id="paying")
    assert once(file) == FIRST + b"x-goog-user-project: paying\r\n"
    (asked,) = there.asked
    assert (asked.host, asked.path) == ("oauth2.googleapis.com", "/token")
    assert asked.form["grant_type"] == "refresh_token" and asked.form["refresh_token"] == "r/1"


def test_a_workload_identity_exchanges_its_own_token(there: Authority, tmp_path: Path) -> None:
    assert once(federated(tmp_path, there.url)) == FIRST
    (asked,) = there.asked
    assert asked.path == "/exchange" and asked.form["scope"] == SCOPE
    assert asked.form["subject_token"] == "a token of the cluster's"


def test_a_workload_identity_may_act_as_a_service_account(there: Authority, tmp_path: Path) -> None:
    acting = f"{there.url}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    assert once(federated(tmp_path, there.url, service_account_impersonation_url=acting)) == SECOND
    exchange, acts = there.asked
    assert exchange.path == "/exchange"
    assert acts.headers["authorization"] == "Bearer token_1" and msgspec.json.decode(acts.body)["scope"] == [SCOPE]


def test_a_user_may_act_as_a_service_account(there: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in there.as_the_world(tmp_path).items():
        monkeypatch.setenv(name, value)
    acting = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    file = written(
        tmp_path / "acting.json",
        type="impersonated_service_account",
        service_account_impersonation_url=acting,
        source_credentials=USER,
    )
    assert once(file) == SECOND
    user, acts = there.asked
    assert (user.host, acts.host) == ("oauth2.googleapis.com", "iamcredentials.googleapis.com")
    assert acts.headers["authorization"] == "Bearer token_1" and EMAIL in acts.path


def test_without_a_file_the_environment_may_name_one(
    there: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service_account(tmp_path, there.url)))
    assert once() == FIRST
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(federated(tmp_path, there.url)))
    assert once() == SECOND
    assert [asked.path for asked in there.asked] == ["/token", "/exchange"]  # nobody is asked which project it is


def test_without_a_file_gcloud_may_have_left_a_user(there: Authority, tmp_path: Path) -> None:
    written(tmp_path / "gcloud" / "application_default_credentials.json", **USER)
    assert elsewhere(**there.as_the_world(tmp_path)).startswith("authorization: Bearer token_1")


def test_without_anything_the_machine_has_an_account(there: Authority) -> None:
    names = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP")
    assert elsewhere(**dict.fromkeys(names, there.host)).startswith("authorization: Bearer token_")
    assert all(asked.headers["metadata-flavor"] == "Google" for asked in there.asked)
    assert any("/service-accounts/default/token" in asked.path for asked in there.asked)


def test_no_credentials_at_all_are_told_when_they_are_needed() -> None:
    said = elsewhere(NO_GCE_CHECK="true")
    assert said.startswith("TargetRefused") and "GOOGLE_APPLICATION_CREDENTIALS" in said


# --- one token for all -----------------------------------------------------------------------------------------------


class Clock:
    """The time of this machine, and as much later as a test says."""

    later_s = 0.0

    def __call__(self) -> int:
        return int((datetime.now(UTC).timestamp() + self.later_s) * 1_000_000)


def test_many_wait_for_one_token(there: Authority, tmp_path: Path) -> None:
    async def ask() -> list[bytes]:
        signer = GoogleSigner(service_account(tmp_path, there.url))
        return await asyncio.gather(*(told(signer) for _ in range(20)))

    assert asyncio.run(ask()) == [FIRST] * 20 and len(there.asked) == 1


def test_a_token_is_renewed_before_its_end_while_nobody_waits(there: Authority, tmp_path: Path) -> None:
    clock = Clock()

    async def ask() -> None:
        signer = GoogleSigner(service_account(tmp_path, there.url), now=clock)
        assert await told(signer) == FIRST
        clock.later_s = LIFE_S - EARLY_S - 10
        assert await told(signer) == FIRST and len(there.asked) == 1
        await asyncio.sleep(1.1)
        clock.later_s = LIFE_S - LAST_S + 5
        assert await told(signer) == SECOND

    asyncio.run(ask())


def test_the_loop_turns_while_a_token_is_fetched_and_nobody_waits_for_ever(there: Authority, tmp_path: Path) -> None:
    async def ask() -> int:
        signer = GoogleSigner(service_account(tmp_path, there.url), deadline_s=1.0)
        there.open.clear()
        waiting = asyncio.create_task(told(signer))
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            turns += 1
        with pytest.raises((TargetTimeout, TargetUnreachable)):
            await waiting
        return turns

    assert asyncio.run(ask()) > 20


def test_a_key_that_was_changed_counts_once_the_old_one_is_refused(there: Authority, tmp_path: Path) -> None:
    there.answer = always(400, b'{"error":"invalid_grant","error_description":"Invalid JWT Signature."}')

    async def ask() -> bytes:
        signer = GoogleSigner(service_account(tmp_path, there.url))
        with pytest.raises(TargetRefused, match="Invalid JWT Signature"):
            await told(signer)
        service_account(tmp_path, f"{there.url}/new")
        there.answer = token
        await asyncio.sleep(1.1)
        return await told(signer)

    assert asyncio.run(ask()) == SECOND
    assert [asked.path for asked in there.asked] == ["/token", "/new/token"]


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (always(400, b'{"error":"invalid_grant","error_description":"Invalid JWT"}'), TargetRefused),
        (always(503, b"{}"), TargetFailed),
        (always(200, b"<html>"), TargetUnclear),
        (always(200, b'{"access_token":"two\\r\\nlines","expires_in":3600}'), TargetUnclear),
        (always(200, b'{"error":"none","secret":"two"}'), TargetRefused),
    ],
)
def test_without_a_token_the_target_has_failed_and_no_secret_is_told(
    there: Authority, tmp_path: Path, answer: Answer, kind: type[TargetError]
) -> None:
    there.answer = answer
    error = failure(service_account(tmp_path, there.url))
    assert type(error) is kind and "account.json" in error.message
    assert "two" not in error.message and "\n" not in error.message


def test_a_place_that_is_away_is_unreachable(tmp_path: Path) -> None:
    assert isinstance(failure(service_account(tmp_path, refused_url())), TargetUnreachable)


def test_a_key_that_is_none_is_told_when_it_is_needed(there: Authority, tmp_path: Path) -> None:
    broken = "\n".join(PEM.splitlines()[:4] + PEM.splitlines()[-1:])
    assert isinstance(failure(service_account(tmp_path, there.url, private_key=broken)), TargetRefused)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "gdch_service_account"},
        {"type": "external_account"},
        {"type": "service_account", "client_email": "a@b", "private_key": "none", "token_uri": "https://x.example"},
        {"type": "authorized_user", "client_id": "c"},
        {},
    ],
)
def test_credentials_of_another_kind_are_refused_at_once_with_the_file(tmp_path: Path, fields: dict[str, str]) -> None:
    path = written(tmp_path / "c.json", **fields)
    with pytest.raises(ConfigInvalid) as caught:
        GoogleSigner(path)
    assert str(path) in caught.value.message and caught.value.hint
    with pytest.raises(ConfigInvalid):
        GoogleSigner(tmp_path / "missing.json")


@pytest.mark.parametrize("package", ["google.auth", "requests"])
def test_a_package_that_is_missing_is_told_with_what_brings_it(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExtraMissing) as caught:
        GoogleSigner()
    assert "pip install 'fairlead[vertex]'" in caught.value.hint
