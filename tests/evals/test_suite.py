"""A folder becomes a suite, or an error that says which file, where in it, and what to do."""

import asyncio
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairlead.errors import SuiteInvalid
from fairlead.evals.case_files import CasesSettings
from fairlead.evals.scorers import check_gold, load
from fairlead.evals.suite import (
    ConversationSettings,
    HoldoutSettings,
    JudgeSettings,
    Suite,
    Written,
    read_suite,
)
from fairlead.scoring.score import Output
from rules.house import ROOT

INNER = {
    "cases": CasesSettings,
    "holdout": HoldoutSettings,
    "judge": JudgeSettings,
    "conversation": ConversationSettings,
}

SETTINGS = """\
task = "extraction"

[prompts]
plain = "plain.md"

[scorers.fields]
kind = "json_fields"

[primary]
metric = "fields"
margin = 0.02
"""
CASES = ({"id": "a", "vars": {"text": "one"}, "gold": {"n": 1}}, {"id": "b", "vars": {"text": "two"}, "gold": {"n": 2}})


def folder(at: Path, settings: str = SETTINGS, cases: Any = CASES, prompt: str = "Read {text}") -> Path:
    at.mkdir(exist_ok=True)
    (at / "suite.toml").write_text(settings)
    (at / "plain.md").write_text(prompt)
    lines = cases if isinstance(cases, str) else "".join(json.dumps(case) + "\n" for case in cases)
    (at / "cases.jsonl").write_text(lines)
    return at


def suite(at: Path, **parts: Any) -> Suite:
    return read_suite(folder(at, **parts))


def refused(at: Path, **parts: Any) -> SuiteInvalid:
    with pytest.raises(SuiteInvalid) as caught:
        suite(at, **parts)
    return caught.value


def test_a_folder_is_read(tmp_path: Path) -> None:
    found = suite(tmp_path / "mine")
    assert (found.name, found.task, found.primary.name, found.primary.margin) == ("mine", "extraction", "fields", 0.02)
    assert [case.id for case in found.cases] == ["a", "b"]
    assert found.metrics == ("fields",)
    assert found.prompt.variables == ("text",)


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ("taks = 'x'\n" + SETTINGS, "suite.toml: taks: unknown key", "did you mean `task`?"),
        ("repeats = 0\n" + SETTINGS, "suite.toml: repeats: 0 is not within 1 and 1000", ""),
        ("repeats = 'x'\n" + SETTINGS, "suite.toml: repeats: Expected `int`, got `str`", ""),
        (SETTINGS + "[holdout]\nshar = 1\n", "suite.toml: holdout.shar: unknown key", "did you mean `share`?"),
        (SETTINGS + "[holdout]\nshare = 1.0\n", "suite.toml: holdout.share: 1.0 is not within", ""),
        (SETTINGS + "[guardrails.fields]\n", "suite.toml: guardrails.fields: it guards nothing", "margin"),
        (SETTINGS + "[guardrails.x]\nmargin=1\n", "guardrails.x: no scorer is called 'x'", "one of fields"),
        (SETTINGS.replace("margin = 0.02", ""), "suite.toml: primary.margin: how much less", "margin = 0.02"),
        (SETTINGS.replace("margin = 0.02", "margin = -1"), "suite.toml: primary.margin: must be more than 0", ""),
        (SETTINGS.replace("extraction", "nothing"), "suite.toml: task: 'nothing' is none", "one of extraction"),
        ("zone = 'mine'\n" + SETTINGS, "suite.toml: zone: 'mine' is none", "one of private, contract, public"),
        (SETTINGS.partition("[scorers")[0], "suite.toml: scorers: nothing is scored", "[scorers.NAME]"),
        (SETTINGS.replace("plain.md", "gone.md"), "gone.md: the prompt can't be read", ""),
        (SETTINGS + "[judge]\nrubric = 'gone.md'\n", "suite.toml: judge.rubric: gone.md can't be read", ""),
        ("= 1", "suite.toml: not TOML", "check the line"),
    ],
)
def test_a_wrong_setting_is_told_with_its_path(tmp_path: Path, settings: str, message: str, hint: str) -> None:
    wrong = refused(tmp_path, settings=settings)
    assert message in wrong.message
    assert hint in wrong.hint


