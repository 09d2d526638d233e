"""Google's credentials, of all the kinds there are, and the access tokens that they give.

google-auth knows them (`pip install 'fairlead[vertex]'`): files of service accounts and users, federated identities,
impersonation, metadata servers. Fetching blocks, and is done in a thread; no loop is known here.
"""

import importlib
import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from fairlead.errors import ConfigInvalid, TargetError, TargetFailed, TargetRefused, TargetUnclear, TargetUnreachable
from fairlead.ids import now_us
from fairlead.wire.address import header_lines

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LIFE_US = 3600 * 1_000_000  # of a token whose end nobody tells
PEM = re.compile(r"-----BEGIN (?:RSA )?PRIVATE KEY-----[A-Za-z0-9+/=\s]+-----END (?:RSA )?PRIVATE KEY-----")
MOST_LETTERS = 300  # of a reason
NO_FILE_HINT = "Write google = { credentials_file = … }, set GOOGLE_APPLICATION_CREDENTIALS, or log in with gcloud."
DEFAULT_HINT = "See what `gcloud auth application-default print-access-token` says on this machine, for the same user."
ODD = (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError)  # what google-auth lets through


class _ServiceAccount(Struct, frozen=True, tag="service_account", tag_field="type"):
    client_email: str
    private_key: str
    token_uri: str


class _User(Struct, frozen=True, tag="authorized_user", tag_field="type"):
    """As `gcloud auth application-default login` leaves it."""

    client_id: str
    client_secret: str
    refresh_token: str


class _Impersonated(Struct, frozen=True, tag="impersonated_service_account", tag_field="type"):
    service_account_impersonation_url: str
    source_credentials: Mapping[str, Any]


class _Source(Struct, frozen=True):
    executable: Mapping[str, Any] | None = None


class _External(Struct, frozen=True, tag="external_account", tag_field="type"):
    """An identity of somebody else's, which Google takes: of AWS, Azure, GitHub, Kubernetes, a company."""

    audience: str
    subject_token_type: str
    token_url: str
    credential_source: _Source


class _ExternalUser(Struct, frozen=True, tag="external_account_authorized_user", tag_field="type"):
    audience: str
    refresh_token: str
    token_url: str


_Kind = _ServiceAccount | _User | _Impersonated | _External | _ExternalUser
_OF_AWS = "urn:ietf:params:aws:token-type:aws4_request"


class Token(NamedTuple):
    lines: bytes
    ends_us: int


def check_credentials(path: Path) -> None:
    """As far as can be seen without google-auth. Raises ConfigInvalid where the file is missing or of another kind."""
    kind, _ = _read(path)
    if isinstance(kind, _ServiceAccount) and not PEM.search(kind.private_key):
        message = f"{path} holds no credentials for Google: its private key is not whole"
        raise ConfigInvalid(message, hint="download its key anew, as JSON", file=str(path))


