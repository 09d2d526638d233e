"""Rows of cells in text (CSV), as spreadsheets and programs write it: which sign parts the cells is seen in the header.

Knows neither cases nor scores; who reads says what becomes of rows that are none.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from fairlead.errors import FairleadError

SIGNS = (",", ";", "\t")
SAID = re.compile(r"sep=(.)\s*\Z", re.IGNORECASE)  # Excel's own first line
LARGEST_CELL = 1 << 24

Wrong = Callable[[int, str], FairleadError]  # the error of a line


def separated(lines: Iterable[str], wrong: Wrong) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The names of the columns, and the rows with the line on which each ends. Columns without a name are left out, and
    rows without content. Raises what `wrong` makes."""
    if csv.field_size_limit() < LARGEST_CELL:
        csv.field_size_limit(LARGEST_CELL)
    rest, skipped = iter(lines), 0
    first = next(rest, "")
    while first and not first.strip():
        first, skipped = next(rest, ""), skipped + 1
    said = SAID.match(first)
    if said:
        first, skipped = next(rest, ""), skipped + 1
    reader = csv.reader(chain([first], rest), delimiter=said[1] if said else _sign(first), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise wrong(skipped + reader.line_num, f"this is no CSV: {error}") from None
    named = [at for at, name in enumerate(header) if name]
    columns = [header[at] for at in named]
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        raise wrong(skipped + 1, f"two columns have the same name: {', '.join(twice)[:200]}")
    return columns, _rows(reader, header, named, skipped, wrong)


def _sign(header: str) -> str:
    """The one that makes most columns of it; of what is no header any."""
    try:
        return max(SIGNS, key=lambda sign: len(next(csv.reader([header], delimiter=sign), [])))
    except csv.Error:
        return SIGNS[0]


def _rows(
    reader: Any, header: list[str], named: list[int], skipped: int, wrong: Wrong
) -> Iterator[tuple[int, list[str]]]:
    is_whole = len(named) == len(header)
    try:
        for row in reader:
            if len(row) != len(header):
                if not any(row):
                    continue
                raise wrong(skipped + reader.line_num, f"not {len(header)} cells as in the header, but {len(row)}")
            if any(row):
                yield skipped + reader.line_num, row if is_whole else [row[at] for at in named]
    except csv.Error as error:
        raise wrong(skipped + reader.line_num, f"this is no CSV: {error}") from None
