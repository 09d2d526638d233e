"""How often something changed: a number for each subject, so that whoever keeps a copy sees when it is an old one.

The number is turned in the transaction of the change itself. What the subjects hold is not known here.
"""

from typing import Literal

from sqlalchemy import Connection, select, text

from fairlead.store import schema

Subject = Literal["keys"]

_TURN = text(
    "INSERT INTO edition (subject, number) VALUES (:subject, 1)"
    " ON CONFLICT (subject) DO UPDATE SET number = edition.number + 1"
)


def turn(connection: Connection, subject: Subject) -> None:
    """It changes: said first, so that two who change it at once wait for each other."""
    connection.execute(_TURN, {"subject": subject})


def edition(connection: Connection, subject: Subject) -> int:
    """0: it never changed."""
    table = schema.edition.c
    return connection.execute(select(table.number).where(table.subject == subject)).scalar_one_or_none() or 0
