"""`make conformance DATA=DIR`: plays recorded traffic through the dialects; a table, in docs and build as well.

Exits with 0 where every API reaches its goal, 1 where one does not, 2 where there is no recorded traffic.
"""

import argparse
import json
import sys
import tomllib
import traceback
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from conformance import prices
from conformance.checks import checks_of
from conformance.records import NOT_SERVED, SERVED, Record, read
from fairlead.errors import FairleadError

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT.parent / "shared" / "data" / "dialects"
GOAL = 0.99
CRASHES = (FairleadError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
SHOWN = 8  # failures that are printed for each check, unless --all


@dataclass
class Tally:
    """`excused` failures have a reason in exceptions.toml; they count as failures of the share all the same."""

    total: int = 0
    refused: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)
    excused: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def share(self) -> float:
        return 1 - (len(self.wrong) + len(self.excused)) / self.total if self.total else 1.0


Table = dict[str, dict[str, Tally]]  # API -> check -> tally


def main() -> int:
    options = argparse.ArgumentParser(prog="conformance", description=__doc__)
    options.add_argument("data", nargs="?", type=Path, default=DATA, help="a folder of recorded traffic")
    options.add_argument("--all", action="store_true", help="print every failure")
    options.add_argument("--only", default="", help="APIs whose names begin so")
    options.add_argument("--no-docs", action="store_true", help="leave docs/conformance.md as it is")
    chosen = options.parse_args()
    if not any(chosen.data.glob("*.jsonl.gz")):
        print(f"conformance: skipped, no recorded traffic in {chosen.data}; say where with DATA=DIR", file=sys.stderr)
        return 2
    table, unserved = _run(chosen.data, chosen.only)
    text = _report(table, unserved)
    print(text)
    _print_failures(table, None if chosen.all else SHOWN)
    if not chosen.only:
        _leave(table, text, docs=not chosen.no_docs)
    return 0 if all(tally.share >= GOAL for checks in table.values() for tally in _overall(checks)) else 1


def _run(data: Path, only: str) -> tuple[Table, dict[str, int]]:
    excuses = tomllib.loads((Path(__file__).parent / "exceptions.toml").read_text(encoding="utf-8"))["exceptions"]
    table: Table = defaultdict(lambda: defaultdict(Tally))
    unserved: dict[str, int] = defaultdict(int)
    for record in read(data):
        if not record.api.startswith(only):
            continue
        if record.api not in SERVED:
            unserved[record.api] += 1
            continue
        try:
            for outcome in checks_of(record):
                tally = table[record.api][outcome.check]
                tally.refused += outcome.refused
                _count(tally, record, outcome.check, outcome.wrong, excuses)
        except CRASHES as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            wrong = f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})"
            _count(table[record.api]["nothing crashes"], record, "nothing crashes", wrong, excuses)
    if not only and (data / "usages.jsonl.gz").exists():
        for row in prices.check(data / "usages.jsonl.gz"):
            told = [(row.name, failure) for failure in row.failures]
            missing = [(row.name, "as those above")] * (row.total - row.passed - len(told))
            table["cost of recorded usages"][row.name] = Tally(row.total, wrong=told + missing)
    return table, unserved


def _count(tally: Tally, record: Record, check: str, wrong: str, excuses: list[dict[str, str]]) -> None:
    tally.total += 1
    if not wrong:
        return
    for excuse in excuses:
        if excuse.get("check", check) == check and excuse["id"] in record.id and excuse.get("says", "") in wrong:
            tally.excused.append((record.id, wrong, excuse["reason"]))
            return
    tally.wrong.append((record.id, wrong))


def _overall(checks: dict[str, Tally]) -> list[Tally]:
    """One tally for an API: all of its checks together."""
    whole = Tally()
    for tally in checks.values():
        whole.total += tally.total
        whole.wrong += tally.wrong
        whole.excused += tally.excused
    return [whole]


def _report(table: Table, unserved: dict[str, int]) -> str:
    lines = ["| API | check | passed | of | share | refused | excused |", "|---|---|--:|--:|--:|--:|--:|"]
    for api, checks in sorted(table.items()):
        for check, tally in checks.items():
            passed = tally.total - len(tally.wrong) - len(tally.excused)
            apart = f"{tally.refused or ''} | {len(tally.excused) or ''}"
            lines.append(f"| {api} | {check} | {passed} | {tally.total} | {tally.share:.2%} | {apart} |")
        [whole] = _overall(checks)
        passed = whole.total - len(whole.wrong) - len(whole.excused)
        lines.append(f"| **{api}** | **all** | **{passed}** | **{whole.total}** | **{whole.share:.2%}** | | |")
    if unserved:
        lines += ["", "Recorded, and not served:", ""]
        for api, count in sorted(unserved.items()):
            lines.append(f"- {api} ({count}): {NOT_SERVED.get(api, 'an API that is not served')}")
    return "\n".join(lines)


def _print_failures(table: Table, most: int | None) -> None:
    for api, checks in sorted(table.items()):
        for check, tally in checks.items():
            for id, wrong in tally.wrong[:most]:
                print(f"  {api} · {check}: {id}: {wrong}", file=sys.stderr)


def _leave(table: Table, text: str, *, docs: bool) -> None:
    goals = []
    for api, checks in sorted(table.items()):
        [whole] = _overall(checks)
        goals.append({"name": api, "goal": GOAL, "value": round(whole.share, 5), "met": whole.share >= GOAL})
        goals += [
            {"name": f"{api}: {check}", "goal": GOAL, "value": round(tally.share, 5), "met": tally.share >= GOAL}
            for check, tally in checks.items()
        ]
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "conformance.json").write_text(json.dumps({"goals": goals}, indent=1) + "\n", encoding="utf-8")
    if docs:
        (ROOT / "docs" / "conformance.md").write_text(_page(table, text), encoding="utf-8")


def _page(table: Table, text: str) -> str:
    head = """# Conformance

Real traffic of providers, recorded by open-source projects for their own tests, played through Fairlead's dialects by
`make conformance DATA=DIR`. What a recording says is read by code of its own (`bench/conformance/facts.py`); what
Fairlead makes of it must be the same. The recordings are not part of this repository. A request "conserved or refused"
is asked of every other language: either all of it arrives, or it is refused before anything is sent, with the path of
what can't be said there (a provider's own tools, a file that lies with it); "refused" counts those.

"""
    excused = {(api, id, why) for api, checks in table.items() for one in checks.values() for id, _, why in one.excused}
    lines = [f"- {api}, `{id}`: {reason}" for api, id, reason in sorted(excused)]
    return head + text + ("\n\nWhat can't pass, and why:\n\n" + "\n".join(lines) if lines else "") + "\n"


if __name__ == "__main__":
    sys.exit(main())
