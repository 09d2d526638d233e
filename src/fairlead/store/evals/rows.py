"""Structs as rows of the tables, and rows as structs. A field of several texts stands as JSON."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, astuple
from sqlalchemy import Connection, Table, select

Row = TypeVar("Row", bound=Struct)
TEXTS = ("tags",)
_READ = msgspec.json.Decoder(tuple[str, ...])


@lru_cache(maxsize=1024)
def texts(written: str) -> tuple[str, ...]:
    return _READ.decode(written)


def values_of(row: Struct) -> dict[str, Any]:
    values = asdict(row)
    for name in TEXTS:
        if name in values:
            values[name] = msgspec.json.encode(values[name]).decode()
    return values


def rows_of(connection: Connection, kind: type[Row], query: Any) -> list[Row]:
    """What the query finds, whose columns are called as the fields are."""
    found = connection.execute(query)
    names = tuple(found.keys())
    if any(name not in kind.__struct_fields__ for name in names):
        raise TypeError(f"{kind.__name__} has not all of {', '.join(names)}")
    written = [name for name in TEXTS if name in names]
    rows = []
    for values in found:
        fields = dict(zip(names, values, strict=True))
        for name in written:
            fields[name] = texts(fields[name])
        rows.append(kind(**fields))
    return rows


def tuples(connection: Connection, query: Any) -> list[tuple[Any, ...]]:
    """What the query finds, as the driver gives it: SQLAlchemy takes half as long again to make its rows of it."""
    result = connection.execute(query)
    driver: Any = result.cursor
    rows = driver.fetchall()
    result.close()
    return rows


def columns(connection: Connection, wanted: Sequence[Any], of: Callable[[Any], Any]) -> dict[str, Sequence[Any]]:
    """The columns of what a query over them finds, by their names."""
    rows = tuples(connection, of(select(*wanted)))
    found = zip(*rows, strict=True) if rows else ((),) * len(wanted)
    return {column.name: values for column, values in zip(wanted, found, strict=True)}


class Upsert:
    """Inserts rows of one kind, each in the place of the one with the same key. The statement is the driver's own:
    SQLAlchemy takes as long over the parameters of a row as SQLite over the row."""

    def __init__(self, table: Table, kind: type[Struct]) -> None:
        self._texts = [at for at, name in enumerate(kind.__struct_fields__) if name in TEXTS]
        self._sqlite, self._postgres = _statement(table, kind, "?"), _statement(table, kind, "%s")

    def write(self, connection: Connection, rows: Sequence[Struct]) -> None:
        if rows:
            statement = self._postgres if connection.dialect.name == "postgresql" else self._sqlite
            connection.exec_driver_sql(statement, list(self._values(rows)))

    def put(self, connection: sqlite3.Connection, rows: Sequence[Struct]) -> None:
        """The same without SQLAlchemy."""
        connection.executemany(self._sqlite, self._values(rows))

    def _values(self, rows: Sequence[Struct]) -> Iterator[tuple[Any, ...]]:
        return map(self._written, rows) if self._texts else map(astuple, rows)

    def _written(self, row: Struct) -> tuple[Any, ...]:
        values = list(astuple(row))
        for at in self._texts:
            values[at] = msgspec.json.encode(values[at]).decode()
        return tuple(values)


def _statement(table: Table, kind: type[Struct], mark: str) -> str:
    names = kind.__struct_fields__
    keys = [column.name for column in table.primary_key]
    rest = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join([mark] * len(names))
    into = f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})'
    return f"{into} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {rest}"
