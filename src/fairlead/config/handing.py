"""One generation on its way: from the steward to its workers with its secrets, to people without them."""

import hashlib
from typing import Any

import msgspec

from fairlead.config.sections import Config, Secret, Section, StoreUrl


def encode(config: Config) -> bytes:
    """With the secrets' values, but for the store's: workers know no store. Only for a private socket between our own
    processes."""
    config = msgspec.structs.replace(config, store=msgspec.structs.replace(config.store, url=StoreUrl("", "")))
    return msgspec.msgpack.encode(config, enc_hook=_open_secret)


def decode(data: bytes) -> Config:
    return msgspec.msgpack.decode(data, type=Config, dec_hook=lambda kind, pair: kind(*pair))


def fingerprint(*sections: Section | None) -> str:
    """Tells settings apart that differ in anything, their secrets' values too. Nothing can be read from it."""
    said = msgspec.msgpack.encode(sections, enc_hook=_open_secret)
    return hashlib.sha256(said).hexdigest()[:16]


def masked(config: Config) -> dict[str, Any]:
    """The configuration in plain values, each secret as the reference that it was written as."""
    return msgspec.to_builtins(msgspec.structs.replace(config, text=""), enc_hook=lambda value: value.source)


def _open_secret(value: Any) -> tuple[str, str]:
    if isinstance(value, Secret):
        return (value.value, value.source)
    raise NotImplementedError(type(value))