@pytest.mark.parametrize(
    ("cases", "message", "hint"),
    [
        ('{"id": "a", "vars": {"text": "x"}}\n{"id": ', "cases.jsonl:2: not JSON", "one JSON object per line"),
        ("[1]\n", "cases.jsonl:1: a case is a JSON object", ""),
        ('\n{"vars": {"text": "x"}}\n', "cases.jsonl:2: it has no `id`", "give each case one"),
        ('{"id": "a", "glod": 1}\n', "cases.jsonl:1: unknown key `glod`", "did you mean `gold`?"),
        ('{"id": "a", "gold": 1}\n', "cases.jsonl:1: it asks nothing", "vars"),
        ('{"id": "a", "vars": 1}\n', "cases.jsonl:1: `vars`: Expected `object`", ""),
        ('{"id": " ", "vars": {"text": "x"}}\n', "cases.jsonl:1: `id` must be printable text", ""),
        ('{"id": "a", "vars": {"text": "x"}, "weight": -1}\n', "cases.jsonl:1: `weight` must be 0 or more", ""),
        ('{"id": "a", "messages": [{}]}\n', "cases.jsonl:1: a message without a `role`", "user"),
        ('{"id": "a", "vars": {"x": "y"}}\n', "case 'a' has no variable `text`", "it has x"),
        ('{"id": "a", "vars": {"text": "x"}, "weight": 0}\n', "all cases weigh 0", ""),
        ("", "there are no cases", "cases.jsonl"),
    ],
)
def test_a_wrong_case_is_told_with_its_line(tmp_path: Path, cases: str, message: str, hint: str) -> None:
    wrong = refused(tmp_path, cases=cases)
    assert message in wrong.message
    assert hint in wrong.hint


def test_two_cases_of_the_same_id_are_refused_with_both_places(tmp_path: Path) -> None:
    wrong = refused(tmp_path, cases=(*CASES, CASES[0]))
    assert "cases.jsonl:3: the id 'a' is taken by" in wrong.message
    assert "cases.jsonl:1" in wrong.message


def test_a_case_is_its_id_its_content_and_its_gold(tmp_path: Path) -> None:
    before = suite(tmp_path).cases[0]
    mended = suite(tmp_path, cases=({"id": "a", "vars": {"text": "one!"}, "gold": {"n": 1}}, CASES[1])).cases[0]
    relabelled = suite(tmp_path, cases=({"id": "a", "vars": {"text": "one"}, "gold": {"n": 3}}, CASES[1])).cases[0]
    versioned = suite(tmp_path, cases=({**CASES[0], "version": "2"}, CASES[1])).cases[0]
    tagged = suite(tmp_path, cases=({**CASES[0], "tags": ["x"], "weight": 2}, CASES[1])).cases[0]
    assert mended.content_hash != before.content_hash
    assert mended.gold_version == before.gold_version
    assert relabelled.content_hash == before.content_hash
    assert len({before.gold_version, relabelled.gold_version, versioned.gold_version}) == 3
    assert (tagged.content_hash, tagged.gold_version) == (before.content_hash, before.gold_version)


def test_the_hash_of_a_suite_names_all_that_was_declared_but_not_where_it_lies(tmp_path: Path) -> None:
    first = suite(tmp_path / "first").hash
    assert suite(tmp_path / "second", cases=CASES[::-1]).hash == first
    others = [
        suite(tmp_path / "o", prompt="Read {text}!").hash,
        suite(tmp_path / "o", cases=CASES[:1]).hash,
        suite(tmp_path / "o", settings=SETTINGS.replace("0.02", "0.03")).hash,
        suite(tmp_path / "o", cases=({**CASES[0], "weight": 2}, CASES[1])).hash,
    ]
    (tmp_path / "o" / "scorers.py").write_text("def mine(answer, case): return 1")
    assert len({first, *others, suite(tmp_path / "o").hash}) == 6


