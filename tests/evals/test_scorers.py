"""A suite's scorers are found and held against their options; one that fails makes a score missing."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from fairlead.errors import SuiteInvalid
from fairlead.evals.asking import Asked, Question
from fairlead.evals.scorers import Ready, check_gold, load
from fairlead.evals.suite import Suite, read_suite
from fairlead.scoring.score import Output, Score

CASES = ({"id": "a", "vars": {"text": "one"}, "gold": {"n": 1, "words": "one two"}},)


def suite(at: Path, scorers: str, code: str = "", cases: Any = CASES) -> Suite:
    at.mkdir(exist_ok=True)
    (at / "suite.toml").write_text(
        f'[prompts]\np = "p.md"\n[primary]\nmetric = "it"\nmargin = 0.02\n[scorers.it]\n{scorers}\n'
    )
    (at / "p.md").write_text("{text}")
    (at / "schema.json").write_text('{"type": "object"}')
    (at / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    if code:
        (at / "scorers.py").write_text(code)
    return read_suite(at)


def ready(at: Path, scorers: str, code: str = "", **means: Any) -> tuple[Ready, Suite]:
    found = suite(at, scorers, code)
    return load(found, **means)["it"], found


def test_a_shipped_scorer_is_found_with_its_options(tmp_path: Path) -> None:
    one, found = ready(tmp_path, 'kind = "json_fields"\nfields = { n = "number" }')
    scored = one.plain(Output('{"n": "1", "words": "one two"}'), found.cases[0])
    assert scored.score is not None
    assert scored.score.value == 1


def test_an_option_may_be_a_file_and_the_gold_a_part_of_the_cases(tmp_path: Path) -> None:
    one, found = ready(tmp_path, 'kind = "json_valid"\nschema = "schema.json"')
    assert one.plain(Output("[]"), found.cases[0]).score.value == 0  # type: ignore[union-attr]
    one, found = ready(tmp_path, 'kind = "rouge"\ngold = "words"')
    assert one.plain(Output("one two"), found.cases[0]).score.value == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("scorers", "message", "hint"),
    [
        ('kind = "jsonfields"', "scorers.it.kind: no scorer is called 'jsonfields'", "json_fields"),
        (
            'kind = "rouge"\nkinds = 1',
            "scorers.it.kinds: unknown option",
            "gold, limit_s, stem, utility, variant",
        ),
        ('kind = "rouge"\nstem = "yes"', "scorers.it.stem: Expected `bool`, got `str`", ""),
        ('kind = "json_valid"\nschema = "gone.json"', "scorers.it.schema: gone.json can't be read", ""),
        ('kind = "similarity"', "scorers.it.route: this scorer wants it", ""),
        ('kind = "exact"\ngold = 1', "scorers.it.gold: expected text", ""),
    ],
)
def test_what_is_wrong_with_a_scorer_is_told(tmp_path: Path, scorers: str, message: str, hint: str) -> None:
    with pytest.raises(SuiteInvalid) as caught:
        load(suite(tmp_path, scorers))
    assert message in caught.value.message
    assert hint in caught.value.hint


OWN = """
def length(output, case, *, most: int = 3):
    return len(output.text) <= most, {"length": len(output.text)}

def breaks(output, case):
    return 1 / 0

def odd(output, case):
    return float("nan")
