"""Tables as TOML has them -> sections, with secrets resolved; every error names the file and the path.

What one section says of another is not known here.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from fairlead.config.sections import NAME, ProxyUrl, Secret, Section, StoreUrl
from fairlead.errors import ConfigInvalid, SecretMissing

SQLITE = "sqlite:///"
REFERENCE = re.compile(r"(env|file):(.+)\Z", re.DOTALL)
T = TypeVar("T")


def environment(name: str) -> str | None:
    """A variable of the environment; the rest of the product asks here."""
    return os.environ.get(name) or None


class Reader:
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
            if (inner := _section_in(fields[name])) and isinstance(value, dict):
                self.section(value, inner, f"{path}.{name}")
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
        if kind is StoreUrl and isinstance(value, str) and (not value or value.startswith(SQLITE)):
            path = value.removeprefix(SQLITE)
            return StoreUrl(f"{SQLITE}{self.base / Path(path).expanduser()}" if path else "", value)
        if kind not in (Secret, StoreUrl, ProxyUrl):
            raise NotImplementedError(kind)
        found = REFERENCE.match(value) if isinstance(value, str) else None
        if kind is ProxyUrl and isinstance(value, str) and not found and "@" not in value:
            return ProxyUrl(value, value)
        if not found:
            raise ValueError("a secret must be a reference: `env:NAME` or `file:PATH`, never the value itself")
        secret = self._resolve(found[1], found[2], value)
        return kind(secret.value, secret.source)

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


def _section_in(kind: Any) -> type[Section] | None:
    """The section that a field holds, also where it may be left out."""
    for one in (kind, *get_args(kind)):
        if isinstance(one, type) and issubclass(one, Section):
            return one
    return None
