"""The only module that reads settings and the environment: `fairlead.toml` -> a frozen Config.

Everything that can be wrong with a configuration is found here, with its file and path, before anything is started.
Secrets are references (`env:NAME`, `file:PATH`); their values are read once, at load, and masked in every repr. What a
backend, an engine or a strategy does with its settings is not known here.
"""

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from fairlead.errors import ConfigInvalid, SecretMissing

Zone = Literal["private", "contract", "public"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z")
MONEY = re.compile(r"\s*(\d+(?:\.\d{1,9})?)\s*usd\s*\Z", re.IGNORECASE)
BUDGET = re.compile(r"\s*(\d+(?:\.\d{1,9})?)\s*usd\s*/\s*(hour|day|week|month|total)\s*\Z", re.IGNORECASE)
T = TypeVar("T")


class Secret(Struct, frozen=True):
    """A value that must not be seen, and where it came from."""

    value: str
    source: str

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    __str__ = __repr__


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Server(_Section):
    """Changes need a restart, but for `max_body_mb`, `drain_s` and `metrics`."""

    listen: str = "127.0.0.1:4000"
    admin: str = "127.0.0.1:4001"  # "off": only the Unix socket
    workers: int = 1
    max_body_mb: float = 20.0
    drain_s: float = 30.0
    metrics: Literal["auto", "admin"] = "auto"  # auto: also on the data listener while that is on loopback


class StoreSettings(_Section):
    sync: Literal["none", "interval"] = "none"  # of the spool: interval survives power loss, but for the last second
    ship_every_s: float = 0.25


class BackendSettings(_Section):
    """An account at somewhere tokens come from. `kind` is the wire format."""

    kind: Literal["openai", "anthropic", "script"]
    zone: Zone
    base_url: str = ""
    key: Secret | None = None
    headers: Mapping[str, str] = {}
    provider: str = ""  # the catalog's name of it, for prices
    ca_file: str = ""
    quirks: Mapping[str, Any] = {}
    script: str = ""  # kind "script": path of a TOML file with its lines


class EngineSettings(_Section):
    """A model server that Fairlead starts and watches. `model`: shipped:NAME, a path, or hf:owner/repo/file."""

    kind: Literal["llamacpp"] = "llamacpp"
    model: str
    context: int = 0  # tokens per slot; 0: as the model was trained
    slots: int = 4
    threads: int = 0  # 0: as many as there are cores
    embeddings: bool = False
    port: int = 0  # 0: any free one


class PriceSettings(_Section):
    """US dollars per million tokens; `per_request` US dollars."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    per_request: float = 0.0


class TimeoutSettings(_Section):
    connect_s: float | None = None
    first_token_s: float | None = None
    between_tokens_s: float | None = None
    total_s: float | None = None


class TargetSettings(_Section):
    """Exactly one of `backend` and `engine`."""

    model: str = ""
    backend: str = ""
    engine: str = ""
    zone: Zone | None = None  # where it differs from its backend's; never wider than that
    params: Mapping[str, Any] = {}
    price: PriceSettings | None = None
    timeouts: TimeoutSettings = TimeoutSettings()


class Limits(_Section):
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None


class RouteSettings(_Section):
    targets: tuple[str, ...]
    strategy: Literal["single", "fallback"] | None = None  # None: fallback where there are several targets
    zone: Zone = "public"
    max_output_tokens: int = 4096
    max_cost_per_call: str = ""  # "0.50usd"
    budget: str = ""  # "5usd/day"
    limits: Limits = Limits()
    heartbeat_s: float = 15.0
    total_s: float = 600.0


class BudgetSettings(_Section):
    """A budget over everything (`[budgets.all]`) or over a team's keys (`[budgets.NAME]` with `team`)."""

    amount: str  # "100usd/month"
    team: str = ""
    timezone: str = "UTC"


class Config(Struct, frozen=True, kw_only=True):
    """One generation of the configuration, checked. `hash` is over what was written, secrets' values left out."""

    data_dir: str
    server: Server = Server()
    store: StoreSettings = StoreSettings()
    backends: Mapping[str, BackendSettings] = {}
    engines: Mapping[str, EngineSettings] = {}
    targets: Mapping[str, TargetSettings] = {}
    routes: Mapping[str, RouteSettings] = {}
    budgets: Mapping[str, BudgetSettings] = {}
    timezone: str = "UTC"
    source: str = ""  # the file, or "" for the built-in configuration
    hash: str = ""
