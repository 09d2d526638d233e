"""What was said, where a route keeps it: responses that a later request continues, recorded requests and answers.

Each is there until it expires or is forgotten. What is recorded is for admins alone, and who read it is noted. An id
of a response is a provider's text of any length; what it is kept under is a hash of it and of its owner's key, so that
nobody finds another's.
"""

from collections.abc import Iterable
from hashlib import blake2b

from msgspec import Struct
from sqlalchemy import Connection, delete, select

from fairlead.store import schema
from fairlead.store.audit import note
from fairlead.store.recordings import Recorded

RECORDED = ("request", "answer")


class ContentRow(Struct, frozen=True):
    """`kind` is request or answer; `body` as it was on the wire."""

    kind: str
    at_us: int
    zone: str
    expires_us: int
    body: bytes


def keep_response(
    connection: Connection,
    *,
    response: str,
    owner: str,
    call: str,
    zone: str,
    at_us: int,
    expires_us: int,
    body: bytes,
) -> None:
    """A response that is kept already is kept anew."""
    id = _id(response, owner)
    connection.execute(delete(schema.content).where(schema.content.c.id == id))
    row = {"id": id, "call": call, "attempt": None, "kind": "response", "at_us": at_us, "zone": zone, "key": owner}
    connection.execute(schema.content.insert().values(**row, expires_us=expires_us, body=body))


def find_response(connection: Connection, *, response: str, owner: str, at_us: int) -> tuple[bytes, str] | None:
    """What was kept, and the zone that it was said in. None: never kept, expired, forgotten, or another key's."""
    table = schema.content.c
    found = select(table.body, table.zone).where(table.id == _id(response, owner), table.expires_us > at_us)
    row = connection.execute(found).one_or_none()
    return None if row is None else (row.body, row.zone)


def forget_response(connection: Connection, *, response: str, owner: str) -> bool:
    """Whether there was one."""
    id = _id(response, owner)
    return bool(connection.execute(delete(schema.content).where(schema.content.c.id == id)).rowcount)


def record(connection: Connection, said: Iterable[Recorded]) -> None:
    """What is recorded already stays as it is."""
    made = [
        {
            "id": _hash(f"{one.call}/{kind}"),
            "call": one.call,
            "attempt": None,
            "kind": kind,
            "at_us": one.at_us,
            "zone": one.zone,
            "expires_us": one.expires_us,
            "body": body,
            "key": one.key,
        }
        for one in said
        for kind, body in one.parts
    ]
    known = select(schema.content.c.id).where(schema.content.c.id.in_([row["id"] for row in made]))
    there = set(connection.execute(known).scalars())
    if fresh := [row for row in made if row["id"] not in there]:
        connection.execute(schema.content.insert(), fresh)


def recorded(connection: Connection, call: str, *, at_us: int, actor: str) -> list[ContentRow]:
    """The request first. That it was read is noted."""
    table = schema.content.c
    query = select(table.kind, table.at_us, table.zone, table.expires_us, table.body).where(
        table.call == call, table.kind.in_(RECORDED), table.expires_us > at_us
    )
    rows = [ContentRow(*row) for row in connection.execute(query.order_by(table.kind.desc())).all()]
    if rows:
        note(connection, actor=actor, action="content.read", subject=call)
    return rows


def forget(connection: Connection, *, call: str = "", key: str = "", actor: str) -> int:
    """All that is kept of a call, or of a key's calls, whatever it was kept for. How many there were."""
    table = schema.content
    whose = table.c.call == call if call else table.c.key == key
    count = connection.execute(table.delete().where(whose)).rowcount
    details = {"of": "call" if call else "key", "count": count}
    note(connection, actor=actor, action="content.forget", subject=call or key, details=details)
    return count


def forget_expired(connection: Connection, at_us: int) -> int:
    """How many were."""
    return connection.execute(delete(schema.content).where(schema.content.c.expires_us <= at_us)).rowcount


def _id(response: str, owner: str) -> str:
    said = f"{len(owner)}/{owner}/{response}"  # no two pairs read the same
    return _hash(said)


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
