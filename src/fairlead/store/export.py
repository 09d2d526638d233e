"""The books as Parquet: a file for each table and day (UTC), streamed, written beside its place and then renamed.

    <directory>/call/day=2026-11-22.parquet

A day whose file has as many rows as the store has is left as it is, so that an export can be repeated and resumed.
Times are timestamps in UTC, money whole nano-dollars, durations microseconds. Nothing is known here of who reads them.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Connection, Float, Integer, Table, func, select

from fairlead.errors import ExtraMissing, OperatorError
from fairlead.store import schema
from fairlead.store.calls import between
from fairlead.store.opening import Store

TABLES = ("call", "attempt")
DAY_US = 86_400_000_000
ROWS = 10_000  # in memory at once


class Exported(Struct):
    """Files by their path in the directory; `kept` are those that were complete already."""

    rows: int = 0
    written: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def export(
    store: Store,
    directory: Path,
    *,
    tables: tuple[str, ...] = TABLES,
    since_us: int,
    until_us: int,
    told: Callable[[str, int], None] = lambda _day, _rows: None,
) -> Exported:
    """Whole days, from the one of `since_us` up to the one of `until_us`; `told` of each batch of a day's rows.

    Raises ExtraMissing without pyarrow, OperatorError where the directory can't be written, Unavailable.
    """
    if find_spec("pyarrow") is None:
        message = "Parquet needs the package pyarrow, which is missing"
        raise ExtraMissing(message, hint="pip install 'fairlead[export]'")
    done = Exported()
    for name in tables:
        table = schema.metadata.tables[name]
        for day_us in range(since_us - since_us % DAY_US, until_us, DAY_US):
            day = datetime.fromtimestamp(day_us / 1_000_000, UTC).date().isoformat()
            path = directory / name / f"day={day}.parquet"
            try:
                _export_day(store, table, day_us, path, done, told)
            except OSError as error:
                message = f"{path} can't be written: {error.strerror or error}"
                raise OperatorError(message, hint="is there room, may it be written? Run it again to go on") from error
    return done


def _export_day(
    store: Store, table: Table, day_us: int, path: Path, done: Exported, told: Callable[[str, int], None]
) -> None:
    shown = f"{path.parent.name}/{path.name}"
    with store.read() as connection:
        of_day = between(table, day_us, day_us + DAY_US)
        count = connection.execute(select(func.count()).select_from(table).where(*of_day)).scalar_one()
        if not count:
            return
        if _rows_of(path) == count:
            done.kept += (shown,)
        else:
            _write(path, table, _batches(connection, table, of_day), lambda rows: told(shown, rows))
            done.rows += count
            done.written += (shown,)


def _batches(connection: Connection, table: Table, of_day: list[Any]) -> Iterator[list[Any]]:
    query = select(table).where(*of_day).order_by(table.c.id).execution_options(yield_per=ROWS)
    return (list(batch) for batch in connection.execute(query).partitions())


def _write(path: Path, table: Table, batches: Iterator[list[Any]], told: Callable[[int], None]) -> None:
    import pyarrow
    from pyarrow import parquet

    fields = [(name, _kind(pyarrow, column)) for name, column in table.columns.items()]
    kinds = pyarrow.schema([("at" if name == "at_us" else name, kind) for name, kind in fields])
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    try:
        with parquet.ParquetWriter(fresh, kinds, compression="zstd") as writer:
            for batch in batches:
                columns = zip(*batch, strict=True)
                arrays = [pyarrow.array(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)]
                writer.write_batch(pyarrow.record_batch(arrays, schema=kinds))
                told(len(batch))
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _rows_of(path: Path) -> int | None:
    """None: there is no such file, or it is none of ours."""
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_metadata(path).num_rows
    except (OSError, pyarrow.ArrowException):
        return None


def _kind(pyarrow: Any, column: Any) -> Any:
    if column.name == "at_us":
        return pyarrow.timestamp("us", tz="UTC")
    if isinstance(column.type, Boolean):
        return pyarrow.bool_()
    if isinstance(column.type, (BigInteger, Integer)):
        return pyarrow.int64()
    return pyarrow.float64() if isinstance(column.type, Float) else pyarrow.string()
