"""Tokens are fetched with what the credentials say, once for their life; no secret is told when that goes wrong."""

import asyncio
import base64
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fairlead.errors import ConfigInvalid, TargetError, TargetFailed, TargetRefused, TargetUnclear
from fairlead.signing import GoogleSigner, read_credentials
from fairlead.wire.pool import Pool
from upstream import Step, Upstream, reply

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
GRANTED = reply(b'{"access_token":"ya29.first","expires_in":3600,"token_type":"Bearer"}')
AGAIN = reply(b'{"access_token":"ya29.second","expires_in":3600,"token_type":"Bearer"}')
NOW_S = 1_790_000_000


def written(tmp_path: Path, **fields: str) -> Path:
    path = tmp_path / "credentials.json"
    path.write_bytes(msgspec.json.encode(fields))
    return path


def service_account(tmp_path: Path, url: str) -> Path:
    return written(
        tmp_path,
        type="service_account",
        project_id="p",
        client_email="gateway@p.iam.gserviceaccount.com",
        private_key=PEM,
        private_key_id="k1",
        token_uri=f"{url}/token",
    )


class Clock:
    def __init__(self) -> None:
        self.s = NOW_S

    def __call__(self) -> int:
        return self.s * 1_000_000


async def told(signer: GoogleSigner) -> bytes:
    return await signer.lines("POST", "https://aiplatform.googleapis.com/v1/x", b"{}")


def decoded(part: str) -> dict[str, object]:
    return msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_service_account_asks_with_a_claim_that_it_has_signed(tmp_path: Path) -> None:
    async def asking() -> None:
        pool = Pool()
        async with Upstream(GRANTED) as up:
            signer = GoogleSigner(pool, read_credentials(service_account(tmp_path, up.url)), now=Clock())
            assert await told(signer) == b"authorization: Bearer ya29.first\r\n"
            (asked,) = up.requests
            form = {name: value for name, (value,) in parse_qs(asked.body.decode()).items()}
            assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            text, _, signature = form["assertion"].rpartition(".")
            header, _, claims = text.partition(".")
            assert decoded(header) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
            assert decoded(claims) == {
                "iss": "gateway@p.iam.gserviceaccount.com",
                "scope": "https://www.googleapis.com/auth/cloud-platform",
                "aud": f"{up.url}/token",
                "iat": NOW_S,
                "exp": NOW_S + 3600,
            }
            raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
            KEY.public_key().verify(raw, text.encode(), padding.PKCS1v15(), SHA256())
        await pool.close()

    asyncio.run(asking())


def test_a_user_asks_with_what_gcloud_left(tmp_path: Path) -> None:
    async def asking() -> None:
        pool = Pool()
        async with Upstream(GRANTED) as up:
            fields = {"client_id": "c", "client_secret": "s", "refresh_token": "r/1", "token_uri": up.url}
            signer = GoogleSigner(pool, read_credentials(written(tmp_path, type="authorized_user", **fields)))
            assert await told(signer) == b"authorization: Bearer ya29.first\r\n"
            asked = parse_qs(up.requests[0].body.decode())
            assert asked["grant_type"] == ["refresh_token"] and asked["refresh_token"] == ["r/1"]
        await pool.close()

    asyncio.run(asking())


def test_a_token_is_fetched_once_for_all_who_wait_and_again_before_it_ends(tmp_path: Path) -> None:
    async def asking() -> None:
        pool, clock = Pool(), Clock()
        async with Upstream(GRANTED, AGAIN) as up:
            signer = GoogleSigner(pool, read_credentials(service_account(tmp_path, up.url)), now=clock)
            assert {*await asyncio.gather(*(told(signer) for _ in range(5)))} == {
                b"authorization: Bearer ya29.first\r\n"
            }
            clock.s += 3400
            assert b"first" in await told(signer) and len(up.requests) == 1
            clock.s += 100
            assert b"second" in await told(signer) and len(up.requests) == 2
        await pool.close()

    asyncio.run(asking())


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (reply(b'{"error":"invalid_grant","error_description":"Invalid JWT"}', status=400), TargetRefused),
        (reply(b'{"error":"internal_failure"}', status=500), TargetFailed),
        (reply(b"<html>", status=200), TargetUnclear),
        (reply(b'{"access_token":"two\\r\\nlines"}', status=200), TargetUnclear),
    ],
)
def test_without_a_token_the_target_has_failed_and_no_secret_is_told(
    tmp_path: Path, step: Step, kind: type[TargetError]
) -> None:
    async def asking() -> None:
        pool = Pool()
        async with Upstream(step) as up:
            signer = GoogleSigner(pool, read_credentials(service_account(tmp_path, up.url)))
            with pytest.raises(kind) as caught:
                await told(signer)
            assert "PRIVATE" not in caught.value.message and "two" not in caught.value.message
        await pool.close()

    asyncio.run(asking())


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "external_account"},
        {"type": "service_account", "client_email": "a@b", "private_key": "none"},
        {"type": "authorized_user", "client_id": "c"},
    ],
)
def test_credentials_of_another_kind_are_refused_with_the_file(tmp_path: Path, fields: dict[str, str]) -> None:
    path = written(tmp_path, **fields)
    with pytest.raises(ConfigInvalid) as caught:
        read_credentials(path)
    assert str(path) in caught.value.message and caught.value.hint
    with pytest.raises(ConfigInvalid):
        read_credentials(tmp_path / "missing.json")


def test_credentials_are_not_seen(tmp_path: Path) -> None:
    assert "PRIVATE" not in repr(read_credentials(service_account(tmp_path, "https://oauth2.example.com")))
