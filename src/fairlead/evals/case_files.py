"""The cases of a suite's folder: which file or dataset they lie in, and which of its columns says what.

Knows no prompts and no scorers.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import field

from fairlead.config.sections import Section
from fairlead.errors import SuiteInvalid
from fairlead.evals.cases import FIELDS, Case, CaseWrong, read_case
from fairlead.evals.rows import READERS, Row, read_dataset, read_rows

CONTENT = "content"
IDS = ("column", CONTENT)


class CasesSettings(Section, frozen=True, kw_only=True):
    """Where cases lie, and which of their columns is what: our name for it -> theirs, or several of theirs."""

    file: str = ""
    dataset: str = ""
    subset: str = ""
    split: str = "test"
    revision: str = ""
    ids: str = "column"
    vars: tuple[str, ...] | None = None
    columns: dict[str, str | tuple[str, ...]] = field(default_factory=dict)


def read_cases(settings: CasesSettings, folder: Path) -> tuple[Case, ...]:
    """All cases, in the order in which they lie there. Raises SuiteInvalid: one is wrong, or there twice; or none."""
    cases: dict[str, Case] = {}
    places: dict[str, str] = {}
    strict = settings.vars is None and not settings.dataset and _file(settings, folder).suffix.lower() == ".jsonl"
    for where, row in _rows(settings, folder):
        try:
            case = read_case(_arranged(row, settings, strict=strict))
        except CaseWrong as wrong:
            raise SuiteInvalid(f"{where}: {wrong.what}", hint=wrong.hint, file=where) from None
        if settings.ids == CONTENT:
            case = msgspec.structs.replace(case, id=case.content_hash)
        if case.id in cases:
            raise SuiteInvalid(
                f"{where}: the id {case.id!r} is taken by {places[case.id]}",
                hint="the same case twice counts twice: leave one out, or give it an id of its own",
                file=where,
            )
        cases[case.id], places[case.id] = case, where
    if not cases:
        raise SuiteInvalid(f"{folder}: there are no cases", hint="one JSON object per line in cases.jsonl")
    if not any(case.weight for case in cases.values()):
        raise SuiteInvalid(f"{folder}: all cases weigh 0")
    return tuple(cases.values())


def _rows(settings: CasesSettings, folder: Path) -> Iterator[Row]:
    if settings.dataset:
        local = folder / settings.dataset
        name = str(local) if local.is_dir() else settings.dataset
        return read_dataset(name, settings.subset, settings.split, settings.revision)
    return read_rows(_file(settings, folder))


def _file(settings: CasesSettings, folder: Path) -> Path:
    if settings.file:
        return folder / settings.file
    there = [folder / f"cases{ending}" for ending in READERS if (folder / f"cases{ending}").is_file()]
    if len(there) > 1:
        names = ", ".join(path.name for path in there)
        raise SuiteInvalid(f"{folder}: which of {names}?", hint="`[cases] file` says which")
    return there[0] if there else folder / "cases.jsonl"


def _arranged(row: dict[str, Any], settings: CasesSettings, *, strict: bool) -> dict[str, Any]:
    """A row with our names. What is not ours fills prompts: the columns that `vars` names, else all that are left."""
    if strict and not settings.columns and settings.ids != CONTENT:  # as nearly all are: with our names alone
        return {**row, "id": str(row["id"])} if isinstance(row.get("id"), int) else row
    taken: dict[str, Any] = {}
    used: set[str] = set()
    for ours, theirs in settings.columns.items():
        names = (theirs,) if isinstance(theirs, str) else theirs
        for name in names:
            if name not in row:
                raise CaseWrong(f"no column {name!r} for `{ours}`", f"it has {', '.join(map(str, row))}")
        taken[ours] = row[theirs] if isinstance(theirs, str) else {name: row[name] for name in names}
        used.update(names)
    left = {name: value for name, value in row.items() if name not in used}
    for name in list(left):
        if name in FIELDS and name not in taken:
            taken[name] = left.pop(name)
    if settings.ids == CONTENT:
        taken["id"] = CONTENT
    elif isinstance(taken.get("id"), int):
        taken["id"] = str(taken["id"])
    if strict:
        return taken | left
    chosen = left if settings.vars is None else {name: row[name] for name in settings.vars if name in row}
    if settings.vars and (lost := [name for name in settings.vars if name not in row]):
        raise CaseWrong(f"no column {lost[0]!r} for `vars`", f"it has {', '.join(map(str, row))}")
    return taken | ({"vars": {**taken.get("vars", {}), **chosen}} if chosen or "vars" in taken else {})
