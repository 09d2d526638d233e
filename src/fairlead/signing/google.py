"""Requests to Google Cloud carry an access token: fetched when the first one needs it, and again before it ends.

Whose token that is and where it comes from is in `google_credentials.py`.
"""

from collections.abc import Callable
from pathlib import Path

from fairlead.ids import now_us
from fairlead.signing.extras import must_have
from fairlead.signing.google_credentials import Token, TokenSource, check_credentials
from fairlead.signing.renewing import DEADLINE_S, Renewed

EARLY_S = 225  # metadata servers give the same token again until four minutes before its end
LAST_S = 30  # so that no request starts with a token that ends on its way


class GoogleSigner:
    """Without a file the credentials are those that Google's own tools find.

    Raises ExtraMissing without google-auth, ConfigInvalid for a file that holds something else.
    """

    def __init__(
        self, file: Path | None = None, *, deadline_s: float = DEADLINE_S, now: Callable[[], int] = now_us
    ) -> None:
        needed = ("google.auth", "requests")
        must_have("vertex", *needed, what="finding Google's credentials", instead="show an access token as `key`")
        if file is not None:
            check_credentials(file)
        source = TokenSource(file, deadline_s)

        def ends_within(token: Token, seconds: float) -> bool:
            return token.ends_us - now() < seconds * 1_000_000

        self._token: Renewed[Token] = Renewed(
            source.fetch,
            ends_within,
            what="Google's access token",
            early_s=EARLY_S,
            last_s=LAST_S,
            deadline_s=deadline_s,
        )

    async def lines(self, method: str, url: str, body: bytes) -> bytes:
        """Raises TargetError where no token can be had."""
        return (await self._token.get()).lines