def _read(path: Path) -> tuple[_Kind, dict[str, Any]]:
    try:
        data = path.read_bytes()
        return msgspec.json.decode(data, type=_Kind), msgspec.json.decode(data, type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "that of a service account or of a federated identity, or what `gcloud auth application-default` writes"
        raise ConfigInvalid(f"{path} holds no credentials for Google: {error}", hint=hint, file=str(path)) from error


def _maker(kind: _Kind) -> tuple[str, str]:
    """The module of google-auth whose credentials these are, and the function that makes them."""
    match kind:
        case _ServiceAccount():
            return "google.oauth2.service_account", "from_service_account_info"
        case _User():
            return "google.oauth2.credentials", "from_authorized_user_info"
        case _Impersonated():
            return "google.auth.impersonated_credentials", "from_impersonated_service_account_info"
        case _ExternalUser():
            return "google.auth.external_account_authorized_user", "from_info"
        case _External(subject_token_type=token) if token == _OF_AWS:
            return "google.auth.aws", "from_info"
        case _External(credential_source=source) if source.executable is not None:
            return "google.auth.pluggable", "from_info"
        case _:
            return "google.auth.identity_pool", "from_info"


class TokenSource:
    """Tokens of a file's credentials, else of those that Google's own tools find: Application Default Credentials.

    `fetch` raises TargetError. One thread at a time uses it; what could not be refreshed is looked for anew.
    """

    def __init__(self, file: Path | None, total_s: float) -> None:
        self._file = file
        self._total_s = total_s
        self._credentials: Any = None

    def fetch(self) -> Token:
        exceptions = importlib.import_module("google.auth.exceptions")
        request = _Request(self._total_s)
        loaded, self._credentials = self._credentials, None
        try:
            if loaded is None:
                loaded = _scoped(_made(self._file) if self._file else _default(request))
            loaded.refresh(request)
            token = _shown(loaded)
        except exceptions.GoogleAuthError as error:
            raise self._failure(error, exceptions) from error
        except (*ODD, ConfigInvalid) as error:
            name = type(error).__name__
            if loaded is None:
                raise TargetRefused(f"{self._what}: {name}: {_short(error)}", hint=self._hint) from error
            raise TargetUnclear(f"{self._what}: what came is none ({name})", hint=self._hint) from error
        self._credentials = loaded
        return token

    def _failure(self, error: Any, exceptions: Any) -> TargetError:
        message = f"{self._what}: {_short(error.args[0] if error.args else error)}"  # further ones hold what came
        if isinstance(error, exceptions.TransportError) or isinstance(error.__cause__, exceptions.TransportError):
            return TargetUnreachable(message, hint=self._hint)
        if error.retryable:
            return TargetFailed(message, hint=self._hint)
        if isinstance(error, exceptions.DefaultCredentialsError) and not self._file:
            return TargetRefused(message, hint=NO_FILE_HINT)
        return TargetRefused(message, hint=self._hint)

    @property
    def _what(self) -> str:
        return f"{self._file.name if self._file else 'Google'} gives no access token"

    @property
    def _hint(self) -> str:
        return "Check that the credentials in that file are still valid." if self._file else DEFAULT_HINT


def _short(words: object) -> str:
    return " ".join(str(words).split())[:MOST_LETTERS]


def _scoped(credentials: Any) -> Any:
    return importlib.import_module("google.auth.credentials").with_scopes_if_required(credentials, [SCOPE])


def _made(path: Path) -> Any:
    """Read when it is needed, so that a file that was changed counts."""
    kind, told = _read(path)
    module, function = _maker(kind)
    found = getattr(importlib.import_module(module).Credentials, function)(told)
    return found.with_quota_project_from_environment()


def _default(request: "_Request") -> Any:
    # It complains that it finds no project, which nobody here asks it for.
    logging.getLogger("google.auth._default").setLevel(logging.ERROR)
    # Without a scope, so that it does not ask for the project of a federated identity, either.
    credentials, _ = importlib.import_module("google.auth").default(request=request)
    return credentials


def _shown(credentials: Any) -> Token:
    """Raises ConfigInvalid where the token could break out of its line."""
    headers: dict[str, str] = {}
    credentials.apply(headers)  # with the project that is billed, where the credentials name one
    end = credentials.expiry
    ends_us = now_us() + LIFE_US
    if end is not None:
        ends_us = int((end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp() * 1_000_000)
    return Token(header_lines(headers), ends_us)


class _Request:
    """Google's own transport, but all that is asked for one token shares a deadline."""

    def __init__(self, total_s: float) -> None:
        self._request = importlib.import_module("google.auth.transport.requests").Request()
        self.session = self._request.session  # google-auth hangs the certificates of a metadata server there
        self._by_s = time.monotonic() + total_s

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **more: Any,
    ) -> Any:
        left_s = self._by_s - time.monotonic()
        if left_s <= 0:
            raise importlib.import_module("google.auth.exceptions").TransportError("it took too long")
        return self._request(url, method, body, headers, min(timeout or left_s, left_s), **more)
