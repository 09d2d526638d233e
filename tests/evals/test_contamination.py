"""Cases are found where they should not stand: in prompts, examples, documents and training data."""

import json
from pathlib import Path

import pytest

from fairlead.errors import SuiteInvalid
from fairlead.evals.contamination import search
from fairlead.evals.suite import Suite, read_suite

FORM = "please answer the following question as briefly as you can and nothing else"
TEXTS = [f"{FORM} what is the {n} colour of the house number {n} in street {n} of town {n}" for n in range(40)]


def suite(at: Path, prompt: str = "Say it. {text}") -> Suite:
    at.mkdir(exist_ok=True)
    (at / "suite.toml").write_text(
        '[scorers.exact]\n[primary]\nmetric = "exact"\nmargin = 0.02\n[prompts]\nplain = "p.md"\n'
    )
    (at / "p.md").write_text(prompt)
    cases = [
        {"id": f"c{n}", "vars": {"text": text}, "gold": f"the gold answer number {n} is this colour"}
        for n, text in enumerate(TEXTS)
    ]
    (at / "cases.jsonl").write_text("\n".join(map(json.dumps, [*cases, {"id": "s", "vars": {"text": "short one"}}])))
    return read_suite(at)


def found(suite: Suite, *others: Path) -> list[tuple[str, str, str]]:
    return [(leak.case, leak.part, leak.kind) for leak in search(suite, others)]


def test_a_clean_suite_has_no_leaks_although_its_cases_share_their_form(tmp_path: Path) -> None:
    assert found(suite(tmp_path, FORM + ": {text}")) == []


def test_an_example_in_a_prompt_that_is_a_case_is_found(tmp_path: Path) -> None:
    leaky = suite(tmp_path, f"Example: {TEXTS[3].upper()}!\nNow: {{text}}")
    assert found(leaky) == [("c3", "asked", "exact")]
    assert search(leaky)[0].where == str(tmp_path / "p.md")


def test_a_gold_answer_in_a_prompt_is_found(tmp_path: Path) -> None:
    assert found(suite(tmp_path, "It may be: the gold answer number 5 is this colour. {text}")) == [
        ("c5", "gold", "exact")
    ]


def test_training_data_is_searched_line_by_line(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": "nothing"}]},
        {"text": f"some words, {TEXTS[7]}; and after"},
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    [leak] = search(suite(tmp_path / "s"), [tmp_path / "train.jsonl"])
    assert (leak.case, leak.kind, leak.where) == ("c7", "exact", f"{tmp_path}/train.jsonl:2")


def test_half_of_a_case_is_near(tmp_path: Path) -> None:
    cut = TEXTS[9].split()
    (tmp_path / "doc.txt").write_text(" ".join(cut[:-3]))
    assert found(suite(tmp_path / "s"), tmp_path / "doc.txt") == [("c9", "asked", "near")]


def test_a_folder_of_documents_is_searched_and_other_files_there_are_not(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text(TEXTS[1])
    (docs / "b.bin").write_bytes(b"\xff\xfe")
    assert found(suite(tmp_path / "s"), docs) == [("c1", "asked", "exact")]
    with pytest.raises(SuiteInvalid, match="can't be read"):
        found(suite(tmp_path / "s"), docs / "b.bin")
