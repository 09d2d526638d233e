"""From an account's settings to the backend that asks it. It knows every wire format there is and nothing of files."""

from collections.abc import Mapping
from typing import Any

from fairlead.backends.account import NONE, Signer
from fairlead.backends.formats import FORMATS
from fairlead.backends.http import Http
from fairlead.backends.lines import load
from fairlead.backends.script import Script
from fairlead.errors import ConfigInvalid
from fairlead.wire.pool import Pool


def build(
    name: str,
    *,
    kind: str,
    base_url: str = "",
    key: str | None = None,
    auth: str = "",
    paths: Mapping[str, str] = NONE,
    headers: Mapping[str, str] = NONE,
    quirks: Mapping[str, Any] = NONE,
    ca_file: str = "",
    proxy: str = "",
    signer: Signer | None = None,
    origin: str = "",
    script: str = "",
    pool: Pool,
) -> Http | Script:
    """Raises ConfigInvalid, its path beginning with `backends.NAME`, for whatever can't work; nothing is sent yet.

    `kind` is a wire format of `formats.py` or script; `script` the path of the lines that a scripted backend plays.
    """
    try:
        if kind == "script":
            return _scripted(script, base_url or key or headers or quirks or ca_file or proxy or signer)
        if script:
            raise ConfigInvalid("only a backend of kind script plays one", path="script")
        if kind not in FORMATS:
            hint = ", ".join((*FORMATS, "script"))
            raise ConfigInvalid(f"there is no wire format {kind!r}", hint=f"one of {hint}", path="kind")
        return Http(
            pool,
            kind=kind,
            base_url=base_url,
            key=key,
            auth=auth,
            paths=paths,
            headers=headers,
            quirks=quirks,
            ca_file=ca_file,
            proxy=proxy,
            signer=signer,
            origin=origin,
        )
    except ConfigInvalid as error:
        raise _placed(error, name) from error


def _scripted(script: str, other: object) -> Script:
    if not script:
        raise ConfigInvalid("the path of its script is missing", hint='Write script = "lines.toml".', path="script")
    if other:
        raise ConfigInvalid("a scripted backend has no server: only zone and script", path="script")
    return Script(load(script))


def _placed(error: ConfigInvalid, name: str) -> ConfigInvalid:
    """The same error, saying which backend it is about; an error in a script's file keeps the path in that file."""
    details = dict(error.details)
    if details.get("file"):
        details["backend"] = name
    else:
        details["path"] = f"backends.{name}.{details['path']}" if details.get("path") else f"backends.{name}"
    return ConfigInvalid(f"backends.{name}: {error.message}", hint=error.hint, code=error.code, **details)
