"""Tables of anybody's numbers: CSV, JSON, JSONL or Parquet, one row per answer, packed with gzip or not.

| column | what |
|---|---|
| `item` (or `id`, `case`, `question`) | the case |
| `model` (or `candidate`) | who answered; one candidate, named after the file, where there is none |
| `score`, `correct`, `right` | the score, the first of these is the primary metric; blank or NA: missing |
| `cluster` | what is not independent: a conversation, a document |
| `repeat`, `turn`, `weight`, `content_hash`, `gold_version`, `status` | as a score table has them |
| `category`, `dataset`, `split`, `tags` | tags; items that are numbered anew in each dataset are named after it |
| `cost_usd`, `latency_s` | beside the score |
| `answer`, `gold` | texts for people |

Any other column of numbers is a further metric, for whoever asks for it.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import ExtraMissing, ResultsUnreadable
from fairlead.evals.importing.files import Limits, document, lines, start
from fairlead.evals.importing.imported import WHOLE, Imported, as_text, decoded, unreadable
from fairlead.evals.importing.spelling import Unclear, scores
from fairlead.evals.results import STATUSES, UNKNOWN, ScoreTable
from fairlead.evals.separated import separated
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
SCORES = "A score is 1 or 0, TRUE or FALSE, 0.87, 0,87 or 87 %; blank or NA where it is missing."
MOST_COLUMNS = 1000


def are_of_a_row(names: Collection[str]) -> bool:
    """The keys of a JSON object that is a row of such a table?"""
    known = {name.lower() for name in names}
    return not known.isdisjoint(ITEM) and not known.isdisjoint(SCORE)


def read(path: Path, limits: Limits) -> Imported:
    """Raises ResultsUnreadable; ExtraMissing for Parquet without pyarrow."""
    columns = _parquet(path, limits) if start(path, 4) == b"PAR1" else _lines(path, limits)
    return _imported(path, columns)


def _lines(path: Path, limits: Limits) -> dict[str, list[Any]]:
    numbered = lines(path, limits, blank=True)
    first: list[tuple[int, str]] = []
    sign = ""
    for line in numbered:
        first.append(line)
        if sign := line[1].lstrip()[:1]:
            break
    if not sign:
        raise unreadable(str(path), "it is empty", HINT)
    rest = chain(first, numbered)
    if sign == "[":
        rows = decoded(document(path, limits), list[dict[str, Any]], str(path), "this is no list of rows", HINT)
        return _columns(path, enumerate(rows, 1))
    return _jsonl(path, rest) if sign == "{" else _csv(path, (line for _, line in rest))


def _csv(path: Path, found: Iterable[str]) -> dict[str, list[Any]]:
    names, rows = separated(found, lambda line, problem: unreadable(f"{path}:{line}", problem, HINT))
    _check_names(path, names)
    columns = list(map(list, zip(*(cells for _, cells in rows), strict=True)))
    return dict(zip(names, columns or [[] for _ in names], strict=True))


def _jsonl(path: Path, found: Iterable[tuple[int, str]]) -> dict[str, list[Any]]:
    said = "this is no JSON object"
    numbered = ((number, line) for number, line in found if line.strip())
    return _columns(
        path, ((number, decoded(line, dict[str, Any], f"{path}:{number}", said, HINT)) for number, line in numbered)
    )


def _columns(path: Path, rows: Iterable[tuple[int, dict[str, Any]]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for row, (number, values) in enumerate(rows):
        if len(columns) > MOST_COLUMNS:
            raise unreadable(f"{path}:{number}", f"more than {MOST_COLUMNS} columns", HINT)
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
        raise unreadable(str(path), f"this is no Parquet: {error}", WHOLE) from error


def _check_names(path: Path, names: list[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise unreadable(str(path), f"more than {MOST_COLUMNS} columns", HINT)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise unreadable(str(path), f"columns that are there twice: {', '.join(twice)[:200]}", HINT)


def _known(path: Path, columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Columns that mean something here are known however their names are written: `Item`, `SCORE`."""
    names = [name.lower() if name.lower() in (*KNOWN, *SCORE) else name for name in columns]
    _check_names(path, names)
    return dict(zip(names, columns.values(), strict=True))


