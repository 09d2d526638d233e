"""Amazon's credentials from wherever AWS's own tools find them: environment, profiles, SSO, roles of machines.

botocore finds and renews them (`pip install 'fairlead[bedrock]'`), in a thread, since it reads files and asks the
network. The signature itself is `amazon.py`'s.
"""

import importlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from fairlead.errors import TargetRefused
from fairlead.ids import now_us
from fairlead.signing.amazon import AwsSigner
from fairlead.signing.extras import must_have
from fairlead.signing.renewing import DEADLINE_S, Renewed

EARLY_S = 10 * 60  # from here on botocore renews them whenever it is asked, and says so where it can't
LAST_S = 60  # nobody uses the old ones any more
MOST_LETTERS = 300  # of a reason
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}\Z")


class _Found(NamedTuple):
    credentials: Any  # botocore's, which know their end
    keys: Any  # what they are at present
    region: str  # that the profile names, or ""


class AwsChainSigner:
    """`region` "" stands for the one in the URL, else the one that the profile names. `profile` "" is the default one.

    Raises ExtraMissing at once without botocore; `lines` raises TargetError without credentials or a region.
    """

    def __init__(
        self,
        *,
        region: str = "",
        service: str = "bedrock",
        profile: str = "",
        deadline_s: float = DEADLINE_S,
        now: Callable[[], int] = now_us,
    ) -> None:
        must_have("bedrock", "botocore", what="finding AWS's credentials", instead="give the account's keys in `aws`")
        self._region = region
        self._service = service
        self._now = now
        self._found: Renewed[_Found] = Renewed(
            _Chain(profile).look,
            _ends_within,
            what="AWS's credentials",
            early_s=EARLY_S,
            last_s=LAST_S,
            deadline_s=deadline_s,
        )
        self._keys: Any = None
        self._signers: dict[str, AwsSigner] = {}  # with those keys, by region

    async def lines(self, method: str, url: str, body: bytes) -> bytes:
        found = await self._found.get()
        region = self._region or region_of(url) or found.region
        if not region:
            raise TargetRefused("no region to sign a request for", hint='Write it into `vars = { region = "…" }`.')
        keys = found.keys
        if keys is not self._keys:
            self._keys = keys
            self._signers.clear()
        signer = self._signers.get(region)
        if signer is None:
            signer = self._signers[region] = AwsSigner(
                keys.access_key, keys.secret_key, keys.token or "", region=region, service=self._service, now=self._now
            )
        return await signer.lines(method, url, body)


class _Chain:
    """What blocks; one thread at a time uses it. What it found stays, what it did not is looked for anew."""

    def __init__(self, profile: str) -> None:
        self._profile = profile
        self._session: Any = None
        self._credentials: Any = None

    def look(self) -> _Found:
        """Raises TargetRefused."""
        exceptions = importlib.import_module("botocore.exceptions")
        told = (exceptions.BotoCoreError, exceptions.ClientError)
        odd = (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError)  # an answer that is none
        try:
            found = self._look()
        except (*told, *odd) as error:
            self._credentials = None
            why = " ".join(str(error).split())[:MOST_LETTERS]
            if isinstance(error, odd):
                why = f"{type(error).__name__}: {why}"
            raise TargetRefused(f"AWS's credentials can't be had: {why}", hint=self._hint) from error
        if found is None or not found.keys.access_key or not found.keys.secret_key:
            self._credentials = None
            raise TargetRefused("there are no AWS credentials", hint=self._hint)
        return found

    def _look(self) -> _Found | None:
        if self._credentials is None:
            session_of = importlib.import_module("botocore.session").Session
            self._session = session_of(profile=self._profile or None)
            self._credentials = self._session.get_credentials()
            if self._credentials is None:
                return None
        keys = self._credentials.get_frozen_credentials()
        return _Found(self._credentials, keys, self._session.get_config_variable("region") or "")

    @property
    def _hint(self) -> str:
        profile = f" --profile {self._profile}" if self._profile else ""
        return f"See what `aws sts get-caller-identity{profile}` says on this machine, for the same user."


def _ends_within(found: _Found, seconds: float) -> bool:
    """Only credentials that can be renewed have an end."""
    needed = getattr(found.credentials, "refresh_needed", None)
    return needed is not None and needed(refresh_in=seconds)


def region_of(url: str) -> str:
    """The region in a host's name, "" where there is none: `bedrock-runtime.us-east-1.amazonaws.com`."""
    labels = (urlsplit(url).hostname or "").split(".")
    return next((label for label in labels if _REGION.match(label)), "")
