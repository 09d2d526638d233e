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


def find_response(connection: Connection, *, response: str, owner: str, at_us: int) -> bytes | None:
    """None: never kept, expired, forgotten, or another key's."""
    table = schema.content.c
    found = select(table.body).where(table.id == _id(response, owner), table.expires_us > at_us)
    return connection.execute(found).scalar_one_or_none()


def forget_response(connection: Connection, *, response: str, owner: str) -> bool:
    """Whether there was one."""
    id = _id(response, owner)
    return bool(connection.execute(delete(schema.content).where(schema.content.c.id == id)).rowcount)


def forget_expired(connection: Connection, at_us: int) -> int:
    """How many were."""
    return connection.execute(delete(schema.content).where(schema.content.c.expires_us <= at_us)).rowcount


def _id(response: str, owner: str) -> str:
    return blake2b(f"{owner}/{response}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
