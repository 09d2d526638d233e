"""Export: Parquet by day, with times and money as they are, written once and resumed; on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyarrow import parquet, timestamp

from fairlead.errors import OperatorError
from fairlead.ids import new_id
from fairlead.store import schema
from fairlead.store.export import DAY_US, export
from fairlead.store.joining import Joiner
from fairlead.store.landing import land
from fairlead.store.opening import Store, open_store
from fairlead.store.reading import Position
from store.made import AT_US, closed, intent, outcome


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with open_store(place) as opened:
        book(opened, *(AT_US + hours * 3_600_000_000 for hours in range(0, 48, 5)))
        yield opened


def book(store: Store, *moments: int) -> None:
    for at_us in moments:
        one = intent(new_id(at_us), at_us=at_us)
        records = (one, outcome(one, cost_nusd=2**53), closed(one.call, at_us=at_us, tags=("a", "ü\n\t\\")))
        with store.begin() as connection:
            land(connection, Joiner("w").join(records, Position()), "w")


def test_every_row_is_written_once_by_its_day(store: Store, tmp_path: Path) -> None:
    done = export(store, tmp_path / "out", since_us=AT_US, until_us=AT_US + 2 * DAY_US)
    assert done.rows == 20 and done.kept == ()
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*"))
    days = ["2023-11-14", "2023-11-15", "2023-11-16"]
    assert files == sorted(
        ["attempt", "call", *(f"{name}/day={day}.parquet" for name in ("attempt", "call") for day in days)]
    )
    calls = parquet.read_table(tmp_path / "out" / "call" / f"day={days[0]}.parquet")
    assert calls.schema.field("at").type == timestamp("us", tz="UTC")
    first = calls.to_pylist()[0]
    assert first["at"] == datetime.fromtimestamp(AT_US / 1e6, UTC)
    assert first["tags"] == '["a","ü\\n\\t\\\\"]'
    assert set(calls.column_names) == {*schema.call.columns.keys(), "at"} - {"at_us"}
    attempts = parquet.read_table(tmp_path / "out" / "attempt" / f"day={days[1]}.parquet")
    assert attempts["cost_nusd"].to_pylist() == [2**53] * len(attempts)


def test_what_is_written_already_is_kept_until_there_is_more(store: Store, tmp_path: Path) -> None:
    span = {"since_us": AT_US, "until_us": AT_US + 2 * DAY_US}
    export(store, tmp_path, **span)
    again = export(store, tmp_path, **span)
    assert (again.rows, again.written, len(again.kept)) == (0, (), 6)
    (tmp_path / "call" / "day=2023-11-15.parquet").write_bytes(b"half of one")
    book(store, AT_US + 3)
    mended = export(store, tmp_path, **span)
    assert set(mended.written) == {
        "call/day=2023-11-14.parquet", "call/day=2023-11-15.parquet", "attempt/day=2023-11-14.parquet"}  # fmt: skip


def test_only_the_days_and_tables_that_were_asked_for(store: Store, tmp_path: Path) -> None:
    done = export(store, tmp_path, tables=("call",), since_us=AT_US + DAY_US, until_us=AT_US + DAY_US + 1)
    assert done.written == ("call/day=2023-11-15.parquet",)


def test_a_directory_that_can_not_be_written_is_told(store: Store, tmp_path: Path) -> None:
    (tmp_path / "call").write_text("a file")
    with pytest.raises(OperatorError, match="can't be written"):
        export(store, tmp_path, since_us=AT_US, until_us=AT_US + 1)
    assert not list(tmp_path.rglob("*.part"))
