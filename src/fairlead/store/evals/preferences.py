"""What a judge said of two answers to one case: one row for each question that it was asked.

A pairing is two candidates, each of a run; its id is the same in whichever order they are named. Of a pair of answers
`candidate` (of `run`) is the one that the row speaks for, `other` (of `other_run`) the one beside it.
"""

from collections.abc import Collection, Sequence

from msgspec import Struct
from sqlalchemy import Connection, delete, or_, select

from fairlead.store.evals import tables
from fairlead.store.evals.rows import Upsert, rows_of


class PreferenceRow(Struct, frozen=True, kw_only=True):
    """`value` is 1 where `candidate` is preferred, 0 where the other is, a half for neither; None: the judge gave no
    verdict, and `why` says what it did. `judge` is the version of who was asked what; `place` where the answer of
    `candidate` stood, "" where nobody had to be asked; `both`: it is asked in both orders; `again` counts repeats;
    `details` is a JSON object."""

    id: str
    pairing: str
    name: str
    run: str
    candidate: str
    other_run: str
    other: str
    item: str
    repeat: int
    pair_hash: str
    judge: str
    place: str
    both: bool
    again: int
    value: float | None
    why: str = ""
    at_us: int
    details: str = "{}"


_PREFERENCE = Upsert(tables.preference, PreferenceRow)


def write_preferences(connection: Connection, rows: Sequence[PreferenceRow]) -> None:
    """One that is there already (by its id) is replaced."""
    _PREFERENCE.write(connection, rows)


def preferences_of(connection: Connection, pairing: str) -> list[PreferenceRow]:
    """The first one first."""
    table = tables.preference.c
    query = select(tables.preference).where(table.pairing == pairing)
    return rows_of(connection, PreferenceRow, query.order_by(table.at_us, table.id))


def forget_preferences(connection: Connection, run: str) -> Collection[str]:
    """All in which the run has a part; the pairings that they were of."""
    table = tables.preference.c
    has_part = or_(table.run == run, table.other_run == run)
    pairings = set(connection.scalars(select(table.pairing).where(has_part).distinct()))
    connection.execute(delete(tables.preference).where(has_part))
    return pairings
