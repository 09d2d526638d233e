"""A judge that says what a test wants, and suites that name it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from fairlead.chat import Usage
from fairlead.evals.asking import Asked, Question
from fairlead.evals.suite import Suite
from fairlead.store.evals.answers import AnswerRow

RUBRIC = """Judge the summary for somebody who was not there.

## coverage, 1 to 5, weight 3
Are the decisions there?
- 1: most are missing
- 5: all are there

## faithfulness, 0 to 1
Is nothing made up?
"""

Says = Callable[[str, int], Any]  # what it is shown, and how often it was asked before


class ScriptedJudge:
    """Says what `says` gives of the material that it is shown: a text, a value to be said as JSON, or an Asked."""

    def __init__(self, says: Says, *, cost_nusd: int | None = 1000, model: str = "judge-2026-01") -> None:
        self.says = says
        self.cost_nusd = cost_nusd
        self.model = model
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Asked:
        said = self.says(question.body["messages"][1]["content"], len(self.asked))
        self.asked.append(question)
        if isinstance(said, Asked):
            return said
        text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
        return Asked(
            text=text, model=self.model, target="big", cost_nusd=self.cost_nusd, usage=Usage(input=100, output=10)
        )


def scored(coverage: Any, faithfulness: Any = 1) -> dict[str, Any]:
    return {"reasons": "because", "scores": {"coverage": coverage, "faithfulness": faithfulness}}


def better(side: str) -> dict[str, str]:
    return {"reasons": "because", "better": side}


def answered(
    suite: Suite,
    candidates: tuple[str, ...] = ("a", "b"),
    *,
    repeats: int = 1,
    says: Callable[[str, str, int], str] = lambda candidate, item, repeat: f"{candidate} of {item}, {repeat}",
    **columns: Any,
) -> list[AnswerRow]:
    """What candidates answered to all cases of a suite."""
    return [
        AnswerRow(
            run="run1",
            candidate=candidate,
            item=case.id,
            repeat=repeat,
            at_us=1,
            text=says(candidate, case.id, repeat),
            **columns,
        )
        for candidate in candidates
        for case in suite.cases
        for repeat in range(repeats)
    ]


def suite_folder(folder: Path, cases: int = 3, *, rubric: str = RUBRIC, extra: str = "", judge: str = "") -> Path:
    """A folder with a judged suite of so many cases."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.toml").write_text(
        f"""task = "summarisation"
{extra}
[prompts]
plain = "plain.md"
[scorers.quality]
kind = "rubric"
[primary]
metric = "quality"
margin = 0.05
[judge]
route = "judge"
rubric = "rubric.md"
{judge}
""",
        encoding="utf-8",
    )
    (folder / "rubric.md").write_text(rubric, encoding="utf-8")
    (folder / "plain.md").write_text("Sum up: {text}", encoding="utf-8")
    lines = [
        msgspec.json.encode({"id": f"m{at}", "vars": {"text": f"Meeting {at}: we ship."}, "gold": f"Shipping {at}."})
        for at in range(cases)
    ]
    (folder / "cases.jsonl").write_bytes(b"\n".join(lines))
    return folder