"""


def test_a_suite_has_scorers_of_its_own_as_plain_functions(tmp_path: Path) -> None:
    one, found = ready(tmp_path, 'kind = "length"\nmost = 2', OWN)
    scored = one.plain(Output("abc"), found.cases[0])
    assert scored.score is not None
    assert (scored.score.value, scored.score.reasons) == (0.0, {"length": 3})


@pytest.mark.parametrize("kind", ["breaks", "odd"])
def test_a_scorer_that_fails_is_missing_and_says_why(tmp_path: Path, kind: str) -> None:
    one, found = ready(tmp_path, f'kind = "{kind}"', OWN)
    scored = one.plain(Output("abc"), found.cases[0])
    assert scored.score is None
    assert "scorer it" in scored.why


def test_scorers_that_do_not_load_are_told(tmp_path: Path) -> None:
    with pytest.raises(SuiteInvalid, match=r"scorers\.py: SyntaxError"):
        load(suite(tmp_path, 'kind = "mine"', "def mine(:"))


def test_a_failed_answer_scores_nothing_and_is_not_missing(tmp_path: Path) -> None:
    one, found = ready(tmp_path, 'kind = "exact"\ngold = "words"')
    assert one.failed("timeout", found.cases[0]).score == Score(0.0, {"status": "timeout"})


def test_a_score_may_be_told_as_what_it_is_worth(tmp_path: Path) -> None:
    cases = [{**CASES[0], "utility": {"right": 10, "wrong": -50}}, {**CASES[0], "id": "b"}]
    found = suite(tmp_path, 'kind = "exact"\ngold = "words"\nutility = true', cases=cases)
    one = load(found)["it"]

    def worth(text: str, case: int) -> float | None:
        scored = one.plain(Output(text), found.cases[case]).score
        return scored and scored.value

    assert [worth("one two", 0), worth("no", 0), worth("one two", 1), worth("no", 1)] == [10, -50, 1, 0]
    refused = one.failed("refused", found.cases[0]).score
    assert refused is not None and refused.value == -50


def test_a_gold_that_a_scorer_can_do_nothing_with_is_found_before_anybody_is_asked(tmp_path: Path) -> None:
    found = suite(tmp_path, 'kind = "number"')
    with pytest.raises(SuiteInvalid, match="case 'a': scorer it: the gold is no number"):
        asyncio.run(check_gold(load(found).values(), found.cases))
    found = suite(tmp_path, 'kind = "number"\ngold = "m"')
    with pytest.raises(SuiteInvalid, match="the gold has no part 'm'"):
        asyncio.run(check_gold(load(found).values(), found.cases))
    found = suite(tmp_path, 'kind = "number"\ngold = "n"')
    asyncio.run(check_gold(load(found).values(), found.cases))


def test_the_version_of_a_scorer_changes_with_its_options_its_files_and_its_code(tmp_path: Path) -> None:
    first = ready(tmp_path, 'kind = "length"', OWN)[0].version
    assert ready(tmp_path, 'kind = "length"', OWN)[0].version == first
    versions = {
        first,
        ready(tmp_path, 'kind = "length"\nmost = 4', OWN)[0].version,
        ready(tmp_path, 'kind = "length"', OWN + "\n")[0].version,
        ready(tmp_path, 'kind = "json_valid"')[0].version,
        ready(tmp_path, 'kind = "json_valid"\nschema = "schema.json"')[0].version,
    }
    assert len(versions) == 5


class Vectors:
    """Answers embeddings from a table."""

    def __init__(self, known: dict[str, tuple[float, ...]]) -> None:
        self.known = known

    async def ask(self, question: Question) -> Asked:
        texts = question.body["input"]
        if any(text not in self.known for text in texts):
            return Asked(status="failed", message="no such text")
        return Asked(vectors=tuple(self.known[text] for text in texts))


def test_similarity_asks_a_route_for_vectors(tmp_path: Path) -> None:
    asker = Vectors({"one two": (1.0, 0.0), "near": (1.0, 1.0), "far": (-1.0, 0.0)})
    one, found = ready(tmp_path, 'kind = "similarity"\nroute = "vectors"\ngold = "words"', asker=asker)

    def value(text: str) -> float | None:
        scored = asyncio.run(one.score(Output(text), found.cases[0])).score
        return scored and scored.value

    assert value("near") == pytest.approx(0.5**0.5)
    assert value("far") == 0
    assert value("") == 0
    assert value("unknown") is None
