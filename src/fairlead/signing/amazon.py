"""Requests to Amazon's services, signed (Signature Version 4).

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. Signed are the
method, the URL, the host, the time and the body; other headers may be added on the way. It knows keys, and not where
they come from.

Every request is signed, so what does not change is kept: the key of a day, and what a URL looks like when it is signed
(there are as many URLs as there are targets).
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlsplit

from fairlead.ids import now_us

ALGORITHM = "AWS4-HMAC-SHA256"
MOST_URLS = 1024


class AwsSigner:
    """`session_token` is "" for credentials that last. `now` gives microseconds since 1970."""

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        session_token: str = "",
        *,
        region: str,
        service: str,
        now: Callable[[], int] = now_us,
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._region = region
        self._service = service
        self._now = now
        self._token = f"x-amz-security-token:{session_token}\n" if session_token else ""
        self._token_line = f"x-amz-security-token: {session_token}\r\n" if session_token else ""
        self._names = "host;x-amz-date;x-amz-security-token" if session_token else "host;x-amz-date"
        self._day = ""
        self._key = b""  # of that day
        self._urls: dict[str, tuple[str, str]] = {}

    async def lines(self, method: str, url: str, body: bytes) -> bytes:
        moment = datetime.fromtimestamp(self._now() // 1_000_000, UTC)
        time = moment.strftime("%Y%m%dT%H%M%SZ")
        day = time[:8]
        host, path = self._urls.get(url) or self._read(url)
        sent = sha256(body).hexdigest()
        request = f"{method}\n{path}\nhost:{host}\nx-amz-date:{time}\n{self._token}\n{self._names}\n{sent}"
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        text = f"{ALGORITHM}\n{time}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        if day != self._day:
            self._key, self._day = self._key_of(day), day
        signature = _mac(self._key, text).hex()
        return (
            f"x-amz-date: {time}\r\n{self._token_line}authorization: {ALGORITHM} "
            f"Credential={self._access_key}/{scope}, SignedHeaders={self._names}, Signature={signature}\r\n"
        ).encode("latin-1")

    def _read(self, url: str) -> tuple[str, str]:
        """The host, and the two lines of path and query, as they are signed."""
        parts = urlsplit(url)
        path = quote(parts.path or "/", safe="/-_.~")  # a second time: what was quoted is so quoted again
        found = parts.netloc, f"{path}\n{_query(parts.query)}"
        if len(self._urls) < MOST_URLS:
            self._urls[url] = found
        return found

    def _key_of(self, day: str) -> bytes:
        key = f"AWS4{self._secret_key}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = _mac(key, part)
        return key


def _query(query: str) -> str:
    """Parameters in order of their names; they are quoted already."""
    pairs = sorted(part.partition("=")[::2] for part in query.split("&") if part)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
