"""Access tokens for Google Cloud: fetched with the credentials of a service account or of a user, kept for their life.

Source: RFC 7523 and https://developers.google.com/identity/protocols/oauth2/service-account. The file is read when the
signer is made; a token is fetched when the first request needs it, and again shortly before it ends.
"""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from fairlead import __version__
from fairlead.errors import ConfigInvalid, TargetFailed, TargetRefused, TargetUnclear
from fairlead.ids import now_us
from fairlead.signing.rsa import RsaKey, read_key, sign
from fairlead.wire.address import header_lines, place, request_head
from fairlead.wire.pool import Pool
from fairlead.wire.response import Deadlines

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LIFE_S = 3600
EARLY_S = 120  # so that no request starts with a token that ends on its way
MOST_BYTES = 64 * 1024
DEADLINES = Deadlines(connect_s=5.0, total_s=20.0)
HEADERS = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "application/json",
    "user-agent": f"fairlead/{__version__}",
}


class ServiceAccount(Struct, frozen=True, tag="service_account", tag_field="type"):
    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"

    def __repr__(self) -> str:
        return f"ServiceAccount({self.client_email})"


class User(Struct, frozen=True, tag="authorized_user", tag_field="type"):
    """As `gcloud auth application-default login` leaves it."""

    client_id: str
    client_secret: str
    refresh_token: str
    token_uri: str = "https://oauth2.googleapis.com/token"

    def __repr__(self) -> str:
        return f"User({self.client_id})"


Credentials = ServiceAccount | User


class _Granted(Struct, frozen=True):
    access_token: str
    expires_in: int = LIFE_S
    token_type: Literal["Bearer", "bearer"] = "Bearer"


class _Refused(Struct, frozen=True):
    error: str = ""
    error_description: str = ""


def read_credentials(path: Path) -> Credentials:
    """Raises ConfigInvalid where the file is missing or of another kind."""
    try:
        found: Credentials = msgspec.json.decode(path.read_bytes(), type=Credentials)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "that of a service account, or what `gcloud auth application-default login` writes"
        raise ConfigInvalid(f"{path} holds no credentials for Google: {error}", hint=hint, file=str(path)) from error
    if isinstance(found, ServiceAccount):
        try:
            read_key(found.private_key)
        except ValueError as error:
            raise ConfigInvalid(f"{path}: {error}", hint="download its key anew, as JSON", file=str(path)) from error
    return found


class GoogleSigner:
    """`now` gives microseconds since 1970. Raises ConfigInvalid where the credentials name no URL."""

    def __init__(self, pool: Pool, credentials: Credentials, *, now: Callable[[], int] = now_us) -> None:
        self._pool = pool
        self._credentials = credentials
        self._key = read_key(credentials.private_key) if isinstance(credentials, ServiceAccount) else None
        there = place(credentials.token_uri)
        self._origin = pool.origin(there)
        self._head = request_head("POST", there, "", HEADERS)
        self._now = now
        self._line = b""
        self._ends_us = 0
        self._lock = asyncio.Lock()

    async def lines(self, method: str, url: str, body: bytes) -> bytes:
        """Raises TargetError where no token can be had."""
        if self._now() >= self._ends_us:
            async with self._lock:  # of many that wait for a token, one fetches it
                if self._now() >= self._ends_us:
                    await self._fetch()
        return self._line

    async def _fetch(self) -> None:
        began_us = self._now()
        response = await self._pool.ask(self._origin, self._head, self._form(began_us // 1_000_000), DEADLINES)
        said = await response.excerpt(MOST_BYTES)
        try:
            if response.status != 200:
                refused = msgspec.json.decode(said, type=_Refused)
                why = refused.error_description or refused.error or f"status {response.status}"
                raise (TargetRefused if 400 <= response.status < 500 else TargetFailed)(
                    f"{self._origin.name} gives no access token: {why}",
                    hint="Check the credentials of the backend.",
                    status=response.status,
                )
            granted = msgspec.json.decode(said, type=_Granted)
            self._line = header_lines({"authorization": f"Bearer {granted.access_token}"})
        except (msgspec.DecodeError, UnicodeDecodeError, ConfigInvalid) as error:
            message = f"{self._origin.name} answered {response.status} with something else than an access token"
            raise TargetUnclear(message, status=response.status) from error
        self._ends_us = began_us + max(granted.expires_in - EARLY_S, 1) * 1_000_000

    def _form(self, now_s: int) -> bytes:
        given = self._credentials
        if isinstance(given, User):
            asked = {
                "grant_type": "refresh_token",
                "client_id": given.client_id,
                "client_secret": given.client_secret,
                "refresh_token": given.refresh_token,
            }
        else:
            assert self._key is not None
            asked = {
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": _assertion(given, self._key, now_s),
            }
        return urlencode(asked).encode("ascii")


def _assertion(given: ServiceAccount, key: RsaKey, now_s: int) -> str:
    header = {"alg": "RS256", "typ": "JWT"} | ({"kid": given.private_key_id} if given.private_key_id else {})
    claims = {
        "iss": given.client_email,
        "scope": SCOPE,
        "aud": given.token_uri,
        "iat": now_s,
        "exp": now_s + LIFE_S,
    }
    text = ".".join(_base64url(msgspec.json.encode(part)) for part in (header, claims))
    return f"{text}.{_base64url(sign(key, text.encode('ascii')))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
