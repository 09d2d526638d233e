"""Files of cases -> decoded rows, each with the place where it stands: JSON lines, CSV, Parquet, Hugging Face datasets.

Knows no cases: what a row must hold is said in `cases`, which of its columns mean what in `suite`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fairlead.errors import ExtraMissing, SuiteInvalid
from fairlead.evals.separated import separated

if TYPE_CHECKING:
    from collections.abc import Callable

Row = tuple[str, dict[str, Any]]  # where it stands, and what it holds
JSON_COLUMNS = ("vars", "messages", "turns", "tools", "utility")  # of a table: a cell of them is JSON
_ROW = msgspec.json.Decoder()


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a file, by its ending: .jsonl, .csv, .tsv or .parquet. Raises SuiteInvalid, ExtraMissing."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise SuiteInvalid(f"{path}: no such kind of file", hint=f"cases lie in {', '.join(READERS)}", file=str(path))
    if not path.is_file():
        raise SuiteInvalid(f"{path}: no such file", hint="`[cases] file` names it", file=str(path))
    try:
        yield from reader(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteInvalid(f"{path}: can't be read: {error}", hint="text is UTF-8", file=str(path)) from error


def read_dataset(name: str, subset: str, split: str, revision: str) -> Iterator[Row]:
    """Rows of a Hugging Face dataset: of its hub, of its cache, or a folder that `save_to_disk` wrote."""
    try:
        import datasets
    except ImportError:
        raise ExtraMissing(
            "Hugging Face datasets are not installed", hint="pip install datasets; or convert it to cases.jsonl"
        ) from None
    try:
        if Path(name).is_dir():
            found = datasets.load_from_disk(name)
            rows = found[split] if isinstance(found, datasets.DatasetDict) else found
        else:
            rows = datasets.load_dataset(name, subset or None, split=split, revision=revision or None)
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # its own errors are kinds of these
        raise SuiteInvalid(f"dataset {name}, split {split}: can't be loaded: {error}", file=name) from error
    for number, row in enumerate(rows):
        yield f"{name}[{split}] row {number}", dict(row)  # type: ignore[call-overload]


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                row = _ROW.decode(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise SuiteInvalid(
                    f"{where}: not JSON: {error}", hint="one JSON object per line", file=str(path), line=number
                ) from None
            if not isinstance(row, dict):
                raise SuiteInvalid(f"{where}: a case is a JSON object", file=str(path), line=number)
            yield where, row


def _csv(path: Path) -> Iterator[Row]:
    def wrong(line: int, problem: str) -> SuiteInvalid:
        return SuiteInvalid(f"{path}:{line}: {problem}", file=str(path), line=line)

    with path.open(encoding="utf-8-sig", newline="") as file:
        columns, rows = separated(file, wrong)
        for line, cells in rows:
            where = f"{path}:{line}"
            yield where, _from_text(dict(zip(columns, cells, strict=True)), where)


def _from_text(row: dict[str, str], where: str) -> dict[str, Any]:
    """What is no text in a case is read; an empty cell says nothing."""
    read: dict[str, Any] = {name: cell for name, cell in row.items() if cell != "" or name not in _SAID}
    for name in JSON_COLUMNS:
        if isinstance(cell := read.get(name), str):
            read[name] = decode_cell(cell, name, where)
    if "tags" in read:
        read["tags"] = [tag.strip() for tag in read["tags"].replace(";", ",").split(",") if tag.strip()]
    if "weight" in read:
        try:
            read["weight"] = float(read["weight"])
        except ValueError:
            raise SuiteInvalid(f"{where}: `weight` is no number: {read['weight']!r}") from None
    return read


_SAID = (*JSON_COLUMNS, "cluster", "tags", "weight", "user", "version")


def decode_cell(cell: str, name: str, where: str) -> Any:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SuiteInvalid(f"{where}: `{name}` is not JSON: {error}") from None


def _parquet(path: Path) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ExtraMissing("Parquet needs pyarrow", hint="pip install 'fairlead[evals]'") from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    where = f"{path} row {number}"
                    kept = {name: value for name, value in row.items() if value is not None or name not in _SAID}
                    for name in JSON_COLUMNS:
                        if isinstance(cell := kept.get(name), str):
                            kept[name] = decode_cell(cell, name, where)
                    yield where, kept
                    number += 1
    except pyarrow.ArrowException as error:
        raise SuiteInvalid(f"{path}: not Parquet: {error}", file=str(path)) from error


READERS: "dict[str, Callable[[Path], Iterator[Row]]]" = {
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
}
