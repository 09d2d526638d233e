"""Who sells or serves tokens: rows of data (`data/providers.toml`), each with the page that says so and a day.

A row is what a backend needs to know of a provider beyond its key. It knows no backend and asks nobody; what its quirks
mean is the dialects' knowledge. What an operator writes wins over it.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec import Struct

from fairlead.config import Zone
from fairlead.errors import ConfigInvalid

SHIPPED = Path(__file__).parent / "data" / "providers.toml"
PLACEHOLDER = re.compile(r"\{(\w+)\}")
MODEL = "model"  # the placeholder that is filled for each target

Kind = Literal["openai", "anthropic", "gemini", "bedrock", "responses", "rerank"]
Auth = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "aws", "google"]
Task = Literal["chat", "complete", "embed", "rerank", "count"]


class Provider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row.

    | field | what it says |
    |---|---|
    | `called` | what else it is known as, which is taken for its id |
    | `kind` | the wire format at `base_url`; `also`: formats that are spoken there as well |
    | `tasks` | what is served in that format, each at the format's own path below `base_url` or at that in `paths` |
    | `auth` | how a key is shown; `aws`, `google`: requests are signed where no key is given |
    | `service` | `aws`: the name of the service that requests are signed for |
    | `keyless` | it asks for a key only where its operator has set one |
    | `env` | the customary environment variable of the key; "" where there is none |
    | `zone` | where its words are by default; a server of one's own is private as long as it is on this machine |
    | `vars` | an example for each placeholder in `base_url` and `paths` |
    | `prices` | its name in the price list, where that is not its id |
    | `origin` | who signs reasoning there, where that is not the maker of the language |
    | `quirks` | what differs from the language of `kind`, in the words of `dialects/quirks.py` |
    | `model` | an inexpensive model there, for a first try |
    | `source`, `date` | the page that says so, and the day of the row |
    | `checked` | what it was held against: that page, the provider's own package, or several clients' sources |
    """

    id: str = ""
    name: str
    called: tuple[str, ...] = ()
    kind: Kind
    base_url: str
    tasks: tuple[Task, ...]
    also: tuple[Kind, ...] = ()
    auth: Auth = "bearer"
    service: str = ""
    keyless: bool = False
    env: str = ""
    zone: Zone = "public"
    vars: Mapping[str, str] = {}
    paths: Mapping[str, str] = {}
    prices: str = ""
    origin: str = ""
    quirks: Mapping[str, Any] = {}
    model: str = ""
    source: str
    date: date
    checked: Literal["page", "sdk", "clients"] = "page"
    note: str = ""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return (self.kind, *self.also)

    @property
    def price_list(self) -> str:
        """Its name in the price list, if it is there."""
        return self.prices or self.id


@cache
def shipped_providers() -> Mapping[str, Provider]:
    """The rows that come with the program, by id."""
    return load_providers(SHIPPED)


def load_providers(path: Path) -> Mapping[str, Provider]:
    """Raises ConfigInvalid where the file is missing or a row is wrong."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = msgspec.convert(tables, dict[str, Provider])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigInvalid(f"{path} is no list of providers: {error}", file=str(path)) from error
    return MappingProxyType({id: msgspec.structs.replace(row, id=id) for id, row in rows.items()})


def find_provider(rows: Mapping[str, Provider], name: str) -> Provider | None:
    """By its id, or by what else it is called."""
    return rows.get(name) or next((row for row in rows.values() if name in row.called), None)


def placeholders(text: str) -> tuple[str, ...]:
    """The names between braces, but for that of the model."""
    return tuple(name for name in dict.fromkeys(PLACEHOLDER.findall(text)) if name != MODEL)


def provider_at(rows: Mapping[str, Provider], base_url: str, kind: str) -> Provider | None:
    """Whose address that is, for those who can be known by it: not a server that anybody may have started, nor one
    whose host is not said."""
    found = [row for row in rows.values() if _has_an_address(row) and _pattern(row.base_url).match(base_url)]
    for row in found:
        if row.kind == kind:
            return row
    return next((row for row in found if kind in row.also), None)


def _has_an_address(row: Provider) -> bool:
    return row.zone == "public" and not row.base_url.startswith(("http://", "https://{host}"))


@cache
def _pattern(base_url: str) -> re.Pattern[str]:
    parts = PLACEHOLDER.split(base_url)  # text, name, text, name, ... text
    return re.compile("[^/]+".join(re.escape(part) for part in parts[::2]) + r"(?:/|$)")
