"""What a backend's settings and the row of its provider say together: an account, complete but for being opened.

What the operator wrote wins over the row. A provider that is not named is known by its address, for its prices and its
quirks only. It knows no wire format beyond its name, opens no file and asks nobody. Errors carry the path in the
configuration; which file that is, the caller knows.
"""

import difflib
import re
from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from fairlead.catalog.prices import shipped_prices
from fairlead.catalog.providers import (
    MODEL,
    PLACEHOLDER,
    Provider,
    find_provider,
    placeholders,
    provider_at,
    shipped_providers,
)
from fairlead.config import AwsSettings, BackendSettings, Config, GoogleSettings, Kind, Zone
from fairlead.errors import ConfigInvalid
from fairlead.signing import region_of

CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
FILLING = re.compile(r"[A-Za-z0-9._~-]{1,253}\Z")  # nothing that could lead a URL elsewhere
SIGNED = ("aws", "google")
NONE: Mapping[str, Any] = MappingProxyType({})


class Aws(Struct, frozen=True, kw_only=True):
    """What requests are signed with. `region` "" is the one that the profile names."""

    given: AwsSettings
    region: str
    service: str


class Account(Struct, frozen=True, kw_only=True):
    """`auth`: how a key is shown, "" as the wire format has it; `tasks`: what is served, None where nobody says.

    `provider` is the name in the price list, or ""; `signs`: what its requests are signed with, where no key is shown.
    """

    kind: Kind
    zone: Zone
    base_url: str
    provider: str = ""
    auth: str = ""
    tasks: tuple[str, ...] | None = None
    paths: Mapping[str, str] = NONE
    quirks: Mapping[str, Any] = NONE
    origin: str = ""
    signs: Aws | GoogleSettings | None = None


def find_account(config: Config, name: str, rows: Mapping[str, Provider] | None = None) -> Account:
    """The account behind `[backends.NAME]`. Raises ConfigInvalid for what is missing or contradicts the row."""
    settings = config.backends[name]
    rows = shipped_providers() if rows is None else rows
    place = f"backends.{name}"
    if settings.provider:
        row = find_provider(rows, settings.provider)
        if row is None:
            _must_be_listed(place, settings.provider, rows)
        elif _speaks(place, settings, row):
            return _from_row(place, settings, _of_its_own(row, settings.kind, rows))
    return _as_written(place, settings, rows)


def _from_row(place: str, settings: BackendSettings, row: Provider) -> Account:
    _refuse_unknown_vars(place, settings, row)
    kind = settings.kind or row.kind
    is_main = kind == row.kind
    filled = {task: _fill(place, path, settings, row) for task, path in row.paths.items()} if is_main else {}
    base_url = settings.base_url or _fill(place, row.base_url, settings, row)
    return Account(
        kind=kind,
        zone=settings.zone or _zone(place, base_url, row),
        base_url=base_url,
        provider=row.price_list,
        auth=_auth(settings, row),
        tasks=row.tasks if is_main else None,
        paths=filled | dict(settings.paths),
        quirks={**(row.quirks if is_main else {}), **settings.quirks},
        origin=row.origin if is_main or kind == "openai" else row.id,
        signs=_credentials(place, settings, row),
    )


def _as_written(place: str, settings: BackendSettings, rows: Mapping[str, Provider]) -> Account:
    if settings.kind is None or settings.zone is None or not (settings.base_url or settings.kind == "script"):
        missing = next(name for name in ("kind", "zone", "base_url") if not getattr(settings, name))
        raise ConfigInvalid(
            f"{place}.{missing}: missing, as nothing is known of {settings.provider!r} but prices",
            hint="`fairlead catalog providers` shows who is known",
            path=f"{place}.{missing}",
        )
    for name in ("vars", *SIGNED):
        if getattr(settings, name):
            raise ConfigInvalid(
                f"{place}.{name}: has no effect without a provider that wants it",
                hint="`fairlead catalog providers` shows who does",
                path=f"{place}.{name}",
            )
    provider, quirks = settings.provider, {}
    if settings.base_url and not provider:
        provider, quirks = _known_at(settings.base_url, settings.kind, rows)
    elif row := find_provider(rows, provider):
        provider = row.price_list
    return Account(
        kind=settings.kind,
        zone=settings.zone,
        base_url=settings.base_url,
        provider=provider,
        paths=settings.paths,
        quirks={**quirks, **settings.quirks},
    )


def _known_at(base_url: str, kind: str, rows: Mapping[str, Provider]) -> tuple[str, Mapping[str, Any]]:
    """Whose prices hold at an address, and what is different there."""
    row = provider_at(rows, base_url, kind)
    provider = row.price_list if row else shipped_prices().provider_at(base_url) or ""
    row = row or rows.get(provider)
    return provider, row.quirks if row and row.kind == kind else {}


