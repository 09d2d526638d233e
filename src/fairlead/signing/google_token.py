"""Google's credentials from wherever Google's own tools find them: a file of any kind, gcloud, the machine's account.

google-auth finds them and fetches the tokens (`pip install 'fairlead[vertex]'`), in a thread, since it reads files and
asks the network. It knows no provider's API.
"""

import asyncio
import importlib
import math
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec

from fairlead.errors import ConfigInvalid, ExtraMissing, TargetError, TargetFailed, TargetRefused, TargetUnreachable
from fairlead.ids import now_us
from fairlead.wire.address import header_lines

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
EARLY_S = 5 * 60  # a token is renewed behind the backs of those who still use it
LAST_S = 30  # nobody uses it any more: what is asked with it may take a moment to arrive
WAIT_S = 30.0  # for a token
AGAIN_S = 15  # between two tries to renew a token that still holds

# Kinds of files: where google-auth reads them, and by which name. None of it asks anybody.
_KINDS = {
    "service_account": ("google.oauth2.service_account", "from_service_account_info"),
    "authorized_user": ("google.oauth2.credentials", "from_authorized_user_info"),
    "external_account": ("google.auth.identity_pool", "from_info"),
    "impersonated_service_account": (
        "google.auth.impersonated_credentials",
        "from_impersonated_service_account_info",
    ),
    "external_account_authorized_user": ("google.auth.external_account_authorized_user", "from_info"),
}
_OF_AWS = "urn:ietf:params:aws:token-type:aws4_request"
_HINT = "See what `gcloud auth application-default print-access-token` says on this machine, for the same user."
_OBJECT = msgspec.json.Decoder(dict[str, Any])


class GoogleToken:
    """`file`: the JSON of a service account, a user, a workload identity; "" for what this machine offers
    (GOOGLE_APPLICATION_CREDENTIALS, gcloud, the metadata server). `now` gives microseconds since 1970.

    Raises ExtraMissing at once without google-auth, and ConfigInvalid where the file is no good.
    """

    def __init__(self, file: str = "", *, now: Callable[[], int] = now_us) -> None:
        try:
            self._auth = importlib.import_module("google.auth")
            self._exceptions = importlib.import_module("google.auth.exceptions")
            self._request = importlib.import_module("google.auth.transport.requests").Request()
        except ImportError as error:
            hint = "pip install 'fairlead[vertex]', or give the key of a service account as `credentials_file`"
            raise ExtraMissing("Google's credentials are found by google-auth, which is missing", hint=hint) from error
        self._now = now
        self._credentials: Any = _read(file) if file else None  # None: looked for when first needed
        self._line = b""
        self._ends_us: float = -math.inf
        self._again_us: float = -math.inf
        self._renewal: asyncio.Task[None] | None = None

    async def lines(self, method: str, url: str, body: bytes) -> bytes:
        """Raises TargetError where no token can be had."""
        left_us = self._ends_us - self._now()
        if left_us < EARLY_S * 1_000_000:
            if left_us < LAST_S * 1_000_000:
                await self._wait()
            elif self._now() >= self._again_us:
                self._renew()
        return self._line

    async def _wait(self) -> None:
        """Many may wait, and one of them may give up: the renewal goes on for the others."""
        renewal = self._renew()
        done, _ = await asyncio.wait({renewal}, timeout=WAIT_S)
        if not done:
            raise TargetUnreachable(f"Google gave no access token within {WAIT_S:g} s")
        renewal.result()

    def _renew(self) -> "asyncio.Task[None]":
        """The renewal that is under way, or a new one."""
        if self._renewal is None or self._renewal.done():
            self._again_us = self._now() + AGAIN_S * 1_000_000
            self._renewal = asyncio.create_task(self._fetch())
            self._renewal.add_done_callback(_look_at)
        return self._renewal

    async def _fetch(self) -> None:
        try:
            credentials = await asyncio.to_thread(self._refreshed)
            headers = {"authorization": f"Bearer {credentials.token}"}
            if project := getattr(credentials, "quota_project_id", None):
                headers["x-goog-user-project"] = project
            self._line = header_lines(headers)
        except (self._exceptions.GoogleAuthError, ConfigInvalid, OSError, ValueError) as error:
            raise self._failure(error) from error
        expiry = credentials.expiry  # UTC, without saying so
        self._ends_us = math.inf if expiry is None else expiry.replace(tzinfo=UTC).timestamp() * 1_000_000

    def _refreshed(self) -> Any:
        if self._credentials is None:
            self._credentials, _ = self._auth.default(scopes=[SCOPE], request=self._request)
        self._credentials.refresh(self._request)
        return self._credentials

    def _failure(self, error: Exception) -> TargetError:
        kind: type[TargetError] = TargetRefused
        if isinstance(error, self._exceptions.TransportError | OSError):
            kind = TargetUnreachable
        elif getattr(error, "retryable", False):
            kind = TargetFailed
        why = error.args[0] if error.args else type(error).__name__
        return kind(f"Google gives no access token: {str(why)[:500]}", hint=_HINT)


def _look_at(renewal: "asyncio.Task[None]") -> None:
    """A renewal that nobody waits for may fail: the next one tells."""
    if not renewal.cancelled():
        renewal.exception()


def _read(file: str) -> Any:
    """google-auth's credentials. Raises ConfigInvalid."""
    try:
        info = _OBJECT.decode(Path(file).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _wrong(file, str(error)) from error
    kind = info.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise _wrong(file, f"its type is {kind!r}")
    module, load = _KINDS[kind]
    if kind == "external_account":
        module = _module_of(info)
    try:
        return getattr(importlib.import_module(module).Credentials, load)(info, scopes=[SCOPE])
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # what google-auth raises for what it can't use
        raise _wrong(file, f"its {kind} can't be read") from error


def _module_of(info: dict[str, Any]) -> str:
    """Where another cloud's identity comes from: AWS, a program, or a file or URL."""
    if info.get("subject_token_type") == _OF_AWS:
        return "google.auth.aws"
    source = info.get("credential_source")
    has_program = isinstance(source, dict) and "executable" in source
    return "google.auth.pluggable" if has_program else "google.auth.identity_pool"


def _wrong(file: str, why: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"{file} holds no credentials for Google: {why}.",
        hint="Use the JSON key of a service account, or what `gcloud auth application-default login` writes.",
        file=file,
    )
