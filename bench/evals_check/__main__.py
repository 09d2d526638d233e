"""`make evals-check DATA=DIR`: known results, computed from recorded answers by the product's own functions.

Everything in the folder that has the form is computed and judged alike. Exits with 0 where every goal is met, 1 where
one is not, 2 where there is nothing recorded.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from evals_check import accuracy, judges, pairs, speed, turns
from evals_check.folder import Folder
from evals_check.goals import Goal, Section
from fairlead.errors import FairleadError

CHECKS = (accuracy.check, pairs.check, judges.check, turns.check)
ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT.parent / "shared" / "data"
HEAD = """\
# Known results, reproduced

Made by `make evals-check DATA=DIR` from recorded answers, which are not part of this repository: accuracies, paired
differences, words, gates and flips, judges against people, and slopes over turns, all by the functions that
`fairlead eval` uses. Every table and pair in the folder is treated alike; what was published of one is its goal.
"""


def main() -> int:
    options = argparse.ArgumentParser(prog="evals_check", description=__doc__)
    options.add_argument("data", nargs="?", type=Path, default=DATA, help="a folder of recorded answers")
    options.add_argument("--no-docs", action="store_true", help="leave docs/evals-check.md as it is")
    chosen = options.parse_args()
    folder = Folder(chosen.data)
    if not folder.files:
        print(f"evals-check: skipped, nothing recorded in {chosen.data}; say where with DATA=DIR", file=sys.stderr)
        return 2
    sections = [*(section for check in CHECKS for section in checked(check, folder)), speed.check()]
    goals = [goal for section in sections for goal in section.goals]
    text = page(sections, goals)
    print(text)
    leave(text, goals, docs=not chosen.no_docs)
    missed = [goal for goal in goals if not goal.met]
    for goal in missed:
        print(f"not met: {goal.name}: {goal.goal}: {goal.value}", file=sys.stderr)
    return 1 if missed else 0


def checked(check: Callable[[Folder], Section], folder: Folder) -> list[Section]:
    """One file that can't be read as it should does not keep the others from being checked."""
    try:
        return [check(folder)]
    except (FairleadError, ArithmeticError, LookupError, ValueError):
        found = []
    for file in folder.files:
        try:
            found.append(check(folder.only(file)))
        except (FairleadError, ArithmeticError, LookupError, ValueError) as error:
            broken = Section(file.name)
            broken.check(f"{file.name} is read", "it is", f"{type(error).__name__}: {error}"[:300], False)
            found.append(broken)
    return [section for section in found if section.text or section.goals]


def page(sections: list[Section], goals: list[Goal]) -> str:
    met = sum(goal.met for goal in goals)
    whole = Section("Goals", [f"{met} of {len(goals)} goals are met."])
    whole.table(
        ("what", "goal", "found", "met"), [(of.name, of.goal, of.value, "yes" if of.met else "**no**") for of in goals]
    )
    parts = [f"## {section.title}\n\n{chr(10).join(section.text).strip()}\n" for section in (whole, *sections)]
    return "\n".join([HEAD, *parts])


def leave(text: str, goals: list[Goal], *, docs: bool) -> None:
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    found = json.dumps({"goals": [asdict(goal) for goal in goals]}, indent=2, ensure_ascii=False)
    (build / "evals-check.json").write_text(found + "\n", encoding="utf-8")
    if docs:
        (ROOT / "docs" / "evals-check.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
