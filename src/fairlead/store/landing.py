"""Puts rows of the books into the tables: by the driver's own `executemany` into SQLite, by COPY into PostgreSQL.

A replay is harmless: rows whose id is there already are left out, and what they come to is not counted again. Where
rows come from is not known here.
"""

from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Table, exc, select

from fairlead.records import LARGEST
from fairlead.store import schema
from fairlead.store.joining import ATTEMPT_COLUMNS, CALL_COLUMNS, Row, Rows

QUARTER_US = 900_000_000  # windows begin at one in every time zone that is in use
MANY = 500  # ids that are asked for at once

_KEY, _TEAM, _ROUTE, _AT = (ATTEMPT_COLUMNS.index(name) for name in ("key", "team", "route", "at_us"))
_COST, _HOLD = ATTEMPT_COLUMNS.index("cost_nusd"), ATTEMPT_COLUMNS.index("hold_nusd")
_INPUT, _OUTPUT = ATTEMPT_COLUMNS.index("input_tokens"), ATTEMPT_COLUMNS.index("output_tokens")
_OF_CALL = tuple(CALL_COLUMNS.index(name) for name in ("key", "team", "route", "at_us", "status"))


class _Spent(Struct):
    nusd: int = 0
    tokens: int = 0
    requests: int = 0


def land(connection: Connection, rows: Rows, writer: str) -> None:
    """All of them, in the transaction of the connection. `writer` wrote them."""
    try:
        with connection.begin_nested():
            _insert(connection, schema.attempt, ATTEMPT_COLUMNS, rows.attempts)
            _insert(connection, schema.call, CALL_COLUMNS, rows.calls)
    except exc.IntegrityError:
        rows = Rows(_new(connection, schema.attempt, rows.attempts), _new(connection, schema.call, rows.calls))
        _insert(connection, schema.attempt, ATTEMPT_COLUMNS, rows.attempts)
        _insert(connection, schema.call, CALL_COLUMNS, rows.calls)
    _add_up(connection, rows, writer)


def _insert(connection: Connection, table: Table, columns: tuple[str, ...], rows: list[Row]) -> None:
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.exec_driver_sql(_insertion(table.name, columns), rows)
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor().copy(_copying(table.name, columns)) as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:
        if driver.closed:
            connection.invalidate()
        base: Any = connection.dialect.loaded_dbapi.Error
        raise exc.DBAPIError.instance(f"COPY {table.name}", None, error, base, dialect=connection.dialect) from error


@cache
def _insertion(table: str, columns: tuple[str, ...]) -> str:
    """As text: then the driver takes the rows as they are."""
    return f"INSERT INTO {table} ({_named(columns)}) VALUES ({', '.join('?' * len(columns))})"


@cache
def _copying(table: str, columns: tuple[str, ...]) -> bytes:
    return f"COPY {table} ({_named(columns)}) FROM STDIN".encode()


def _named(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _new(connection: Connection, table: Table, rows: list[Row]) -> list[Row]:
    """Those whose id is not in the table, each once."""
    by_id = {row[0]: row for row in rows}
    ids = list(by_id)
    for start in range(0, len(ids), MANY):
        known = select(table.c.id).where(table.c.id.in_(ids[start : start + MANY]))
        for id in connection.execute(known).scalars():
            del by_id[id]
    return list(by_id.values())


def _add_up(connection: Connection, rows: Rows, writer: str) -> None:
    """What they come to, for each whom a budget may be for."""
    sums: dict[tuple[str, str, int], _Spent] = {}
    for (key, team, route, quarter), spent in _spent(rows).items():
        for scope, owner in (("key", key), ("team", team), ("route", route), ("all", "")):
            of_it = sums.setdefault((scope, owner, quarter * QUARTER_US), _Spent())
            of_it.nusd += spent.nusd
            of_it.tokens += spent.tokens
            of_it.requests += spent.requests
    if sums:
        added = [
            (scope, owner, quarter_us, writer, _bounded(of_it.nusd), _bounded(of_it.tokens), of_it.requests)
            for (scope, owner, quarter_us), of_it in sums.items()
        ]
        connection.exec_driver_sql(_adding("%s" if connection.dialect.name == "postgresql" else "?"), added)


def _spent(rows: Rows) -> dict[tuple[str, str, str, int], _Spent]:
    sums: dict[tuple[str, str, str, int], _Spent] = {}
    for row in rows.attempts:
        whose = (row[_KEY], row[_TEAM], row[_ROUTE], row[_AT] // QUARTER_US)
        spent = sums.get(whose)
        if spent is None:
            spent = sums[whose] = _Spent()
        cost = row[_COST]
        spent.nusd += (row[_HOLD] or 0) if cost is None else cost
        spent.tokens += row[_INPUT] + row[_OUTPUT]
    key, team, route, at, status = _OF_CALL
    for row in rows.calls:
        if row[status] != "denied":
            sums.setdefault((row[key], row[team], row[route], row[at] // QUARTER_US), _Spent()).requests += 1
    return sums


def _bounded(number: int) -> int:
    return max(-LARGEST, min(LARGEST, number))


@cache
def _adding(mark: str) -> str:
    """What a provider claims may be absurd: sums end at LARGEST."""
    sums = ", ".join(
        f"{name} = CASE WHEN spending.{name} + excluded.{name} > {LARGEST} THEN {LARGEST} "
        f"ELSE spending.{name} + excluded.{name} END"
        for name in ("nusd", "tokens", "requests")
    )
    return (
        "INSERT INTO spending (scope, owner, quarter_us, writer, nusd, tokens, requests) "
        f"VALUES ({', '.join([mark] * 7)}) ON CONFLICT (scope, owner, quarter_us, writer) DO UPDATE SET {sums}"
    )