def test_columns_of_another_shape_are_given_our_names(tmp_path: Path) -> None:
    settings = SETTINGS + (
        '[cases]\nfile = "cases.jsonl"\nvars = ["lines"]\n'
        'columns = { id = "row", gold = ["total", "date"], cluster = "company" }\n'
    )
    row = {"row": 7, "lines": ["a", "b"], "total": "1.00", "date": "2020-01-02", "company": "X", "left": "out"}
    case = suite(tmp_path, settings=settings, cases=(row,), prompt="{lines}").cases[0]
    assert (case.id, case.vars, case.cluster) == ("7", {"lines": ["a", "b"]}, "X")
    assert case.gold == {"total": "1.00", "date": "2020-01-02"}
    wrong = refused(tmp_path, settings=settings, cases=({"row": 1},), prompt="{lines}")
    assert "cases.jsonl:1: no column 'total' for `gold`" in wrong.message


SHAPES = {
    "sroie.jsonl": (
        "lines",
        [
            {"id": "000", "lines": ["SHOP SDN BHD", "TOTAL 9.00"], "gold": {"company": "SHOP", "total": "RM9.00"}},
            {"id": "001", "lines": ["OTHER", "25/12/2018"], "gold": {"date": "25/12/2018", "total": None}},
        ],
    ),
    "banking77.jsonl": (
        "text",
        [
            {"split": "train", "row": 1, "text": "my card is lost", "label": "card_lost"},
            {"split": "test", "row": 1, "text": "what is the rate", "label": "exchange_rate"},
        ],
    ),
}


@pytest.mark.parametrize("file", SHAPES)
def test_the_shapes_of_known_collections_are_read_as_the_page_says(tmp_path: Path, file: str) -> None:
    variable, rows = SHAPES[file]
    page = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    [shown] = [block for block in re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE) if file in block]
    metric = "fields" if "fields" in shown else "intent"
    head = f'[primary]\nmetric = "{metric}"\nmargin = 0.02\n[prompts]\nplain = "plain.md"\n'
    folder(tmp_path, head + shown, prompt=f"{{{variable}}}")
    (tmp_path / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_suite(tmp_path)
    ready = load(found)[metric]
    asyncio.run(check_gold([ready], found.cases))
    for case, row in zip(found.cases, rows, strict=True):
        right = row.get("label") or json.dumps({**row["gold"], **({"total": "9"} if row["gold"]["total"] else {})})
        scored = ready.plain(Output(right), case)
        assert scored.score is not None and scored.score.value == 1


def test_ids_may_come_from_the_content(tmp_path: Path) -> None:
    settings = SETTINGS + '[cases]\nids = "content"\nvars = ["text"]\n'
    [case] = suite(tmp_path, settings=settings, cases=({"text": "one", "gold": 1},)).cases
    assert case.id == case.content_hash
    wrong = refused(tmp_path, settings=settings, cases=({"text": "one"}, {"text": "one", "gold": 2}))
    assert "is taken by" in wrong.message


def test_the_settings_that_are_documented_are_all_there_are(tmp_path: Path) -> None:
    [shown] = re.findall(
        r"^```toml\n(name = .*?)^```", (ROOT / "docs/evaluation.md").read_text(), re.DOTALL | re.MULTILINE
    )
    for name in ("rubric.md", "persona.md"):
        (tmp_path / name).write_text("x")
    found = suite(tmp_path, settings=shown, cases=({"id": "a", "text": "x", "company": "y", "total": 1},))
    assert found.cases[0].gold == {"company": "y", "total": 1}
    tables = tomllib.loads(shown)
    for kind, table in ((Written, tables), *((kind, tables[name]) for name, kind in INNER.items())):
        assert {field.name for field in msgspec.structs.fields(kind)} <= table.keys()


def test_no_folder_no_suite(tmp_path: Path) -> None:
    with pytest.raises(SuiteInvalid, match="no suite"):
        read_suite(tmp_path)
