"""Each worked example is a suite that its scorers can do with, and a right answer to its cases is scored as one."""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import fairlead.evals
from fairlead.evals.asking import Asked
from fairlead.evals.cases import Case
from fairlead.evals.contamination import search
from fairlead.evals.conversing import WHOLE, Message, converse, score_turns
from fairlead.evals.holdout import split
from fairlead.evals.prompts import messages
from fairlead.evals.sandbox import available
from fairlead.evals.scorers import Ready, check_gold, load
from fairlead.evals.suite import Suite, read_suite
from fairlead.samples.draw import INVOICES, SCHEMAS, TICKETS, samples
from fairlead.samples.sample import SEEN, UNSEEN, write_answer
from fairlead.scoring.score import Output

FOLDER = Path(fairlead.evals.__file__).parent / "examples"
KINDS = ("classification", "code", "conversation", "extraction", "grounded", "summarisation")
WALLS = available()[0]


def example(kind: str) -> tuple[Suite, dict[str, Ready]]:
    suite = read_suite(FOLDER / kind)
    return suite, load(suite, unsandboxed=True)


def value(ready: Ready, answer: str, case: Case) -> float:
    scored = asyncio.run(ready.score(Output(answer), case))
    assert scored.score is not None, scored.why
    return scored.score.value


def test_there_is_one_of_each_kind() -> None:
    assert sorted(path.parent.name for path in FOLDER.glob("*/suite.toml")) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_sound(kind: str) -> None:
    suite, ready = example(kind)
    assert suite.task == kind
    assert suite.about
    asyncio.run(check_gold(ready.values(), suite.cases))
    parts = split(suite)
    assert abs(len(parts.open) - len(parts.sealed)) <= len(suite.cases) / 10
    assert not parts.across
    assert not search(suite)
    assert all(messages(suite.prompt, case) for case in suite.cases)


@pytest.mark.parametrize(("kind", "task"), [("extraction", INVOICES), ("classification", TICKETS)])
def test_what_was_made_can_be_made_again(kind: str, task: str) -> None:
    drawn = [sample for side in (SEEN, UNSEEN) for sample in samples(task, side, 100, 5)]
    cases = example(kind)[0].cases
    assert [(case.id, case.vars, case.gold, case.tags) for case in cases] == [
        (sample.id, {"text": sample.text}, sample.gold, (sample.split, sample.layout)) for sample in drawn
    ]
    assert messages(example(kind)[0].prompt, cases[0]) == drawn[0].messages


def test_the_schema_of_the_invoices_is_that_of_the_samples() -> None:
    assert json.loads((FOLDER / "extraction" / "invoice.schema.json").read_text()) == SCHEMAS[INVOICES]


@pytest.mark.parametrize("kind", ["extraction", "classification"])
def test_right_json_is_right_by_every_scorer(kind: str) -> None:
    suite, ready = example(kind)
    for case in suite.cases:
        assert {name: value(one, write_answer(case.gold), case) for name, one in ready.items()} == dict.fromkeys(
            ready, 1
        )


def test_a_summary_that_is_right_has_its_terms() -> None:
    suite, ready = example("summarisation")
    for case in suite.cases:
        assert value(ready["rouge"], case.gold["summary"], case) == 1
        assert value(ready["terms"], case.gold["summary"], case) >= 0.8, case.id
        assert value(ready["terms"], case.vars["text"], case) == 1, case.id


def test_answers_from_the_handbook_are_told_from_others() -> None:
    suite, ready = example("grounded")
    for case in suite.cases:
        sources, cites = case.vars["sources"], case.gold.get("cites", [])
        assert set(cites) <= sources.keys()
        answer = " ".join(re.sub(r"[.](?= |$)", f" [{name}].", sources[name]) for name in cites)
        assert value(ready["citations"], answer, case) == (1 if cites else 0), case.id
        other = next(name for name in sources if name not in cites)
        assert value(ready["citations"], f"It costs 77 dollars [{other}].", case) == 0


def test_a_conversation_that_keeps_all_is_right_and_one_that_keeps_nothing_is_not() -> None:
    suite, ready = example("conversation")
    for case in suite.cases:
        golds = case.gold["turns"]
        assert len(golds) == len(case.turns)

        async def all_kept(said: Sequence[Message], golds: list[list[str]] = golds) -> Asked:
            turn = sum(message["role"] == "user" for message in said) - 1
            return Asked(text=" ".join(term.split("|")[0] for term in golds[turn]))

        async def nothing(said: Sequence[Message]) -> Asked:
            return Asked(text="Certainly, whatever you say shall be done at once.")

        for ask, kept in ((all_kept, 1), (nothing, 0)):
            conversation = asyncio.run(converse(case, messages(suite.prompt, case), ask))
            scores = asyncio.run(score_turns(ready, case, conversation))
            whole = {one.metric: one.scored.score.value for one in scores if one.turn == WHOLE and one.scored.score}
            assert whole["kept"] == kept, case.id
            assert (whole["repetition"] < 0.5) == (ask is nothing)


@pytest.mark.skipif(WALLS is None, reason="no sandbox here")
def test_the_hidden_tests_of_code_can_be_passed_and_not_by_doing_nothing() -> None:
    suite = read_suite(FOLDER / "code")
    tests = load(suite)["tests"]
    lines = (Path(__file__).parent / "solutions.jsonl").read_text(encoding="utf-8").splitlines()
    solutions = {row["id"]: row["code"] for row in map(json.loads, lines)}
    assert solutions.keys() == {case.id for case in suite.cases}
    for case in suite.cases:
        entry = case.gold["entry"]
        assert value(tests, f"```python\n{solutions[case.id]}\n```", case) == 1, case.id
        assert value(tests, f"def {entry}(*given): return None", case) == 0, case.id
