"""A file of results, whatever harness wrote it: the format is seen by its name and what stands in it."""

from pathlib import Path

from fairlead.errors import ResultsUnreadable
from fairlead.evals.importing import harness, inspect_logs, promptfoo, tables
from fairlead.evals.importing.files import Limits, document, lines, opened
from fairlead.evals.importing.imported import WHOLE, Imported, keys, unreadable

READERS = {
    "table": tables.read,
    "inspect": inspect_logs.read,
    "lm-eval": harness.read,
    "promptfoo": promptfoo.read,
}
ZIP, PARQUET = b"PK", b"PAR1"
ENDINGS = (".eval", ".jsonl", ".csv", ".parquet", ".json")
OTHERS = (".yaml", ".yml", ".html", ".xml")
UNTOLD = "Without --format it is seen what a file is."
HINT = "Give its format: --format " + " | ".join(READERS)


def read(path: Path, format: str | None = None, limits: Limits | None = None) -> Imported:
    """The scores of a file. `format` is one of READERS; None looks. Raises ResultsUnreadable, ExtraMissing."""
    limits = limits or Limits()
    _check_is_file(path)
    try:
        return READERS[format or seen(path, limits)](path, limits)
    except ResultsUnreadable as error:
        if format is None or error.hint:
            raise
        raise ResultsUnreadable(error.message, hint=UNTOLD, file=str(path)) from error


def seen(path: Path, limits: Limits) -> str:
    """The format of a file, by its first bytes and keys, not by its name alone. Raises ResultsUnreadable."""
    if path.suffix.lower() in OTHERS:
        raise unreadable(str(path), f"{path.suffix} is not read", "promptfoo writes JSON too: -o results.json")
    with opened(path) as file:
        start = file.read(4)
    if start[:2] == ZIP:
        return "inspect"
    if start[:1] not in (b"{", b"[", b"\xef") or start == PARQUET:
        return "table"
    first = next(lines(path, limits), (0, ""))[1]
    if not first.lstrip().startswith(("{", "[")):
        return "table"
    return _of_keys(path, keys(first) or keys(document(path, limits)))


def _of_keys(path: Path, names: frozenset[str]) -> str:
    if harness.is_aggregated(names):
        raise unreadable(str(path), "this is what lm-evaluation-harness makes of all samples", harness.AGGREGATED)
    for is_one, format in (
        (harness.is_sample, "lm-eval"),
        (promptfoo.is_result, "promptfoo"),
        (tables.are_of_a_row, "table"),
        (inspect_logs.is_document, "inspect"),
        (promptfoo.is_document, "promptfoo"),
    ):
        if is_one(names):
            return format
    if path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        return "table"  # which tells what is missing
    if not names:
        raise unreadable(str(path), "this is broken JSON", WHOLE)
    raise unreadable(str(path), f"this looks like no results: its keys are {', '.join(sorted(names)[:10])}", HINT)


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise unreadable(str(path), "this is a folder", f"Name a file in it{_such_as(path)}.")
    if not path.is_file():
        raise unreadable(str(path), "there is no such file")


def _such_as(folder: Path) -> str:
    """The likeliest ones."""
    found = {ending: sorted(one.name for one in folder.glob(f"*{ending}")) for ending in ENDINGS}
    names = [name for ending in ENDINGS for name in found[ending]][:3]
    return f", such as {', '.join(names)}" if names else ""
