"""Human labels of answers. A label belongs to the answer that was looked at, and to the rubric it was given under."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, select

from fairlead.store.evals import tables
from fairlead.store.evals.rows import Upsert, rows_of


class LabelRow(Struct, frozen=True, kw_only=True):
    """`value` None: it was passed over. `sample` names the drawing that it belongs to; `details` is a JSON object."""

    id: str
    name: str
    metric: str
    rubric: str
    run: str
    candidate: str
    item: str
    repeat: int = 0
    turn: int = 0
    answer_hash: str
    value: float | None
    at_us: int
    took_us: int = 0
    by: str = ""
    sample: str = ""
    details: str = "{}"


_LABEL = Upsert(tables.label, LabelRow)


def write_labels(connection: Connection, labels: Sequence[LabelRow]) -> None:
    """One that is there already (by its id) is replaced: whoever labels may change his mind."""
    _LABEL.write(connection, labels)


def labels_of(connection: Connection, name: str, *, metric: str = "", run: str = "") -> list[LabelRow]:
    """Of a suite, the first one first."""
    table = tables.label.c
    query = select(tables.label).where(table.name == name).order_by(table.at_us, table.id)
    if metric:
        query = query.where(table.metric == metric)
    return rows_of(connection, LabelRow, query.where(table.run == run) if run else query)
