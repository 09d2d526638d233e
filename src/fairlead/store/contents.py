"""What was said, where a route keeps it: finished responses that a later request continues, each until it expires.

An id of a response is a provider's text of any length; what it is kept under is a hash of it and of its owner's key, so
that nobody finds another's.
"""

from hashlib import blake2b

from sqlalchemy import Connection, delete, select

from fairlead.store import schema


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
    row = {"id": id, "call": call, "attempt": None, "kind": "response", "at_us": at_us, "zone": zone}
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


def forget_expired(connection: Connection, at_us: int) -> int:
    """How many were."""
    return connection.execute(delete(schema.content).where(schema.content.c.expires_us <= at_us)).rowcount


def _id(response: str, owner: str) -> str:
    said = f"{len(owner)}/{owner}/{response}"  # no two pairs read the same
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
