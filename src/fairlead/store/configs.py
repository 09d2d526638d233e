"""Which configuration was in force, and since when. What a configuration means is not known here."""

from msgspec import Struct, structs
from sqlalchemy import Connection, select

from fairlead.ids import new_id, now_us
from fairlead.store import schema
from fairlead.store.audit import note


class ConfigRow(Struct, frozen=True):
    """`body` is the text as it was written (secrets are references in it); `source` the file, or "" if built in."""

    id: str
    hash: str
    at_us: int
    source: str
    body: str


def record_config(
    connection: Connection, *, hash: str, source: str, body: str, actor: str, at_us: int | None = None
) -> ConfigRow:
    """Notes that a configuration came into force. The one in force already is not noted twice."""
    latest = latest_config(connection)
    if latest is not None and latest.hash == hash:
        return latest
    at_us = now_us() if at_us is None else at_us
    row = ConfigRow(new_id(at_us), hash, at_us, source, body)
    connection.execute(schema.config_version.insert().values(**structs.asdict(row)))
    note(connection, actor=actor, action="config.load", subject=hash, details={"source": source}, at_us=at_us)
    return row


def latest_config(connection: Connection) -> ConfigRow | None:
    found = list_configs(connection, limit=1)
    return found[0] if found else None


def list_configs(connection: Connection, *, limit: int = 100) -> list[ConfigRow]:
    """The newest first."""
    table = schema.config_version
    rows = connection.execute(select(table).order_by(table.c.at_us.desc(), table.c.id.desc()).limit(limit)).all()
    return [ConfigRow(*row) for row in rows]
