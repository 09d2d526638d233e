"""Structs as rows of the tables, and rows as structs. A field of several texts stands as JSON."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Table, TextClause, text

Row = TypeVar("Row", bound=Struct)
TEXTS = ("tags",)
_READ = msgspec.json.Decoder(tuple[str, ...])


def values_of(row: Struct) -> dict[str, Any]:
    return {
        name: msgspec.json.encode(value).decode() if name in TEXTS else value
        for name in row.__struct_fields__
        if (value := getattr(row, name)) is not msgspec.UNSET
    }


def rows_of(connection: Connection, kind: type[Row], query: Any) -> list[Row]:
    """What the query finds, whose columns are called as the fields are."""
    found = connection.execute(query)
    names = list(found.keys())
    wanted = [(place, name) for place, name in enumerate(names) if name in kind.__struct_fields__]
    return [
        kind(**{name: _READ.decode(values[at]) if name in TEXTS else values[at] for at, name in wanted})
        for values in found
    ]


def upsert(table: Table) -> TextClause:
    """Insert a row, or put it in the place of the one with the same key."""
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    rest = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    columns, values = (", ".join(form.format(name) for name in names) for form in ('"{}"', ":{}"))
    key = ", ".join(keys)
    return text(f'INSERT INTO "{table.name}" ({columns}) VALUES ({values}) ON CONFLICT ({key}) DO UPDATE SET {rest}')


def write(connection: Connection, statement: TextClause, rows: Sequence[Struct]) -> None:
    if rows:
        connection.execute(statement, [values_of(row) for row in rows])