def _imported(path: Path, columns: Mapping[str, list[Any]]) -> Imported:
    columns = _known(path, columns)
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
    items, models = _named(path, item, columns), _named(path, by, columns) if by else [name] * count
    if "dataset" in columns and "repeat" not in columns and len(set(zip(items, models, strict=True))) < count:
        items = [f"{dataset}/{id}" for dataset, id in zip(_cells(columns["dataset"]), items, strict=True)]
    table = ScoreTable.of(
        items,
        models,
        metrics,
        **_others(path, columns),
        tags=_tags(columns, count),
    )
    return Imported(table, "table", next(iter(metrics)), notes=_notes(columns, next(iter(metrics)), by))


def _named(path: Path, column: str, columns: Mapping[str, list[Any]]) -> list[str]:
    """Who or what a row is of. Raises ResultsUnreadable where a row does not say so."""
    found = _cells(columns[column])
    for row, cell in enumerate(found, 1):
        if not cell.strip():
            raise unreadable(str(path), f"row {row}: {column} is blank", HINT)
    return found


def _notes(columns: Mapping[str, list[Any]], primary: str, by: str | None) -> tuple[str, ...]:
    if any(name in columns for name in SCORE):
        return ()
    notes = [f"no column is named score: the first that has numbers, {primary}, decides unless --metric names another"]
    if by is None:
        notes.append("no column is named model: all rows are one candidate's, named after the file")
    return tuple(notes)


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
        _check_rows(path, "status", columns, [status in STATUSES for status in found["status"]], ", ".join(STATUSES))
    found |= {of: _cells(columns[name]) for name, of in TEXTS.items() if name in columns}
    for name in COUNTS:
        if name in columns:
            counts = np.nan_to_num(_numbers(path, name, columns[name]))
            _check_rows(path, name, columns, (counts >= 0) & (counts < 2**31) & (counts % 1 == 0), "0, 1, 2, …")
            found[name] = counts.astype(np.int64)
    if "weight" in columns:
        weights = _numbers(path, "weight", columns["weight"])
        found["weight"] = np.where(np.isnan(weights), 1.0, weights)
        _check_rows(path, "weight", columns, found["weight"] >= 0, "numbers from 0 up")
    for name, (of, unit) in AMOUNTS.items():
        if name in columns:
            amounts = _numbers(path, name, columns[name])
            is_known = (amounts >= 0) & (amounts * unit < 2**62)
            found[of] = np.where(is_known, np.round(np.where(is_known, amounts, 0) * unit), UNKNOWN).astype(np.int64)
    return found


def _check_rows(path: Path, name: str, columns: Mapping[str, list[Any]], fits: Iterable[Any], wanted: str) -> None:
    """Raises ResultsUnreadable with the first row that does not fit, and with what would."""
    for row, (value, fit) in enumerate(zip(columns[name], fits, strict=True), 1):
        if not fit:
            raise unreadable(str(path), f"row {row}: {name} is {as_text(value)[:40]!r}", f"Wanted are {wanted}.")


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
        found = scores(values)
    except Unclear as error:
        told = f"row {error.at + 1}: {name} {error.problem}: {as_text(values[error.at])[:40]!r}"
        raise unreadable(str(path), told, SCORES) from None
    if np.isinf(found).any():
        raise unreadable(str(path), f"row {int(np.isinf(found).argmax()) + 1}: {name} is infinite", SCORES)
    return found


def _cells(values: list[Any]) -> list[str]:
    return [value if type(value) is str else _cell(value) for value in values]


def _cell(value: Any) -> str:
    """Numbers that are whole are the same with and without `.0`, as formats differ in what they make of an id."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return as_text(value)
