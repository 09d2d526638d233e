"""Amazon's credentials from wherever AWS's own tools find them: environment, profiles, SSO, roles of machines.

botocore finds and renews them (`pip install 'fairlead[bedrock]'`), in a thread, since it reads files and asks the
network. The signature itself is `amazon.py`'s.
"""

import asyncio
import importlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from fairlead.errors import ExtraMissing, TargetRefused
from fairlead.ids import now_us
from fairlead.signing.amazon import AwsSigner

EARLY_S = 15 * 60  # one request renews them, while others still use the old ones
LAST_S = 10 * 60  # nobody uses the old ones any more
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}\Z")


class AwsChainSigner:
    """`region` "" stands for the one in the URL, else the one that the profile names. `profile` "" is the default one.

    Raises ExtraMissing at once without botocore; `lines` raises TargetRefused without credentials or a region.
    """

    def __init__(
        self, *, region: str = "", service: str = "bedrock", profile: str = "", now: Callable[[], int] = now_us
    ) -> None:
        try:
            self._session_of = importlib.import_module("botocore.session").Session
            self._trouble: type[Exception] = importlib.import_module("botocore.exceptions").BotoCoreError
        except ImportError as error:
            hint = "pip install 'fairlead[bedrock]', or give the account's keys"
            raise ExtraMissing("AWS's credentials are found by botocore, which is missing", hint=hint) from error
        self._region = region
        self._service = service
        self._profile = profile
        self._now = now
        self._finding = asyncio.Lock()
        self._session: Any = None
        self._found: Any = None  # botocore's credentials
        self._frozen: Any = None  # what they are at present
        self._signers: dict[str, AwsSigner] = {}  # by region

    async def lines(self, method: str, url: str, body: bytes) -> bytes:
        keys = self._frozen
        if keys is None or self._ends_within(LAST_S) or self._may_renew():
            keys = await self._find()
        region = self._region or region_of(url) or self._session.get_config_variable("region")
        if not region:
            raise TargetRefused("no region to sign a request for", hint="Set the region, or use a URL that names one.")
        signer = self._signers.get(region)
        if signer is None:
            signer = self._signers[region] = AwsSigner(
                keys.access_key, keys.secret_key, keys.token or "", region=region, service=self._service, now=self._now
            )
        return await signer.lines(method, url, body)

    def _may_renew(self) -> bool:
        return not self._finding.locked() and self._ends_within(EARLY_S)

    def _ends_within(self, seconds: int) -> bool:
        """Only credentials that can be renewed have an end."""
        needed = getattr(self._found, "refresh_needed", None)
        return needed is not None and needed(refresh_in=seconds)

    async def _find(self) -> Any:
        async with self._finding:
            if self._frozen is not None and not self._ends_within(EARLY_S):
                return self._frozen  # somebody else has, meanwhile
            try:
                frozen = await asyncio.to_thread(self._look)
            except self._trouble as error:
                raise TargetRefused(f"AWS's credentials can't be had: {error}", hint=_HINT) from error
            if frozen is None or not frozen.access_key or not frozen.secret_key:
                raise TargetRefused("there are no AWS credentials", hint=_HINT)
            if frozen != self._frozen:
                self._frozen = frozen
                self._signers.clear()
            return frozen

    def _look(self) -> Any:
        if self._found is None:
            self._session = self._session_of(profile=self._profile or None)
            self._found = self._session.get_credentials()
        return None if self._found is None else self._found.get_frozen_credentials()


_HINT = "See what `aws sts get-caller-identity` says on this machine, for the same user and profile."


def region_of(url: str) -> str:
    """The region in a host's name, "" where there is none: `bedrock-runtime.us-east-1.amazonaws.com`."""
    labels = (urlsplit(url).hostname or "").split(".")
    return next((label for label in labels if _REGION.match(label)), "")
