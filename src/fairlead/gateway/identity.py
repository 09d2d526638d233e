"""A key becomes a caller. Keys are known here only by their SHA-256; where they are kept is not known here."""

import hashlib
from collections.abc import Mapping

from fairlead.errors import Unauthenticated
from fairlead.gateway.call import Caller
from fairlead.ids import now_us

HINT = "send `Authorization: Bearer <key>`; `fairlead key new` makes one"


def digest(secret: str) -> str:
    """What is kept of a key. It has 256 random bits, so a plain hash can't be reversed by guessing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Identities:
    """All keys, by digest; replaced as a whole when one is made or revoked."""

    def __init__(self, callers: Mapping[str, Caller] | None = None) -> None:
        self._callers: Mapping[str, Caller] = callers or {}
        self.refused = 0  # unauthenticated requests are counted, not stored

    def replace(self, callers: Mapping[str, Caller]) -> None:
        self._callers = callers

    def authenticate(self, authorization: str | None) -> Caller:
        """`authorization` is the header's value (`Bearer <key>`) or the bare key. Raises Unauthenticated."""
        secret = (authorization or "").strip()
        if secret[:7].lower() in ("bearer", "bearer "):
            secret = secret[7:].strip()
        if not secret:
            self.refused += 1
            raise Unauthenticated("no key was sent", hint=HINT, code="key_missing")
        caller = self._callers.get(digest(secret))  # a lookup by hash leaks nothing about the key in its timing
        if caller is None:
            self.refused += 1
            raise Unauthenticated("this key is not known here", hint=HINT, code="key_unknown")
        if caller.revoked:
            self.refused += 1
            raise Unauthenticated(f"key {caller.name!r} was revoked", hint=HINT, code="key_revoked")
        if caller.expires_us is not None and caller.expires_us <= now_us():
            self.refused += 1
            raise Unauthenticated(f"key {caller.name!r} has expired", hint=HINT, code="key_expired")
        return caller
