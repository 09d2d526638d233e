"""Who changed what, and when: a row for every change that an operator makes. It knows nothing of callers' requests."""

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from fairlead.ids import new_id, now_us
from fairlead.store import schema


class AuditRow(Struct, frozen=True):
    id: str
    at_us: int
    actor: str
    action: str  # key.new, key.revoke, budget.new, config.load ...
    subject: str  # what it was done to, by its id
    details: dict[str, Any]


def note(
    connection: Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    details: dict[str, Any] | None = None,
    at_us: int | None = None,
) -> AuditRow:
    """Writes one row, in the transaction of the change itself: neither stands without the other."""
    at_us = now_us() if at_us is None else at_us
    row = AuditRow(new_id(at_us), at_us, actor, action, subject, details or {})
    written = msgspec.json.encode(row.details).decode()
    connection.execute(schema.audit.insert().values(**msgspec.structs.asdict(row) | {"details": written}))
    return row


def list_audit(connection: Connection, *, since_us: int = 0, limit: int = 100) -> list[AuditRow]:
    """The newest first."""
    table = schema.audit
    query = select(table).where(table.c.at_us >= since_us).order_by(table.c.at_us.desc(), table.c.id.desc())
    rows = connection.execute(query.limit(limit)).all()
    return [AuditRow(**dict(row._mapping) | {"details": msgspec.json.decode(row.details)}) for row in rows]
