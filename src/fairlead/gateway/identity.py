"""A key becomes a caller. Keys are known here only by their SHA-256; where they are kept is not known here.

How long it takes tells nothing about the keys that there are: one is looked up by the first half of its digest, which
nobody can steer towards another's without trying 2^128 secrets, and the whole digest is compared in constant time.
"""

import hashlib
from collections.abc import Mapping
from hmac import compare_digest

from msgspec import Struct

from fairlead.errors import Unauthenticated
from fairlead.gateway.call import Caller
from fairlead.ids import now_us

HINT = "send `Authorization: Bearer <key>`; `fairlead key new` makes one"
ROTATED = "the key was rotated: use its new secret"
HALF = 32  # digits of a digest


def digest(secret: str) -> str:
    """What is kept of a key. It has 256 random bits, so a plain hash can't be reversed by guessing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Proof(Struct, frozen=True):
    """That a secret is a caller's: as long as these are the keys."""

    keys: object
    caller: Caller


class Identities:
    """All keys, by digest; replaced as a whole when one is made, rotated or revoked."""

    def __init__(self, callers: Mapping[str, Caller] | None = None) -> None:
        self._callers: dict[str, tuple[str, Caller]] = {}
        self.refused = 0  # unauthenticated requests are counted, not stored
        self.replace(callers or {})

    def replace(self, callers: Mapping[str, Caller]) -> None:
        self._callers = {whole[:HALF]: (whole, caller) for whole, caller in callers.items()}

    def authenticate(self, authorization: str | None) -> Caller:
        """`authorization` is the header's value (`Bearer <key>`) or the bare key. Raises Unauthenticated."""
        return self.prove(authorization).caller

    def holds(self, proof: Proof) -> bool:
        """Whether the same secret, shown again, is still good."""
        expires_us = proof.caller.expires_us
        return proof.keys is self._callers and (expires_us is None or expires_us > now_us())

    def prove(self, authorization: str | None) -> Proof:
        """The same as `authenticate`, for whoever may be shown the same words again. Raises Unauthenticated."""
        secret = (authorization or "").strip()
        if secret[:7].lower() in ("bearer", "bearer "):
            secret = secret[7:].strip()
        if not secret:
            raise self._refused("no key was sent", code="key_missing")
        whole = digest(secret)
        known, caller = self._callers.get(whole[:HALF], (whole, None))
        if caller is None or not compare_digest(known, whole):
            raise self._refused("this key is not known here", code="key_unknown")
        if caller.revoked:
            raise self._refused(f"key {caller.name!r} was revoked", code="key_revoked")
        if caller.expires_us is not None and caller.expires_us <= now_us():
            what = f"this secret of key {caller.name!r}" if caller.rotated else f"key {caller.name!r}"
            raise self._refused(f"{what} has expired", code="key_expired", hint=ROTATED if caller.rotated else HINT)
        return Proof(self._callers, caller)

    def _refused(self, message: str, *, code: str, hint: str = HINT) -> Unauthenticated:
        self.refused += 1
        return Unauthenticated(message, hint=hint, code=code)
