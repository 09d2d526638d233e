"""What web pages of other origins may do: nothing, but for the origins that are listed.

A browser asks first (preflight) and is told here; that keeps no key from working elsewhere. It knows no endpoints.
"""

import re

from fairlead.wire.incoming import Lines

_TOKENS = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{0,2000}\Z")
ANY = b"vary: origin"
REMEMBERED_S = 600
EXPOSED = b"access-control-expose-headers: *"  # without cookies that means all


class Cors:
    """`origins` as browsers say them, such as `https://app.example.com`."""

    def __init__(self, origins: tuple[str, ...] = ()) -> None:
        self._origins = frozenset(origin.encode("ascii") for origin in origins)

    def lines(self, headers: dict[bytes, bytes]) -> tuple[bytes, ...]:
        """What stands in every response to a request with these headers."""
        origin = headers.get(b"origin", b"")
        if origin not in self._origins:
            return (ANY,)
        return (ANY, b"access-control-allow-origin: " + origin, EXPOSED)

    def preflight(self, headers: dict[bytes, bytes], methods: list[str]) -> Lines | None:
        """What is said to a browser that asks whether it may; None where nobody does."""
        if b"access-control-request-method" not in headers or headers.get(b"origin") not in self._origins:
            return None
        wanted = headers.get(b"access-control-request-headers", b"")
        return [
            b"access-control-allow-methods: " + ", ".join(methods).encode("ascii"),
            b"access-control-allow-headers: " + (wanted if _TOKENS.match(wanted) else b"authorization, content-type"),
            b"access-control-max-age: %d" % REMEMBERED_S,
        ]
