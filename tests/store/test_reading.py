"""The spool's reader: torn tails, holes, garbage, segments that come and go."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fairlead.records import encode
from fairlead.store.reading import Batch, Position, read, segment_path
from store.made import closed, everything, whole_call

SIZE = 4096


def segment(directory: Path, number: int, data: bytes, size: int = SIZE) -> None:
    directory.mkdir(exist_ok=True)
    segment_path(directory, number).write_bytes(data.ljust(size, b"\0"))


ONE, TWO, THREE = whole_call()


def test_an_empty_directory_has_nothing_to_read(tmp_path: Path) -> None:
    assert read(tmp_path, Position()) == Batch((), Position())


def test_of_a_live_writer_a_line_without_its_newline_is_not_read_yet(tmp_path: Path) -> None:
    segment(tmp_path, 1, encode(ONE) + encode(TWO)[:-1])
    batch = read(tmp_path, Position())
    assert batch.records == (ONE,)
    assert read(tmp_path, batch.position).records == ()
    segment(tmp_path, 1, encode(ONE) + encode(TWO))
    assert read(tmp_path, batch.position).records == (TWO,)


def test_of_a_dead_writer_a_torn_tail_is_garbage(tmp_path: Path) -> None:
    segment(tmp_path, 1, encode(ONE) + encode(TWO)[:40])
    assert everything(tmp_path) == ([ONE], [encode(TWO)[:40]])


def test_garbage_between_records_is_handed_out_and_reading_goes_on(tmp_path: Path) -> None:
    segment(tmp_path, 1, encode(ONE) + b"no json\n" + b'{"kind":"unheard"}\n' + b"\xff\xfe\n" + encode(TWO))
    assert everything(tmp_path, is_dead=False) == ([ONE, TWO], [b"no json", b'{"kind":"unheard"}', b"\xff\xfe"])


def test_a_page_that_was_never_written_back_hides_nothing_behind_it(tmp_path: Path) -> None:
    hole = encode(ONE)[:20] + bytes(500) + encode(TWO)[200:] + encode(THREE)
    segment(tmp_path, 1, hole)
    assert everything(tmp_path)[0] == [THREE]
    assert len(everything(tmp_path)[1]) == 1


def test_a_hole_that_ends_where_a_line_begins_costs_only_what_was_in_it(tmp_path: Path) -> None:
    segment(tmp_path, 1, encode(ONE)[:20] + bytes(500) + encode(TWO) + encode(THREE))
    assert everything(tmp_path) == ([TWO, THREE], [encode(ONE)[:20]])


def test_a_segment_is_left_only_when_its_writer_has_begun_the_next(tmp_path: Path) -> None:
    segment(tmp_path, 1, encode(ONE))
    segment(tmp_path, 2, b"")
    position = read(tmp_path, Position()).position
    assert read(tmp_path, position) == Batch((), position)
    segment(tmp_path, 2, encode(TWO))
    assert everything(tmp_path, is_dead=False) == ([ONE, TWO], [])


def test_a_position_in_a_segment_that_is_gone_means_the_next_one(tmp_path: Path) -> None:
    segment(tmp_path, 3, encode(ONE))
    assert read(tmp_path, Position(1, 4096)).records == (ONE,)


def test_reading_stops_where_it_is_told_to(tmp_path: Path) -> None:
    segment(tmp_path, 1, encode(ONE) + encode(TWO) + encode(THREE))
    until = Position(1, len(encode(ONE) + encode(TWO)))
    batch = read(tmp_path, Position(), is_dead=True, until=until)
    assert (batch.records, batch.position) == ((ONE, TWO), until)


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(3000, 9000))
def test_whatever_the_size_of_batches_everything_comes_once(
    tmp_path_factory: object, sizes: list[int], batch_bytes: int
) -> None:
    directory = tmp_path_factory.mktemp("spool")  # type: ignore[attr-defined]
    written = []
    for number, count in enumerate(sizes, 1):
        records = [closed(f"{number}-{i}", why="w" * (i * 700)) for i in range(count)]
        segment(directory, number, b"".join(encode(record) for record in records))
        written += records
    found = []
    position = Position()
    while True:
        batch = read(directory, position, is_dead=True, batch_bytes=batch_bytes)
        found += batch.records
        position = batch.position
        if not batch.more:
            break
    assert found == written
