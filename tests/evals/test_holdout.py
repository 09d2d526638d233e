"""What is sealed stays sealed, whatever is added; and what it could show is known."""

from pathlib import Path
from typing import Any

import pytest

from fairlead.evals.cases import Case, read_case
from fairlead.evals.holdout import split as split_suite
from fairlead.evals.holdout import split_cases, strength
from fairlead.evals.suite import Suite, read_suite


def case(id: str, text: str = "", **parts: Any) -> Case:
    return read_case({"id": id, "vars": {"text": text or f"the only text of {id} and its {id} words"}, **parts})


MANY = [case(f"c{number}") for number in range(400)]


def sealed(cases: list[Case], share: float = 0.5, seed: int = 0) -> set[str]:
    return set(split_cases(cases, share, 0.8, seed).sealed)


def test_about_the_declared_share_is_sealed_by_the_seed() -> None:
    assert 160 < len(sealed(MANY)) < 240
    assert 40 < len(sealed(MANY, 0.2)) < 120
    assert sealed(MANY, 0) == set()
    assert sealed(MANY, seed=1) != sealed(MANY)


def test_both_sides_together_are_all_cases_in_their_order() -> None:
    parts = split_cases(MANY, 0.5, 0.8, 0)
    assert parts.side("all") == {one.id for one in MANY}
    assert not parts.side("open") & parts.side("sealed")
    assert list(parts.open) == [one.id for one in MANY if one.id in parts.side("open")]


def test_a_larger_share_seals_more_and_opens_nothing() -> None:
    assert sealed(MANY, 0.3) < sealed(MANY, 0.6)


def test_nothing_changes_sides_when_cases_are_added() -> None:
    before = split_cases(MANY, 0.5, 0.8, 0)
    likes = [case(f"n{number}", MANY[number].vars["text"] + " too") for number in range(50)]
    after = split_cases([*MANY, *likes, *(case(f"d{number}") for number in range(100))], 0.5, 0.8, 0)
    assert before.side("open") <= after.side("open")
    assert before.side("sealed") <= after.side("sealed")


def test_clusters_are_never_parted() -> None:
    cases = [case(f"c{number}", cluster=f"doc{number % 40}") for number in range(400)]
    side = {one.id: one.id in sealed(cases) for one in cases}
    assert len({(one.cluster, side[one.id]) for one in cases}) == 40


def test_near_duplicates_are_never_parted() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve thirteen"
    cases = [case(f"{number}", f"{text} {'x' * (number % 3)}") for number in range(30)]
    parts = split_cases(cases, 0.5, 0.8, 0)
    assert len(parts.sealed) in (0, 30)
    assert {later for _, later in parts.near} == {str(number) for number in range(1, 30)}
    assert parts.across == ()


def test_a_duplicate_of_both_sides_is_told() -> None:
    opened, shut = next((a, b) for a in MANY for b in MANY if a.id not in sealed(MANY) and b.id in sealed(MANY))
    copies = [case("x", opened.vars["text"], cluster="both"), case("y", shut.vars["text"], cluster="both")]
    parts = split_cases([*MANY, *copies], 0.5, 0.8, 0)
    assert parts.across == ((shut.id, "y"),)


def suite(at: Path, cases: int, cluster: int = 1) -> Suite:
    (at / "suite.toml").write_text(
        '[scorers.exact]\n[primary]\nmetric = "exact"\nmargin = 0.02\n[holdout]\nshare = 0.5\n[prompts]\np = "p.md"\n'
    )
    (at / "p.md").write_text("{text}")
    rows = [f'{{"id": "{n}", "vars": {{"text": "w{n}"}}, "cluster": "{n // cluster}"}}' for n in range(cases)]
    (at / "cases.jsonl").write_text("\n".join(rows))
    return read_suite(at)


def test_a_hold_out_says_what_it_could_show(tmp_path: Path) -> None:
    found = suite(tmp_path, 400)
    parts = split_suite(found)
    shown = strength(found, parts)
    assert shown is not None
    assert shown.cases == len(parts.sealed)
    assert shown.formula == pytest.approx(0.31, abs=0.03)
    assert not shown.is_enough
    assert shown.needed is not None
    assert 900 < shown.needed < 1000


def test_clusters_show_less(tmp_path: Path) -> None:
    single = strength(found := suite(tmp_path, 3000), split_suite(found))
    clustered = strength(found := suite(tmp_path, 3000, 10), split_suite(found))
    assert single is not None
    assert clustered is not None
    assert single.is_enough
    assert not clustered.is_enough


def test_without_a_sealed_part_there_is_nothing_to_show(tmp_path: Path) -> None:
    found = suite(tmp_path, 10)
    assert strength(found, split_cases(found.cases, 0, 0.8, 0)) is None
