"""A file of results, whatever harness wrote it: the format is seen by its name and what stands in it."""

from pathlib import Path

from fairlead.evals.importing import harness, inspect_logs, promptfoo, tables
from fairlead.evals.importing.files import Limits, lines, opened
from fairlead.evals.importing.imported import Imported, unreadable

READERS = {
    "table": tables.read,
    "inspect": inspect_logs.read,
    "lm-eval": harness.read,
    "promptfoo": promptfoo.read,
}
ZIP, PARQUET = b"PK", b"PAR1"
HINT = "Give its format: --format " + " | ".join(READERS)


def read(path: Path, format: str | None = None, limits: Limits | None = None) -> Imported:
    """The scores of a file. `format` is one of READERS; None looks. Raises ResultsUnreadable, ExtraMissing."""
    limits = limits or Limits()
    return READERS[format or seen(path, limits)](path, limits)


def seen(path: Path, limits: Limits) -> str:
    """The format of a file, by its first bytes and keys, not by its name alone. Raises ResultsUnreadable."""
    if not path.is_file():
        raise unreadable(str(path), "there is no such file")
    with opened(path) as file:
        start = file.read(4)
    if start[:2] == ZIP:
        return "inspect"
    if start == PARQUET:
        return "table"
    if start[:1] not in (b"{", b"["):
        return "table"
    first = next(lines(path, Limits(limits.total, limits.line, limits.document)), (0, ""))[1]
    if harness.is_sample(first):
        return "lm-eval"
    if tables.is_row(first):
        return "table"
    if path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        return "promptfoo" if promptfoo.is_result(first) else "table"
    return "inspect" if inspect_logs.is_document(path, limits) else "promptfoo"
