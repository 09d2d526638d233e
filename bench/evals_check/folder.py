"""The recorded data: whatever files lie in a folder, told apart by their columns, not by their names."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PLACES = ("", "evals", "routing")  # below the folder that was named


class Folder:
    """`tables` and `lines` are files by the names of their columns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = sorted(file for place in PLACES for file in (path / place).glob("*.gz"))
        self.files += sorted(file for place in PLACES for file in (path / place).glob("*.csv"))
        self.beside = self.files

    def only(self, file: Path) -> "Folder":
        """The same with one file to check; golds are found beside it as before."""
        alone = Folder(self.path)
        alone.files, alone.beside = [file], self.files
        return alone

    def tables(self, *columns: str) -> list[Path]:
        """CSV files that have all of these columns."""
        return [file for file in self.files if ".csv" in file.name and set(columns) <= set(header(file))]

    def lines(self, *keys: str) -> list[Path]:
        """Files of JSON lines whose first line has all of these keys."""
        found = []
        for file in self.files:
            if ".jsonl" in file.name:
                first = next(rows_of_json(file), {})
                if set(keys) <= set(first):
                    found.append(file)
        return found

    def items(self, table: Path) -> dict[str, str]:
        """The gold answers of a table's items: of `NAME_items.jsonl.gz`, NAME being the table's name or the start of
        it; empty where there are none."""
        every = Folder(self.path)
        every.files = self.beside
        named = {file.name.partition("_items.jsonl")[0]: file for file in every.lines("item", "gold")}
        fitting = [name for name in named if name and stem(table).startswith(name)] or list(named)[:1] * (
            "gsm8k" in stem(table)
        )
        if not fitting:
            return {}
        return {str(row["item"]): str(row["gold"]) for row in rows_of_json(named[max(fitting, key=len)])}


def stem(path: Path) -> str:
    return path.name.partition(".")[0]


def opened(path: Path) -> Any:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def header(path: Path) -> list[str]:
    with opened(path) as file:
        return next(csv.reader(file), [])


def rows_of_table(path: Path) -> Iterator[dict[str, str]]:
    with opened(path) as file:
        yield from csv.DictReader(file)


def rows_of_json(path: Path) -> Iterator[dict[str, Any]]:
    with opened(path) as file:
        yield from map(json.loads, filter(str.strip, file))
