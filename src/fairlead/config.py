"""The only module that reads settings and the environment: `fairlead.toml` -> a frozen Config.

Everything that can be wrong with a configuration is found here, with its file and path, before anything is started.
Secrets are references (`env:NAME`, `file:PATH`); their values are read once, at load, and masked in every repr. What a
backend, an engine or a strategy does with its settings is not known here.
"""

import difflib
import hashlib
import os
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from fairlead.errors import ConfigInvalid, SecretMissing

Zone = Literal["private", "contract", "public"]
ZONE_ORDER: tuple[Zone, ...] = ("private", "contract", "public")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}\Z")
MONEY = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*usd\s*\Z", re.IGNORECASE)
BUDGET = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*usd\s*/\s*(hour|day|week|month|total)\s*\Z", re.IGNORECASE)
REFERENCE = re.compile(r"(env|file):(.+)\Z", re.DOTALL)
LARGEST = 2**53  # every reader of JSON and every store can hold it, and sums of it
BUILT_IN = "built-in configuration"
T = TypeVar("T")


class Secret:
    """A value that must not be seen, and where it came from."""

    __slots__ = ("source", "value")

    def __init__(self, value: str, source: str) -> None:
        self.value = value
        self.source = source

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.value, self.source) == (other.value, other.source)

    def __hash__(self) -> int:
        return hash((self.value, self.source))


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Server(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes need a restart, but for `max_body_mb` and `metrics`."""

    listen: str = "127.0.0.1:4000"
    admin: str = "127.0.0.1:4001"  # "off": only the Unix socket
    workers: int = 1
    max_body_mb: float = 20.0
    drain_s: float = 30.0
    metrics: Literal["auto", "admin"] = "auto"  # auto: also on the data listener while that is on loopback


class StoreSettings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sync: Literal["none", "interval"] = "none"  # of the spool: interval survives power loss, but for the last second
    ship_every_s: float = 0.25


class BackendSettings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account at somewhere tokens come from. `kind` is the wire format."""

    kind: Literal["openai", "anthropic", "script"]
    zone: Zone
    base_url: str = ""
    key: Secret | None = None
    headers: Mapping[str, str] = {}
    secret_headers: Mapping[str, Secret] = {}
    provider: str = ""  # the catalog's name of it, for prices
    ca_file: str = ""
    quirks: Mapping[str, Any] = {}
    script: str = ""  # kind "script": path of a TOML file with its lines


class EngineSettings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model server that Fairlead starts and watches. `model`: shipped:NAME, a path, or hf:owner/repo/file."""

    kind: Literal["llamacpp"] = "llamacpp"
    model: str
    context: int = 0  # tokens per slot; 0: as the model was trained, but at most 8192
    slots: int = 4
    threads: int = 0  # 0: as many as there are cores; one for a very small model
    embeddings: bool = False
    port: int = 0  # 0: any free one


class PriceSettings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars per million tokens; `per_request` US dollars."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    per_request: float = 0.0


class TimeoutSettings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    connect_s: float | None = None
    first_token_s: float | None = None
    between_tokens_s: float | None = None
    total_s: float | None = None


class TargetSettings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of `backend` and `engine`."""

    model: str = ""
    backend: str = ""
    engine: str = ""
    zone: Zone | None = None  # where it differs from its backend's; never wider than that
    params: Mapping[str, Any] = {}
    price: PriceSettings | None = None
    timeouts: TimeoutSettings = TimeoutSettings()


class Limits(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None


class RouteSettings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    targets: tuple[str, ...]
    strategy: Literal["single", "fallback"] | None = None  # None: fallback where there are several targets
    zone: Zone = "public"
    max_output_tokens: int = 4096
    max_cost_per_call: str = ""  # "0.50usd"
    budget: str = ""  # "5usd/day"
    limits: Limits = Limits()
    heartbeat_s: float = 15.0
    total_s: float = 600.0


class BudgetSettings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget over everything (`[budgets.all]`) or over a team's keys (`[budgets.NAME]` with `team`)."""

    amount: str  # "100usd/month"
    team: str = ""
    timezone: str = "UTC"


class Config(Struct, frozen=True, kw_only=True):
    """One generation of the configuration, checked.

    `hash` is over what was written and what was said over it; secrets' values are left out.
    """

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
    text: str = ""  # as it was written; secrets are references in it
    overrides: Mapping[str, Any] = {}  # what was said at start over the file; a reload says it again


_NAMED: Mapping[str, type[_Section]] = {
    "backends": BackendSettings,
    "engines": EngineSettings,
    "targets": TargetSettings,
    "routes": RouteSettings,
    "budgets": BudgetSettings,
}
_SINGLE: Mapping[str, type[_Section]] = {"server": Server, "store": StoreSettings}
_PLAIN = ("data_dir", "timezone")


# --- loading ----------------------------------------------------------------------------------------------------------


def find_file(explicit: str | None = None) -> Path | None:
    """The configuration file that counts: `explicit`, $FAIRLEAD_CONFIG, ./fairlead.toml; None: the built-in one."""
    named = explicit or os.environ.get("FAIRLEAD_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            raise ConfigInvalid(f"{path}: no such file", hint="`fairlead init` writes one", file=str(path))
        return path
    here = Path("fairlead.toml")
    return here if here.is_file() else None


def load(path: Path | None = None, overrides: Mapping[str, Any] = {}, *, with_secrets: bool = True) -> Config:
    """Read, resolve and check a configuration file (None: the built-in one). Raises ConfigInvalid, SecretMissing.

    `overrides` are tables as in the file, such as `{"server": {"workers": 2}}`, that win over it. Without secrets,
    each is left empty: enough for everything but asking a backend.
    """
    if path is None:
        return parse(_built_in(), source="", base=Path.cwd(), overrides=overrides, with_secrets=with_secrets)
    source = path.resolve()
    return parse(_text_of(path), source=str(source), base=source.parent, overrides=overrides, with_secrets=with_secrets)


def find_data_dir(path: Path | None, override: str | None = None) -> Path:
    """Where a configuration keeps its data. Nothing else of it is read, so it may want secrets that are not here."""
    written = None
    if path is not None and not override:
        written = _tables(_text_of(path), str(path)).get("data_dir")
    base = path.resolve().parent if path else Path.cwd()
    return Path(_data_dir(override, written if isinstance(written, str) else None, base))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{path}: can't be read: {error}", file=str(path)) from error


def _tables(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"{where}: not TOML: {error}", hint="check the line named above", file=where) from error


def parse(
    text: str, *, source: str = "", base: Path, overrides: Mapping[str, Any] = {}, with_secrets: bool = True
) -> Config:
    """`base` is the folder that relative paths in the text are relative to; the rest as in `load`."""
    where = source or BUILT_IN
    tables = _tables(text, where)
    reader = _Reader(where, base, with_secrets)
    for name, value in overrides.items():
        under = tables.get(name, {})
        if not isinstance(value, Mapping):
            tables[name] = value
        elif isinstance(under, dict):  # what is no table is refused below
            tables[name] = under | dict(value)
    reader.refuse_unknown(tables, (*_SINGLE, *_NAMED, *_PLAIN), "")
    sections: dict[str, Any] = {
        name: reader.section(tables[name], kind, name) for name, kind in _SINGLE.items() if name in tables
    }
    for name, kind in _NAMED.items():
        sections[name] = reader.named(tables.get(name, {}), kind, name)
    for name in _PLAIN:
        if name in tables and not isinstance(tables[name], str):
            raise reader.wrong(name, f"expected text, got {type(tables[name]).__name__}")
    config = Config(
        data_dir=_data_dir(overrides.get("data_dir"), tables.get("data_dir"), base),
        timezone=tables.get("timezone", "UTC"),
        source=source,
        text=text,
        overrides=overrides,
        hash=hashlib.sha256(msgspec.json.encode(tables, order="deterministic")).hexdigest()[:16],
        **sections,
    )
    _Checks(config, reader).run()
    return config


def _data_dir(said: str | None, written: str | None, base: Path) -> str:
    override = said or os.environ.get("FAIRLEAD_DATA_DIR")
    if override:
        return str(Path(override).expanduser().resolve())
    if written:
        return str((base / Path(written).expanduser()).resolve())
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return str(Path(home) / "fairlead")


def _built_in() -> str:
    return resources.files("fairlead").joinpath("builtin.toml").read_text(encoding="utf-8")


def environment(name: str) -> str | None:
    """A variable of the environment; the rest of the product asks here."""
    return os.environ.get(name) or None


class _Reader:
    """Turns tables into sections; every error names the file and the path."""

    def __init__(self, where: str, base: Path, with_secrets: bool) -> None:
        self.where = where
        self.base = base
        self.with_secrets = with_secrets

    def wrong(self, path: str, what: str, hint: str = "") -> ConfigInvalid:
        return ConfigInvalid(f"{self.where}: {path}: {what}", hint=hint, file=self.where, path=path)

    def refuse_unknown(self, table: Mapping[str, Any], known: tuple[str, ...], path: str) -> None:
        for name in table:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(sorted(known))}"
                raise self.wrong(f"{path}.{name}" if path else name, "unknown key", hint)

    def named(self, table: Any, kind: type[T], path: str) -> dict[str, T]:
        if not isinstance(table, dict):
            raise self.wrong(path, f"expected a table, got {type(table).__name__}", f"write [{path}.NAME]")
        for name in table:
            if not NAME.match(name):
                raise self.wrong(f"{path}.{name}", "not a name", "letters, digits and . _ : / - only, at most 100")
        return {name: self.section(value, kind, f"{path}.{name}") for name, value in table.items()}

    def section(self, table: Any, kind: type[T], path: str) -> T:
        if not isinstance(table, dict):
            raise self.wrong(path, f"expected a table, got {type(table).__name__}")
        fields = {field.name: field.type for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
        self.refuse_unknown(table, tuple(fields), path)
        for name, value in table.items():  # nested tables first, so that their errors carry the whole path
            if isinstance(fields[name], type) and issubclass(fields[name], _Section) and isinstance(value, dict):
                self.section(value, fields[name], f"{path}.{name}")
        try:
            return msgspec.convert(table, kind, dec_hook=self._secret)
        except SecretMissing:
            raise
        except msgspec.ValidationError as error:
            cause = error.__cause__
            if isinstance(cause, SecretMissing):
                raise cause from None
            what, _, at = str(error).partition(" - at `$")
            allowed = re.findall(r"'(\w+)'", str(fields.get(at.strip(".`"))))  # of a Literal: msgspec does not tell
            raise self.wrong(
                path + at.rstrip("`"), what, ", ".join(allowed) and f"one of {', '.join(allowed)}"
            ) from error

    def _secret(self, kind: type, value: Any) -> Secret:
        if kind is not Secret:
            raise NotImplementedError(kind)
        found = REFERENCE.match(value) if isinstance(value, str) else None
        if not found:
            raise ValueError("a secret must be a reference: `env:NAME` or `file:PATH`, never the value itself")
        return self._resolve(found[1], found[2], value)

    def _resolve(self, kind: str, name: str, source: str) -> Secret:
        if not self.with_secrets:
            return Secret("", source)
        if kind == "env":
            value = os.environ.get(name, "")
            hint = f"export {name}=… before you start"
        else:
            path = self.base / Path(name).expanduser()
            hint = f"write the secret into {path}"
            try:
                value = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SecretMissing(f"{self.where}: {source} can't be read: {error}", hint=hint) from error
        if not value:
            raise SecretMissing(f"{self.where}: {source} is empty or not set", hint=hint, file=self.where)
        if not value.isprintable():
            raise SecretMissing(f"{self.where}: {source} holds control characters or line breaks", hint=hint)
        return Secret(value, source)


class _Checks:
    """What one section says of another."""

    def __init__(self, config: Config, reader: _Reader) -> None:
        self.config = config
        self.reader = reader

    def run(self) -> None:
        self._zones_of_time()
        self._server()
        for name, backend in self.config.backends.items():
            self._backend(f"backends.{name}", backend)
        for name, target in self.config.targets.items():
            self._target(f"targets.{name}", target)
        for name, route in self.config.routes.items():
            self._route(f"routes.{name}", route)
        for name, budget in self.config.budgets.items():
            self._budget(f"budgets.{name}", name, budget)

    def _zones_of_time(self) -> None:
        named = {"timezone": self.config.timezone}
        named |= {f"budgets.{name}.timezone": budget.timezone for name, budget in self.config.budgets.items()}
        for path, zone in named.items():
            try:
                zoneinfo.ZoneInfo(zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
                raise self.reader.wrong(path, f"unknown time zone {zone!r}", "such as UTC or Europe/Berlin") from error

    def _server(self) -> None:
        server = self.config.server
        for path, address in (("server.listen", server.listen), ("server.admin", server.admin)):
            if not (path == "server.admin" and address == "off"):
                try:
                    host_and_port(address)
                except ValueError as error:
                    raise self.reader.wrong(path, str(error), "HOST:PORT, such as 127.0.0.1:4000") from error
        self._bounded("server", server, 1, "workers", below=257)
        self._bounded("server", server, 0.001, "max_body_mb")
        self._bounded("server", server, 0, "drain_s")
        self._bounded("store", self.config.store, 0.01, "ship_every_s")

    def _backend(self, path: str, backend: BackendSettings) -> None:
        if backend.kind == "script":
            if not backend.script:
                raise self.reader.wrong(f"{path}.script", "a scripted backend needs the path of its script")
        elif backend.base_url and not re.match(r"https?://[^\s/]+", backend.base_url):
            raise self.reader.wrong(f"{path}.base_url", f"{backend.base_url!r} is no http(s) URL")
        elif backend.kind == "openai" and not backend.base_url:
            raise self.reader.wrong(f"{path}.base_url", "missing", "such as https://api.openai.com/v1")
        elif backend.base_url.rstrip("/").endswith(("/chat/completions", "/messages")):
            raise self.reader.wrong(f"{path}.base_url", "names an endpoint", "leave out what comes after /v1")

    def _target(self, path: str, target: TargetSettings) -> None:
        config = self.config
        if bool(target.backend) == bool(target.engine):
            raise self.reader.wrong(path, "names exactly one of `backend` and `engine`")
        self._exists(f"{path}.backend", target.backend, config.backends)
        self._exists(f"{path}.engine", target.engine, config.engines)
        if target.backend and not target.model:
            raise self.reader.wrong(f"{path}.model", "missing", "the model's name at that backend")
        home: Zone = config.backends[target.backend].zone if target.backend else "private"
        if target.zone and ZONE_ORDER.index(target.zone) < ZONE_ORDER.index(home):
            raise self.reader.wrong(
                f"{path}.zone", f"{target.zone} is narrower than its home's zone {home}", "set the backend's zone"
            )
        self._bounded(f"{path}.timeouts", target.timeouts, 0.001, *target.timeouts.__struct_fields__)
        if target.price:
            self._bounded(f"{path}.price", target.price, 0, *target.price.__struct_fields__, below=10**9)

    def _route(self, path: str, route: RouteSettings) -> None:
        if not route.targets:
            raise self.reader.wrong(f"{path}.targets", "empty", "name at least one target")
        for number, name in enumerate(route.targets):
            self._exists(f"{path}.targets[{number}]", name, self.config.targets)
        if len(set(route.targets)) != len(route.targets):
            raise self.reader.wrong(f"{path}.targets", "names a target twice")
        if route.strategy == "single" and len(route.targets) > 1:
            raise self.reader.wrong(f"{path}.strategy", "single takes one target", 'strategy = "fallback" takes many')
        self._bounded(path, route, 1, "max_output_tokens")
        self._bounded(path, route, 0.001, "heartbeat_s", "total_s")
        if route.budget and not BUDGET.match(route.budget):
            raise self.reader.wrong(f"{path}.budget", f"{route.budget!r} is no budget", 'such as "5usd/day"')
        if route.max_cost_per_call and not MONEY.match(route.max_cost_per_call):
            raise self.reader.wrong(f"{path}.max_cost_per_call", "is no money", 'such as "0.50usd"')
        self._bounded(f"{path}.limits", route.limits, 1, *route.limits.__struct_fields__)

    def _budget(self, path: str, name: str, budget: BudgetSettings) -> None:
        if not BUDGET.match(budget.amount):
            raise self.reader.wrong(f"{path}.amount", f"{budget.amount!r} is no budget", 'such as "100usd/month"')
        if name != "all" and not budget.team:
            raise self.reader.wrong(f"{path}.team", "missing", "only [budgets.all] is over everything")

    def _bounded(self, path: str, section: _Section, least: float, *fields: str, below: int = LARGEST) -> None:
        for field in fields:
            if (value := getattr(section, field)) is not None and not least <= value < below:  # `nan` is not, either
                raise self.reader.wrong(f"{path}.{field}", f"must be at least {least:g} and below {below}")

    def _exists(self, path: str, name: str, table: Mapping[str, Any]) -> None:
        if name and name not in table:
            near = difflib.get_close_matches(name, table, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(table)) or 'none'}"
            raise self.reader.wrong(path, f"there is no {name!r}", hint)


def host_and_port(address: str) -> tuple[str, int]:
    """`127.0.0.1:4000`, `[::1]:4000` -> host and port. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or not host:
        raise ValueError(f"{address!r} is no HOST:PORT")
    return host.strip("[]"), int(port)


# --- handing a generation from the steward to its workers -------------------------------------------------------------


def encode(config: Config) -> bytes:
    """With the secrets' values: only for a private socket between our own processes."""
    return msgspec.msgpack.encode(config, enc_hook=_open_secret)


def decode(data: bytes) -> Config:
    return msgspec.msgpack.decode(data, type=Config, dec_hook=lambda _kind, pair: Secret(*pair))


def masked(config: Config) -> dict[str, Any]:
    """The configuration in plain values, each secret as the reference that it was written as."""
    return msgspec.to_builtins(msgspec.structs.replace(config, text=""), enc_hook=lambda value: value.source)


def _open_secret(value: Any) -> tuple[str, str]:
    if isinstance(value, Secret):
        return (value.value, value.source)
    raise NotImplementedError(type(value))
