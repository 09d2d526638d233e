"""Files as the other harnesses themselves wrote them (real/README.md says with what): what the tools were told to give
is what is read."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import FairleadError, ResultsUnreadable
from fairlead.evals.importing.imported import Imported
from fairlead.evals.importing.reading import READERS, read

REAL = Path(__file__).parent / "real"
OF_LM_EVAL = REAL / "lm-eval-0.4.13" / "someone__sums-1b"
PROMPTFOO = ["promptfoo-0.121.20.json.gz", "promptfoo-0.121.20.jsonl", "promptfoo-0.80.3.json.gz"]
NAN = np.nan


def lm_eval(task: str) -> Imported:
    (path,) = OF_LM_EVAL.glob(f"samples_{task}_*.jsonl")
    return read(path)


def of_epoch(found: Imported, metric: str) -> list[float]:
    return found.table.metrics[metric][found.table.repeat == 0].tolist()


def same(found: list[float], wanted: list[float]) -> bool:
    return np.array_equal(found, wanted, equal_nan=True)


# --- Inspect ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["inspect-0.3.285.eval", "inspect-0.3.40.json.gz"])
def test_a_log_of_inspect_has_what_its_scorers_gave(file: str) -> None:
    found = read(REAL / file)
    table = found.table
    assert (found.format, found.primary, len(table), table.candidates) == ("inspect", "match", 10, ("mockllm/model",))
    assert table.item[:5].tolist() == [f"sum-{number}" for number in range(1, 6)]
    assert table.cluster[:2].tolist() == ["c1", "c0"]
    assert same(of_epoch(found, "letters"), [0, 0.5, 0, 1, NAN])  # I, P, N, C and no score
    assert same(of_epoch(found, "match"), [1, 1, 1, 1, NAN])
    assert same(of_epoch(found, "manner.kind"), [0.25, 0.25, 0.25, 0.25, NAN])
    assert (table.asked[0], table.wanted[0], table.said[0]) == ("What is 1 + 1?", "2", "It is 2")


@pytest.mark.parametrize("file", ["inspect-0.3.285.eval", "inspect-0.3.40.json.gz"])
def test_a_score_that_is_nan_is_missing_as_inspect_has_it(file: str) -> None:
    assert same(of_epoch(read(REAL / file), "unsure"), [0.5, 0.5, NAN, 0.5, NAN])


def test_a_word_that_is_no_score_is_missing_and_told() -> None:
    found = read(REAL / "inspect-0.3.285.eval")
    assert same(of_epoch(found, "manner.word"), [1, NAN, 1, 1, NAN])
    assert "manner.word: scores such as maybe are no numbers, and missing" in found.notes


def test_samples_that_ended_in_an_error_are_told_with_the_first_error() -> None:
    (told, *_) = read(REAL / "inspect-0.3.285.eval").notes
    assert told.startswith("2 of 10 samples ended in an error") and "the tool is gone" in told


def test_a_log_of_a_run_that_was_killed_is_refused_with_the_way_to_save_it() -> None:
    with pytest.raises(ResultsUnreadable, match="no finished log") as refused:
        read(REAL / "inspect-killed.eval")
    assert "inspect log recover" in refused.value.hint


# --- lm-evaluation-harness -------------------------------------------------------------------------------------------


def test_a_multiple_choice_is_told_with_the_choice_that_was_likeliest() -> None:
    found = lm_eval("sums_choice")
    table = found.table
    assert (found.format, found.primary, table.candidates) == ("lm-eval", "acc", ("someone/sums-1b",))
    assert table.metrics["acc"].tolist() == [0, 1, 0] and list(table.metrics) == ["acc"]
    assert table.wanted.tolist() == ["two", "four", "six"] and table.said.tolist()[:2] == ["four", "four"]
    assert table.asked[0] == "What is 1 + 1?\nAnswer:" and found.facts["version"] == "0.4.13"


def test_a_list_of_samples_as_older_harnesses_wrote_it_has_the_same_cases() -> None:
    old, new = read(REAL / "lm-eval-0.4.2" / "_sums_choice.jsonl").table, lm_eval("sums_choice").table
    assert old.metrics["acc"].tolist() == [1, 0, 0] and old.said.tolist()[0] == "two"
    for column in ("item", "content_hash", "gold_version", "asked", "wanted"):
        assert getattr(old, column).tolist() == getattr(new, column).tolist()


def test_of_a_metric_of_which_less_is_better_the_sign_is_turned() -> None:
    found = lm_eval("sums_said")
    assert list(found.table.metrics) == [
        "exact_match,first",
        "letters_off,first",
        "exact_match,majority",
        "letters_off,majority",
    ]
    assert found.table.metrics["letters_off,first"].tolist() == [0, -1, 0]
    assert "of letters_off,first less is better: its sign is turned" in found.notes


def test_a_document_is_one_case_whatever_the_prompt_was() -> None:
    choice, said = lm_eval("sums_choice").table, lm_eval("sums_said").table
    assert choice.content_hash.tolist() == said.content_hash.tolist() and len(set(choice.content_hash)) == 3


def test_metrics_of_a_whole_task_only_are_refused_with_the_reason() -> None:
    with pytest.raises(ResultsUnreadable, match="no sample has the value of a metric") as refused:
        lm_eval("sums_rolling")
    assert "of a whole task" in refused.value.hint


def test_results_without_samples_are_told_from_samples() -> None:
    (path,) = OF_LM_EVAL.glob("results_*.json")
    with pytest.raises(ResultsUnreadable, match="makes of all samples") as refused:
        read(path)
    assert "--log_samples" in refused.value.hint


# --- promptfoo -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", PROMPTFOO)
def test_results_of_promptfoo_have_a_candidate_for_each_provider_and_prompt(file: str) -> None:
    found = read(REAL / file)
    table = found.table
    by = [(provider, prompt) for provider in ("good", "bad") for prompt in ("What is {{n}} + {{n}}?", "add")]
    assert table.candidates == tuple(f"{provider}, {prompt}" for provider, prompt in by)
    assert (found.primary, len(table), len(set(table.item))) == ("passed", 12, 3)
    good, bad = table.of_candidate("good, add"), table.of_candidate("bad, add")
    assert same(good.metrics["passed"].tolist(), [1, NAN, 1]) and same(bad.metrics["passed"].tolist(), [0, NAN, 0])
    assert bad.metrics["score"][0] == 0.5 and good.said.tolist() == ["It is 2", "It is 4", "It is 6"]
    tags = ("size:small",) if "0.121" in file else ()  # older versions do not tell the metadata of tests
    assert good.tags.tolist() == [tags, (), ()] and good.cost_nusd.tolist() == [100_000, 200_000, 300_000]


@pytest.mark.parametrize("file", [*PROMPTFOO, "promptfoo-0.28.1.json"])
def test_an_assertion_that_broke_makes_a_score_missing_and_an_error_of_the_provider_scores_0(file: str) -> None:
    table = read(REAL / file).table
    assert sorted(table.status.tolist()) == ["failed"] * 2 + ["missing"] * 4 + ["ok"] * 6
    assert np.isnan(table.metrics["passed"][table.status == "missing"]).all()
    assert (table.metrics["passed"][table.status == "failed"] == 0).all()


@pytest.mark.parametrize("file", PROMPTFOO)
def test_a_named_score_is_0_only_in_tests_that_have_it(file: str) -> None:
    bad = read(REAL / file).table.of_candidate("bad, add")
    assert same(bad.metrics["right"].tolist(), [0, NAN, 0]) and same(bad.metrics["short"].tolist(), [1, NAN, NAN])


def test_a_case_of_promptfoo_is_the_same_in_all_its_versions() -> None:
    tables = [read(REAL / file).table for file in PROMPTFOO]
    assert len({tuple(table.item) for table in tables}) == 1
    assert tables[0].asked[0] == 'one\n{"n":1}', "what it is called may change"


def test_results_of_an_old_promptfoo_have_the_same_cases_also_where_one_erred() -> None:
    table = read(REAL / "promptfoo-0.28.1.json").table
    by = [
        (provider, prompt)
        for provider in ("bad", "good")
        for prompt in ("Add {{n}} to itself.", "What is {{n}} + {{n}}?")
    ]
    assert sorted(table.candidates) == [f"exec:./{provider}.sh, {prompt}" for provider, prompt in by]
    assert all(len(table.of_candidate(name)) == 3 for name in table.candidates) and len(set(table.item)) == 3


# --- all of them -----------------------------------------------------------------------------------------------------

STRANGE = [None, True, -1, 10**400, 0.5, float("nan"), "", "C", "\ud800", [], {}, [[]], {"value": {}}]


def mutated(value: Any, drawn: random.Random) -> Any:
    """The same, but for a part in fifty, which is anything, and some that is gone."""
    if drawn.random() < 0.02:
        return drawn.choice(STRANGE)
    if isinstance(value, dict):
        return {name: mutated(of, drawn) for name, of in value.items() if drawn.random() > 0.01}
    return [mutated(of, drawn) for of in value] if isinstance(value, list) else value


@pytest.mark.parametrize("file", [*PROMPTFOO, "promptfoo-0.28.1.json", "inspect-0.3.40.json.gz", "lm-eval"])
def test_whatever_a_file_holds_it_is_read_or_refused_with_a_reason(tmp_path: Path, file: str) -> None:
    path = REAL / file if file != "lm-eval" else next(OF_LM_EVAL.glob("samples_sums_choice_*"))
    whole = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    documents = whole.splitlines() if ".jsonl" in path.name else [whole]
    drawn, refused = random.Random(1), 0
    for _ in range(30):
        told = "\n".join(json.dumps(mutated(json.loads(document), drawn)) for document in documents)
        (tmp_path / path.name.removesuffix(".gz")).write_text(told)
        try:
            read(tmp_path / path.name.removesuffix(".gz"), drawn.choice([None, None, *READERS]))
        except FairleadError as error:
            refused += 1
            assert error.message
    assert refused
