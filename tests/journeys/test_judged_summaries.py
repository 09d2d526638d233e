"""The worked example of a summarisation, all the way: two prompts are run, judged by the rubric, labelled by people,
compared as the labels correct the judge, preferred side by side, and told in a report."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.running import fairlead

CONFIG = """\
data_dir = "data"
[server]
listen = "127.0.0.1:0"
admin = "off"
[backends.script]
kind = "script"
zone = "private"
script = "script.toml"
[targets.writer]
backend = "script"
model = "writer-1"
price = { input = 1.0, output = 2.0 }
[targets.critic]
backend = "script"
model = "critic-1"
price = { input = 3.0, output = 4.0 }
[routes.judge]
targets = ["critic"]
"""
# The judge likes what is short, which names no duties; people don't. Whoever is faithful is so in both.
SCRIPT = """\
[[lines]]
when = "(?s)<first-[0-9a-f]+>\\nDuties"
text = '{"reasons": "The second is shorter.", "better": "second"}'
[[lines]]
when = "(?s)<second-[0-9a-f]+>\\nDuties"
text = '{"reasons": "The first is shorter.", "better": "first"}'
[[lines]]
when = "(?s)<answer-[0-9a-f]+>\\nDuties.*<right-"
text = '{"reasons": "Long.", "scores": {"coverage": 3, "obligations": 4}}'
[[lines]]
when = "(?s)<answer-[0-9a-f]+>\\nIn short.*<right-"
text = '{"reasons": "Short.", "scores": {"coverage": 5, "obligations": 4}}'
[[lines]]
when = "(?s)^(?!.*<right-).*<answer-"
text = '{"reasons": "Nothing is made up.", "scores": {"faithfulness": 1}}'
[[lines]]
when = "^Summarise this in at most three sentences, for"
text = "In short: something changes, <b>soon</b>."
[[lines]]
text = "Duties: whoever is concerned must do what the text says by the day that it names."
"""
PAIR = ("last:writer prompt=plain", "last:writer prompt=duties")
CASES = 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fairlead.toml").write_text(CONFIG)
    (tmp_path / "script.toml").write_text(SCRIPT)
    suite = str(tmp_path / "suite")
    assert fairlead(tmp_path, "eval", "init", "summarisation", suite).exit_code == 0
    sweep = ("--sweep", "prompt=plain,duties", "--split", "all")
    done = fairlead(tmp_path, "eval", "run", suite, "--on", "writer", *sweep)
    assert done.exit_code == 0, done.output
    return tmp_path


def compared(folder: Path) -> dict[str, Any]:
    (found,) = json.loads(fairlead(folder, "eval", "compare", *PAIR, "--json").stdout)
    return found


def label(folder: Path) -> None:
    """People find all duties in the one, and hardly any in the other: coverage first, then obligations."""
    for _ in range(2 * CASES):
        screen = fairlead(folder, "eval", "label", "last", "--by", "ada", keys="q").stderr
        keys = "55" if "Duties:" in screen else "21"
        assert fairlead(folder, "eval", "label", "last", "--by", "ada", keys=keys + "q").exit_code == 0


def test_labels_turn_what_a_judge_alone_has_found_and_the_report_tells_both(folder: Path) -> None:
    before = compared(folder)
    assert before["primary"]["metric"] == "coverage" and before["primary"]["people"]["outer"] is None
    assert before["primary"]["verdict"]["paired"]["difference"]["value"] == pytest.approx(-0.25)
    alone = fairlead(folder, "eval", "gate", *PAIR, "--margin", "0.05")
    assert alone.exit_code == 3 and "corrected by no labels" in alone.stdout

    label(folder)
    after = compared(folder)["primary"]
    assert after["people"]["labels"] == CASES and after["people"]["method"] == "labels"
    assert after["people"]["judge_alone"] == pytest.approx(-0.25)
    assert after["people"]["outer"]["value"] == pytest.approx(1 - (0.25 + 0) / 2)
    assert [one["word"] for one in after["said"]] == ["better"]
    guarded = ("--guardrail", "faithfulness=0.5")  # ten cases show no less
    passed = fairlead(folder, "eval", "gate", *PAIR, "--margin", "0.05", *guarded)
    assert passed.exit_code == 0 and "corrected by 10 labels alone" in passed.stdout

    assert fairlead(folder, "eval", "prefer", *PAIR).exit_code == 0
    preference = next(one for one in compared(folder)["others"] if one["metric"] == "preference")
    assert preference["candidate"]["mean"]["value"] == 0.0  # the judge's taste again; nobody has labelled pairs

    out = folder / "report.html"
    assert fairlead(folder, "eval", "report", *PAIR, "-o", str(out), "-o", str(folder / "report.md")).exit_code == 0
    page, text = out.read_text(), (folder / "report.md").read_text()
    for told in ("corrected by 10 labels alone", "What people would say", "preference", "corrected by no labels"):
        assert told in page and told in text
    assert "<b>soon</b>" not in page
    assert "87.5 % (judge) | 62.5 % (judge) | +87.50 points (people)" in text.replace("\\", "")
    difference = next(line for line in text.splitlines() if "prompt=duties \N{MINUS SIGN} writer prompt=plain" in line)
    assert "+0.875" in difference and "1.000" in difference  # no difference is more than all there is


def test_what_it_cost_is_in_the_books_by_what_for(folder: Path) -> None:
    shown = json.loads(fairlead(folder, "eval", "show", "last", "--json").stdout)
    assert {what: one["questions"] for what, one in shown["spent"].items()} == {"answer": 20, "judge": 40}
    calls = json.loads(fairlead(folder, "call", "list", "--limit", "1000", "--json").stdout)
    assert sum(one["cost_nusd"] for one in shown["spent"].values()) == sum(call["cost_nusd"] or 0 for call in calls)
