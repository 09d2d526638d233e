"""Tables of anybody's numbers: CSV, JSONL or Parquet, one row per answer, packed with gzip or not.

| column | what |
|---|---|
| `item` (or `id`, `case`, `question`) | the case |
| `model` (or `candidate`) | who answered; one candidate, named after the file, where there is none |
| `score`, `correct`, `right` | the score, the first of these is the primary metric; blank: missing |
| `cluster` | what is not independent: a conversation, a document |
| `repeat`, `turn`, `weight`, `content_hash`, `gold_version`, `status` | as a score table has them |
| `category`, `dataset`, `split`, `tags` | tags; items that are numbered anew in each dataset are named after it |
| `cost_usd`, `latency_s` | beside the score |
| `answer`, `gold` | texts for people |

Any other column of numbers is a further metric, for whoever asks for it.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fairlead.errors import ExtraMissing, ResultsUnreadable
from fairlead.evals.importing.files import Limits, lines
from fairlead.evals.importing.imported import Imported, as_text, unreadable
from fairlead.evals.results import UNKNOWN, ScoreTable
from fairlead.money import NUSD

ITEM = ("item", "id", "case", "question")
CANDIDATE = ("model", "candidate")
SCORE = ("score", "correct", "right")
TAGS = ("category", "dataset", "split")
TEXTS = {"answer": "said", "gold": "wanted"}
COUNTS = ("repeat", "turn")
PLAIN = ("cluster", "content_hash", "gold_version", "status")
AMOUNTS = {"cost_usd": ("cost_nusd", NUSD), "latency_s": ("latency_us", 1_000_000)}
KNOWN = {*ITEM, *CANDIDATE, *TAGS, "tags", *TEXTS, *COUNTS, *PLAIN, *AMOUNTS, "weight"}
HINT = "Wanted are the columns item, model and score (or correct), and perhaps cluster."
MOST_COLUMNS = 1000


def is_row(line: str) -> bool:
    """A line of JSON that is a row of such a table?"""
    try:
        row = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return False
    return any(name in row for name in ITEM) and any(name in row for name in SCORE)


def read(path: Path, limits: Limits) -> Imported:
    """Raises ResultsUnreadable; ExtraMissing for Parquet without pyarrow."""
    with path.open("rb") as file:
        start = file.read(4)
    columns = _parquet(path, limits) if start == b"PAR1" else _lines(path, limits)
    return _imported(path, columns)


def _lines(path: Path, limits: Limits) -> dict[str, list[Any]]:
    numbered = lines(path, limits, blank=True)
    first = next((line for line in numbered if line[1].strip()), None)
    if first is None:
        raise unreadable(str(path), "it is empty", HINT)
    rest = _again(first, numbered)
    return _jsonl(path, rest) if first[1].lstrip().startswith("{") else _csv(path, (line for _, line in rest))


def _again(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


def _csv(path: Path, found: Iterable[str]) -> dict[str, list[Any]]:
    reader = csv.reader(found, strict=True)
    try:
        names = [name.strip() for name in next(reader)]
        _check_names(path, names)
        rows = []
        for row in filter(None, reader):
            if len(row) != len(names):
                raise unreadable(f"{path}:{reader.line_num}", f"{len(names)} columns are wanted, not {len(row)}", HINT)
            rows.append(row)
    except csv.Error as error:
        raise unreadable(f"{path}:{reader.line_num}", f"this is no CSV: {error}", HINT) from error
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {name: [] for name in names}


def _jsonl(path: Path, found: Iterable[tuple[int, str]]) -> dict[str, list[Any]]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    columns: dict[str, list[Any]] = {}
    for row, (number, line) in enumerate((number, line) for number, line in found if line.strip()):
        try:
            values = decoder.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise unreadable(f"{path}:{number}", f"this is no JSON object: {error}", HINT) from error
        if len(columns) > MOST_COLUMNS:
            raise unreadable(f"{path}:{number}", f"more than {MOST_COLUMNS} columns")
        for name, value in values.items():
            column = columns.setdefault(name, [])
            column.extend([None] * (row - len(column)))
            column.append(value)
    most = max(map(len, columns.values()), default=0)
    for column in columns.values():
        column.extend([None] * (most - len(column)))
    return columns


def _parquet(path: Path, limits: Limits) -> dict[str, list[Any]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        message = "Parquet needs the package pyarrow, which is missing"
        raise ExtraMissing(message, hint="pip install 'fairlead[evals]'") from error
    try:
        file = parquet.ParquetFile(path)
        groups = [file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups)]
        if sum(groups) > limits.document:
            raise unreadable(str(path), f"it unpacks to more than {limits.document} bytes")
        _check_names(path, file.schema_arrow.names)
        return file.read().to_pydict()
    except (OSError, pyarrow.ArrowException) as error:
        raise unreadable(str(path), f"this is no Parquet: {error}") from error


def _check_names(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(names) <= MOST_COLUMNS else ["…"]
    if twice:
        raise unreadable(str(path), f"columns that are there twice, or too many: {', '.join(twice)[:200]}", HINT)


def _imported(path: Path, columns: Mapping[str, list[Any]]) -> Imported:
    item = next((name for name in ITEM if name in columns), None)
    if item is None:
        there = ", ".join(list(columns)[:20])
        raise unreadable(str(path), f"there is no column `item` among: {there}", HINT)
    if not columns[item]:
        raise unreadable(str(path), "there are no rows", HINT)
    metrics = _metrics(path, columns)
    by = next((name for name in CANDIDATE if name in columns), None)
    count = len(columns[item])
    name = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    items, models = _cells(columns[item]), _cells(columns[by]) if by else [name] * count
    if "dataset" in columns and "repeat" not in columns and len(set(zip(items, models, strict=True))) < count:
        items = [f"{dataset}/{id}" for dataset, id in zip(_cells(columns["dataset"]), items, strict=True)]
    table = ScoreTable.of(
        items,
        models,
        metrics,
        **_others(path, columns),
        tags=_tags(columns, count),
    )
    return Imported(table, "table", next(iter(metrics)))


def _metrics(path: Path, columns: Mapping[str, list[Any]]) -> dict[str, np.ndarray]:
    """The primary one first. A column that should have scores must; others are metrics where they have numbers."""
    found: dict[str, np.ndarray] = {}
    for name in SCORE:
        if name in columns:
            found[name] = _numbers(path, name, columns[name])
    for name, values in columns.items():
        if name in found or name in KNOWN:
            continue
        try:
            found[name] = _numbers(path, name, values)
        except ResultsUnreadable:
            continue
    if not found:
        raise unreadable(str(path), f"no column has scores: {', '.join(list(columns)[:20])}", HINT)
    return found


def _others(path: Path, columns: Mapping[str, list[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {name: _cells(columns[name]) for name in PLAIN if name in columns}
    if "status" in found:
        found["status"] = [status or "ok" for status in found["status"]]
    found |= {of: _cells(columns[name]) for name, of in TEXTS.items() if name in columns}
    for name in COUNTS:
        if name in columns:
            found[name] = np.nan_to_num(_numbers(path, name, columns[name])).astype(np.int64)
    if "weight" in columns:
        weights = _numbers(path, "weight", columns["weight"])
        found["weight"] = np.where(np.isnan(weights), 1.0, weights)
    for name, (of, unit) in AMOUNTS.items():
        if name in columns:
            amounts = _numbers(path, name, columns[name])
            is_known = (amounts >= 0) & (amounts * unit < 2**62)
            found[of] = np.where(is_known, np.round(np.where(is_known, amounts, 0) * unit), UNKNOWN).astype(np.int64)
    return found


def _tags(columns: Mapping[str, list[Any]], count: int) -> list[tuple[str, ...]]:
    """`category:math`; and as they are, those of a column `tags`: a list, or words between commas."""
    named = [[f"{name}:{cell}" if cell else "" for cell in _cells(columns[name])] for name in TAGS if name in columns]
    plain = columns.get("tags")
    own = [_words(listed) for listed in plain] if plain else [()] * count
    rows = zip(*named, strict=True) if named else [()] * count
    return [(*filter(None, tags), *words) for tags, words in zip(rows, own, strict=True)]


def _words(listed: Any) -> tuple[str, ...]:
    found = listed.split(",") if isinstance(listed, str) else listed or ()
    return tuple(text for word in found if (text := _cell(word).strip()))


def _numbers(path: Path, name: str, values: list[Any]) -> np.ndarray:
    """NaN for blanks. Raises ResultsUnreadable with the row of what is no number."""
    try:
        found = np.array([np.nan if value is None or value == "" else float(value) for value in values])
    except (TypeError, ValueError):
        row, value = next((row, value) for row, value in enumerate(values, 1) if not _is_number(value))
        raise unreadable(f"{path}", f"row {row}: {name} is no number: {as_text(value)[:40]!r}", HINT) from None
    if np.isinf(found).any():
        raise unreadable(str(path), f"row {int(np.isinf(found).argmax()) + 1}: {name} is infinite", HINT)
    return found


def _is_number(value: Any) -> bool:
    try:
        float(value or 0)
    except (TypeError, ValueError):
        return False
    return True


def _cells(values: list[Any]) -> list[str]:
    return [value if type(value) is str else _cell(value) for value in values]


def _cell(value: Any) -> str:
    """Numbers that are whole are the same with and without `.0`, as formats differ in what they make of an id."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return as_text(value)
