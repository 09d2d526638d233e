"""`fairlead.toml` -> a frozen Config: where the file is, what is said over it, where its data lies."""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from fairlead.config.checks import check, check_store
from fairlead.config.sections import (
    BackendSettings,
    BudgetSettings,
    Config,
    EngineSettings,
    RouteSettings,
    Section,
    Server,
    StoreSettings,
    TargetSettings,
)
from fairlead.config.tables import Reader
from fairlead.errors import ConfigInvalid

BUILT_IN = "built-in configuration"

_NAMED: Mapping[str, type[Section]] = {
    "backends": BackendSettings,
    "engines": EngineSettings,
    "targets": TargetSettings,
    "routes": RouteSettings,
    "budgets": BudgetSettings,
}
_SINGLE: Mapping[str, type[Section]] = {"server": Server, "store": StoreSettings}
_PLAIN = ("data_dir", "timezone")


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


def find_store(path: Path | None) -> str:
    """Where a configuration keeps its store: a URL, "" for SQLite in the data directory. Nothing else of it is read.

    Raises ConfigInvalid, SecretMissing.
    """
    if path is None:
        return ""
    written = _tables(_text_of(path), str(path)).get("store")
    url = written.get("url", "") if isinstance(written, dict) else ""
    reader = Reader(str(path.resolve()), path.resolve().parent, with_secrets=True)
    settings = reader.section({"url": url}, StoreSettings, "store")
    check_store(settings, reader.wrong)
    return settings.url.value


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
    reader = Reader(where, base, with_secrets)
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
    check(config, reader.wrong)
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
