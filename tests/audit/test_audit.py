"""The audit sees what it is there for: a planted old package, a service that is away, a licence that nobody knows."""

import json
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from audit.vulnerabilities import Service, Unanswered

from audit import __main__ as audit
from audit import advisories, licences, locks, materials, vulnerabilities

ADVISORY = """\
id: PYSEC-2019-217
details: A sandbox escape.
affected:
- package:
    name: jinja2
    ecosystem: PyPI
  ranges:
  - type: ECOSYSTEM
    events:
    - introduced: '0'
    - fixed: 2.10.1
aliases:
- CVE-2019-10906
modified: '2026-11-01T00:00:00Z'
published: '2019-04-07T00:29:00Z'
"""
HASH = "--hash=sha256:" + "a" * 64


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A folder with one advisory."""
    (tmp_path / "vulns" / "jinja2").mkdir(parents=True)
    (tmp_path / "vulns" / "jinja2" / "PYSEC-2019-217.yaml").write_text(ADVISORY)
    return tmp_path


def lock_of(folder: Path, *pins: str) -> Path:
    lock = folder / "some.lock"
    lock.write_text("".join(f"{pin} \\\n    {HASH}\n    # via nobody\n" for pin in pins))
    return lock


def test_a_planted_old_package_is_found_with_what_mends_it(known: Path) -> None:
    with advisories.served(known) as url:
        assert vulnerabilities.finds_planted(Service(url))
        (found,) = vulnerabilities.of_lock(lock_of(known, "click==8.2.0", "jinja2==2.10"), Service(url))
        assert vulnerabilities.of_lock(lock_of(known, "click==8.2.0", "jinja2==2.10.1"), Service(url)) == []
    assert (found.package, found.version, found.fixed_in) == ("jinja2", "2.10", ("2.10.1",))
    assert "PYSEC-2019-217" in found.ids


def test_the_whole_audit_fails_on_it(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = lock_of(known, "jinja2==2.10")
    out = known / "out"
    assert audit.main(["--advisories", str(known), "--out", str(out), str(lock)]) == 1
    goals = {goal["name"]: goal for goal in json.loads((out / "audit.json").read_text())["goals"]}
    goal = goals["vulnerable packages in some.lock"]
    assert (goal["value"], goal["met"]) == (1, False)
    assert "FAIL  vulnerable packages in some.lock: 1" in capsys.readouterr().out


def test_who_knows_nothing_of_the_planted_package_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "vulns").mkdir()
    with advisories.served(tmp_path) as url:
        goals = audit._vulnerabilities([], Service(url))
    assert [goal["met"] for goal in goals] == [False]


def test_a_service_that_is_away_has_not_said_no() -> None:
    with pytest.raises(Unanswered):
        vulnerabilities.finds_planted(Service("http://127.0.0.1:9/v1/query"))
    assert [goal["met"] for goal in audit._vulnerabilities([], Service("http://127.0.0.1:9/"))] == [False]


def test_a_pin_without_a_hash_is_not_audited_but_refused(known: Path) -> None:
    lock = known / "bare.lock"
    lock.write_text("click==8.2.0\n")
    with advisories.served(known) as url, pytest.raises(Unanswered):
        vulnerabilities.of_lock(lock, Service(url))


@pytest.mark.parametrize(
    ("version", "is_affected"), [("1.0", False), ("2.0", True), ("2.10", True), ("2.10.1", False), ("3.0rc1", False)]
)
def test_a_range_says_which_versions_it_is_about(known: Path, version: str, is_affected: bool) -> None:
    path = known / "vulns" / "jinja2" / "PYSEC-2019-217.yaml"
    path.write_text(ADVISORY.replace("introduced: '0'", "introduced: '2.0'"))
    assert bool(advisories.find(known, "Jinja2", version)) is is_affected


def test_a_withdrawn_advisory_is_none_and_the_newest_day_is_told(known: Path) -> None:
    path = known / "vulns" / "jinja2" / "PYSEC-2019-217.yaml"
    assert advisories.newest(known) == "2026-11-01"
    path.write_text(ADVISORY + "withdrawn: '2026-11-02T00:00:00Z'\n")
    assert advisories.find(known, "jinja2", "2.10") == []


def test_a_lock_is_read_with_markers_and_hashes(tmp_path: Path) -> None:
    one, other = locks.read(lock_of(tmp_path, "Some_Name==1.2", "wintools==3 ; sys_platform == 'win95'"))
    assert one == locks.Pin("some-name", "1.2", ("a" * 64,), True)
    assert not other.is_for_here


@pytest.mark.parametrize(
    ("expression", "is_allowed"),
    [
        ("MIT", True),
        ("MIT AND Apache-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("AGPL-3.0-or-later", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Anything I Like", False),
        ("", False),
    ],
)
def test_what_is_not_allowed_is_not_allowed(expression: str, is_allowed: bool) -> None:
    assert licences.is_allowed(expression, licences.rules()) is is_allowed


@pytest.mark.parametrize(
    ("lines", "expression"),
    [
        ("License-Expression: MIT", "MIT"),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT"),
        (
            "Classifier: License :: OSI Approved :: MIT License\n"
            "Classifier: License :: OSI Approved :: Apache Software License",
            "Apache-2.0 OR MIT",
        ),
        ("License: Apache-2.0", "Apache-2.0"),
        ("Classifier: License :: OSI Approved :: BSD License", ""),
        ("License: Proprietary", ""),
        ("License: see the file", ""),
        ("Summary: nothing is said", ""),
    ],
)
def test_a_licence_is_what_the_package_says_and_unknown_where_that_is_nothing(
    tmp_path: Path, lines: str, expression: str
) -> None:
    folder = tmp_path / "thing-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: thing\nVersion: 1\n{lines}\n")
    found = licences.of(PathDistribution(folder), "thing", licences.rules())
    assert (found.expression, found.is_allowed) == (expression, bool(expression))


def test_the_bill_of_materials_names_every_pin_with_its_hashes_and_keeps_to_its_schema(tmp_path: Path) -> None:
    folder = tmp_path / "fairlead-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.4\nName: fairlead\nVersion: 1\nRequires-Dist: click>=8\n")
    pins = [locks.Pin("click", "8.2.0", ("a" * 64,), True), locks.Pin("wintools", "3", ("b" * 64,), False)]
    said = {"click": licences.Licence("click", "8.2.0", "BSD-3-Clause", True)}
    text = materials.bill(PathDistribution(folder), pins, {}, said)
    assert materials.is_valid(text)
    bom = json.loads(text)
    assert [part["purl"] for part in bom["components"]] == ["pkg:pypi/click@8.2.0", "pkg:pypi/wintools@3"]
    assert bom["components"][0]["licenses"][0]["license"]["id"] == "BSD-3-Clause"
    (of_ours,) = [one for one in bom["dependencies"] if one["ref"] == "fairlead"]
    assert of_ours["dependsOn"] == ["click==8.2.0"]
    assert not materials.is_valid('{"bomFormat": "Something"}')
