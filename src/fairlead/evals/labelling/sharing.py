"""Labels as JSON lines: out of one evaluation store, into another."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from fairlead.errors import RequestInvalid
from fairlead.evals.labelling.book import Details, LabelBook, details, encoded, is_standing, label_id
from fairlead.store.evals.labels import LabelRow

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # what a store can keep
Place = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A label as a file has it; what it belongs to is said by `rubric` and `answer_hash`."""

    suite: str
    metric: str
    rubric: str
    answer_hash: str
    by: str
    at_us: Count
    value: float | None
    item: str = ""
    run: str = ""
    candidate: str = ""
    repeat: Place = 0
    took_us: Count = 0
    sample: str = ""
    details: Details = Details()


def write_lines(labels: Iterable[LabelRow]) -> Iterator[bytes]:
    for label in labels:
        if is_standing(label):
            same = {name: getattr(label, name) for name in Line.__struct_fields__ if name not in ("suite", "details")}
            yield msgspec.json.encode(Line(suite=label.name, details=details(label), **same)) + b"\n"


def read_lines(path: Path, suite: str, metric: str) -> list[LabelRow]:
    """Raises RequestInvalid, with the line, for what is none or of another suite or metric."""
    found = []
    for number, text in enumerate(path.read_bytes().splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = msgspec.json.decode(text, type=Line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RequestInvalid(f"{path}, line {number}: {error}", hint="nothing of it was taken in") from None
        if (line.suite, line.metric) != (suite, metric):
            raise RequestInvalid(
                f"{path}, line {number}: a label of {line.metric} in {line.suite}, not of {metric} in {suite}"
            )
        if line.value is not None and not 0 <= line.value <= 1:
            raise RequestInvalid(f"{path}, line {number}: a value from 0 to 1 is wanted, not {line.value}")
        if not line.by or not line.answer_hash or not line.rubric:
            raise RequestInvalid(f"{path}, line {number}: `by`, `answer_hash` and `rubric` must be said")
        same = {name: getattr(line, name) for name in Line.__struct_fields__ if name not in ("suite", "details")}
        id = label_id(suite, metric, line.rubric, line.answer_hash, line.by)
        found.append(LabelRow(id=id, name=suite, details=encoded(line.details), **same))
    return found


def take_in(book: LabelBook, labels: Iterable[LabelRow]) -> int:
    """Those that are new, or later than what the same person said of the same answer here; how many."""
    known = {label.id: label.at_us for label in book.read()}
    new = [label for label in labels if label.at_us > known.get(label.id, -1)]
    book.write(new)
    return len(new)
