"""The replicas on one store: a row for each data directory that was ever started on it, and its beat while it lives.

Clocks of machines differ, so nobody compares them: whoever watches a row knows that its replica lives when the beat
grows. What a replica may do is not known here.
"""

from msgspec import Struct
from sqlalchemy import Connection, select

from fairlead.ids import new_id
from fairlead.store import schema

_TABLE = schema.replica


class ReplicaRow(Struct, frozen=True):
    """`life` was drawn at the last start, the `epoch`th; `place` says where that was; `has_left`: it ended in order."""

    id: str
    epoch: int
    life: str
    beat: int
    place: str
    seen_us: int
    has_left: bool

    @property
    def holder(self) -> str:
        return f"{self.id}.{self.epoch}"


def find_replica(connection: Connection, id: str) -> ReplicaRow | None:
    row = connection.execute(select(_TABLE).where(_TABLE.c.id == id)).one_or_none()
    return None if row is None else ReplicaRow(*row)


def list_replicas(connection: Connection) -> list[ReplicaRow]:
    return [ReplicaRow(*row) for row in connection.execute(select(_TABLE).order_by(_TABLE.c.id))]


def enter(connection: Connection, this: ReplicaRow, before: ReplicaRow | None) -> bool:
    """A life begins, where `before` was found. False: somebody else has entered meanwhile under the same name."""
    columns = {name: getattr(this, name) for name in this.__struct_fields__}
    if before is None:
        found = connection.execute(select(_TABLE.c.id).where(_TABLE.c.id == this.id)).one_or_none()
        if found is None:
            connection.execute(_TABLE.insert().values(**columns))
        return found is None
    same = (_TABLE.c.id == this.id) & (_TABLE.c.life == before.life) & (_TABLE.c.beat == before.beat)
    return bool(connection.execute(_TABLE.update().where(same).values(**columns)).rowcount)


def beat(connection: Connection, this: ReplicaRow, at_us: int) -> bool:
    """It lives. False: the name is another's by now."""
    same = (_TABLE.c.id == this.id) & (_TABLE.c.life == this.life)
    return bool(connection.execute(_TABLE.update().where(same).values(beat=_TABLE.c.beat + 1, seen_us=at_us)).rowcount)


def leave(connection: Connection, this: ReplicaRow, at_us: int) -> None:
    """It ends in order."""
    same = (_TABLE.c.id == this.id) & (_TABLE.c.life == this.life)
    connection.execute(_TABLE.update().where(same).values(has_left=True, seen_us=at_us))


def shut_out(connection: Connection, found: ReplicaRow) -> bool:
    """It is taken for dead: should it live after all, its next beat tells it otherwise. False: it lives, as it has
    beaten since it was found."""
    same = (_TABLE.c.id == found.id) & (_TABLE.c.life == found.life) & (_TABLE.c.beat == found.beat)
    gone = _TABLE.update().where(same).values(life=new_id(), has_left=True)
    return bool(connection.execute(gone).rowcount)
