"""Requests to Amazon's services, signed (Signature Version 4).

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. Signed are the
method, the URL, the host, the time and the body; other headers may be added on the way.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from fairlead.ids import now_us

ALGORITHM = "AWS4-HMAC-SHA256"


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
        self._session_token = session_token
        self._region = region
        self._service = service
        self._now = now

    async def lines(self, method: str, url: str, body: bytes) -> bytes:
        moment = datetime.fromtimestamp(self._now() / 1_000_000, UTC)
        time, day = f"{moment:%Y%m%dT%H%M%SZ}", f"{moment:%Y%m%d}"
        parts = urlsplit(url)
        signed = {"host": parts.netloc, "x-amz-date": time}
        if self._session_token:
            signed["x-amz-security-token"] = self._session_token
        names = ";".join(signed)
        request = "\n".join(
            (
                method,
                quote(parts.path or "/", safe="/-_.~"),  # a second time: what was quoted is so quoted again
                _query(parts.query),
                *(f"{name}:{value}" for name, value in signed.items()),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            )
        )
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        text = f"{ALGORITHM}\n{time}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = _mac(self._key(day), text).hex()
        signed["authorization"] = (
            f"{ALGORITHM} Credential={self._access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        del signed["host"]  # the client writes it
        return "".join(f"{name}: {value}\r\n" for name, value in signed.items()).encode("latin-1")

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self._secret_key}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = _mac(key, part)
        return key


def _query(query: str) -> str:
    """Parameters in order of their names; they are quoted already."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return "&".join(sorted(f"{name}={value}" for name, _, value in pairs))


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