def _speaks(place: str, settings: BackendSettings, row: Provider) -> bool:
    """Is the row about what is asked in this format? At an address of the operator's own it need not be."""
    if settings.kind is None or settings.kind in row.kinds:
        return True
    if settings.base_url:
        return False
    raise ConfigInvalid(
        f"{place}.kind: {row.name} does not speak {settings.kind} at {row.base_url}, but {', '.join(row.kinds)}",
        hint="leave out `kind`, or write `base_url` where that is spoken",
        path=f"{place}.kind",
    )


def _of_its_own(row: Provider, kind: str | None, rows: Mapping[str, Provider]) -> Provider:
    """What else is spoken there may have a row of its own, which knows more."""
    if kind is None or kind == row.kind:
        return row
    return next((other for other in rows.values() if other.kind == kind and other.base_url == row.base_url), row)


def _must_be_listed(place: str, provider: str, rows: Mapping[str, Provider]) -> None:
    if shipped_prices().has(provider):
        return
    near = difflib.get_close_matches(provider, rows, n=1)
    raise ConfigInvalid(
        f"{place}.provider: nobody is known as {provider!r}",
        hint=f"did you mean {near[0]!r}?" if near else "`fairlead catalog providers` shows who is known",
        path=f"{place}.provider",
    )


# --- the URL ----------------------------------------------------------------------------------------------------------


def _fill(place: str, text: str, settings: BackendSettings, row: Provider) -> str:
    for name in placeholders(text):
        value = settings.vars.get(name, "")
        if not value:
            raise ConfigInvalid(
                f"{place}.vars.{name}: missing: {row.name} is asked at {row.base_url}",
                hint=f'write vars = {{ {name} = "…" }}, such as {row.vars[name]!r}',
                path=f"{place}.vars.{name}",
            )
        if not FILLING.match(value):
            raise ConfigInvalid(
                f"{place}.vars.{name}: {value!r} can't stand in {row.base_url}",
                hint=f"letters, digits and . _ ~ - only, such as {row.vars[name]!r}",
                path=f"{place}.vars.{name}",
            )
    return PLACEHOLDER.sub(lambda found: found[0] if found[1] == MODEL else settings.vars[found[1]], text)


def _refuse_unknown_vars(place: str, settings: BackendSettings, row: Provider) -> None:
    for name in settings.vars:
        if name not in row.vars:
            known = ", ".join(row.vars)
            raise ConfigInvalid(
                f"{place}.vars.{name}: {row.name} has no such placeholder",
                hint=f"it has: {known}" if known else "it has none",
                path=f"{place}.vars.{name}",
            )


def _zone(place: str, base_url: str, row: Provider) -> Zone:
    """The widest zone may be assumed; that words stay at home is only known of this machine."""
    if row.zone == "public" or _is_here(base_url):
        return row.zone
    raise ConfigInvalid(
        f"{place}.zone: missing: {base_url} is not on this machine",
        hint="where it lies: private, contract or public",
        path=f"{place}.zone",
    )


def _is_here(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


# --- credentials ------------------------------------------------------------------------------------------------------


def _auth(settings: BackendSettings, row: Provider) -> str:
    if row.auth in SIGNED:
        return "bearer" if settings.key else "none"
    return row.auth


def _credentials(place: str, settings: BackendSettings, row: Provider) -> Aws | GoogleSettings | None:
    """What requests are signed with, if they are: without a key, what Amazon's or Google's own tools find.

    Raises ConfigInvalid where a credential is missing or is another's.
    """
    for name in SIGNED:
        if getattr(settings, name) and (row.auth != name or settings.key):
            why = "a key is there already" if row.auth == name else f"{row.name} does not take it"
            raise ConfigInvalid(f"{place}.{name}: has no effect: {why}", hint="remove it", path=f"{place}.{name}")
    said = {header.lower() for header in (*settings.headers, *settings.secret_headers)}
    if settings.key or row.keyless or said & CREDENTIALS:
        return None
    if row.auth == "aws":
        given = settings.aws or AwsSettings()
        return Aws(given=given, region=_region(place, settings, row, given), service=row.service)
    if row.auth == "google":
        return settings.google or GoogleSettings()
    raise ConfigInvalid(f"{place}.key: missing: {row.name} asks for one", hint=_key_hint(row), path=f"{place}.key")


def _region(place: str, settings: BackendSettings, row: Provider, given: AwsSettings) -> str:
    """Written, else the one in the URL; where neither says it, a profile may."""
    if "region" not in settings.vars and settings.base_url:
        found = region_of(settings.base_url)
        if found or not given.access_key:
            return found
    return _fill(place, "{region}", settings, row)


def _key_hint(row: Provider) -> str:
    return f'write key = "env:{row.env}"' if row.env else 'write key = "file:PATH"'
