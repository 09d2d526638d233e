"""`make audit`: nothing vulnerable, no unknown licence, a bill of materials; and proof that the audit sees something.

Writes `build/sbom.json` and `build/audit.json`, whose goals say what held. Ends with 1 where one did not, also where a
service could not be asked. Nothing is installed or changed.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from audit import advisories, licences, locks, materials, vulnerabilities
from audit.vulnerabilities import Service, Unanswered

ROOT = Path(__file__).resolve().parent.parent
OLD_DAYS = 30  # advisories that nobody renewed for so long say little
Goal = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    asked = _arguments(arguments)
    installed = _installed(asked.python)
    goals: list[Goal] = []
    with _service(asked, goals) as service:
        goals += _vulnerabilities([ROOT / lock for lock in asked.locks], service)
    shipped = locks.read(ROOT / "requirements.lock")
    pins = {pin.name: pin for pin in (*shipped, *locks.read(ROOT / "requirements-dev.lock"))}
    found = [licences.of(installed[name], name, licences.rules()) for name in sorted(pins) if name in installed]
    goals += _licences(found)
    absent = [f"{pin.name}=={pin.version}" for pin in pins.values() if pin.is_for_here and not _is_here(pin, installed)]
    goals.append(_goal("pinned packages that are not installed as pinned", len(absent), 0, of=absent))
    text = materials.bill(installed["fairlead"], shipped, installed, {one.package: one for one in found})
    goals.append(_goal("the bill of materials is valid (1: yes)", int(materials.is_valid(text)), 1))
    asked.out.mkdir(exist_ok=True)
    (asked.out / "sbom.json").write_text(text + "\n", encoding="utf-8")
    (asked.out / "audit.json").write_text(json.dumps({"goals": goals}, indent=1) + "\n", encoding="utf-8")
    for goal in goals:
        print(f"{'ok  ' if goal['met'] else 'FAIL'}  {goal['name']}: {goal['value']} (goal {goal['goal']})")
        for line in goal["of"]:
            print(f"        {line}")
    return 0 if all(goal["met"] for goal in goals) else 1


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make audit", description="Known vulnerabilities, licences, an SBOM.")
    parser.add_argument("--python", type=Path, default=ROOT / ".venv/bin/python", help="whose packages are looked at")
    parser.add_argument("--osv-url", default="", help="ask this OSV service instead of PyPI")
    parser.add_argument("--advisories", type=Path, help="ask a checkout of github.com/pypa/advisory-database instead")
    parser.add_argument("--out", type=Path, default=ROOT / "build")
    parser.add_argument("locks", nargs="*", default=sorted(path.name for path in ROOT.glob("requirements*.lock")))
    return parser.parse_args(arguments)


@contextmanager
def _service(asked: argparse.Namespace, goals: list[Goal]) -> Iterator[Service]:
    if asked.advisories is None:
        yield Service(asked.osv_url)
        return
    day = advisories.newest(asked.advisories)
    age = (datetime.now(UTC).date() - date.fromisoformat(day)).days if day else None
    goals.append(_goal(f"days since the advisories were changed ({day or 'there are none'})", age, OLD_DAYS))
    with advisories.served(asked.advisories) as url:
        yield Service(url)


def _vulnerabilities(paths: list[Path], service: Service) -> list[Goal]:
    try:
        sees = vulnerabilities.finds_planted(service)
    except Unanswered as error:
        return [_goal("vulnerabilities: the service could not be asked", None, 0, of=[str(error)])]
    goals = [_goal("a planted old package is found (1: yes)", int(sees), 1)]
    for path in paths:
        try:
            found = vulnerabilities.of_lock(path, service)
        except Unanswered as error:
            goals.append(_goal(f"{path.name}: not all could be asked about", None, 0, of=[str(error)]))
            continue
        lines = [f"{one.package} {one.version}: {', '.join(one.ids)}; fixed in {one.fixed_in}" for one in found]
        goals.append(_goal(f"vulnerable packages in {path.name}", len(found), 0, of=lines))
    return goals


def _licences(found: list[licences.Licence]) -> list[Goal]:
    for one in found:
        print(f"{one.package:32} {one.version:16} {one.expression or '?'}")
    unknown = [f"{one.package} {one.version}" for one in found if not one.expression]
    refused = [f"{one.package}: {one.expression}" for one in found if one.expression and not one.is_allowed]
    return [
        _goal("packages of unknown licence", len(unknown), 0, of=unknown),
        _goal("packages whose licence is not allowed", len(refused), 0, of=refused),
    ]


def _goal(name: str, value: int | None, goal: int, of: list[str] | None = None) -> Goal:
    """`goal` 1 is a yes that must be there, any other the most that may be."""
    met = value is not None and (value == 1 if goal == 1 else value <= goal)
    return {"name": name, "value": value, "goal": goal, "met": met, "of": of or []}


def _installed(python: Path) -> dict[str, Distribution]:
    """By name, in the environment of that interpreter."""
    say = "import sysconfig; print(sysconfig.get_path('purelib')); print(sysconfig.get_path('platlib'))"
    folders = subprocess.run([python, "-c", say], capture_output=True, text=True, check=True).stdout.split("\n")
    return {canonicalize_name(one.name): one for one in distributions(path=[*dict.fromkeys(filter(None, folders))])}


def _is_here(pin: locks.Pin, installed: dict[str, Distribution]) -> bool:
    return pin.name in installed and installed[pin.name].version == pin.version


if __name__ == "__main__":
    sys.exit(main())
