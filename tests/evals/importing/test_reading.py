"""Files of results: their format is seen, their scores are read, and none of them does harm."""

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from evals.importing.files_of_others import (
    HEADER,
    harness_sample,
    inspect_log,
    promptfoo_output,
    promptfoo_result,
    sample,
    written,
)
from fairlead.errors import FairleadError, ResultsUnreadable
from fairlead.evals.importing.files import Limits
from fairlead.evals.importing.imported import Imported
from fairlead.evals.importing.reading import read

CSV = "item,model,score,cluster,category\n1,a,1,x,maths\n2,a,,x,maths\n1,b,0,x,maths\n2,b,0.5,x,maths\n"


def of_text(path: Path, text: str) -> Imported:
    path.write_text(text, encoding="utf-8")
    return read(path)


# --- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_of_csv_is_read_with_its_clusters_and_tags(tmp_path: Path) -> None:
    found = of_text(tmp_path / "t.csv", "\ufeff" + CSV)
    table = found.table
    assert (found.format, found.primary, table.candidates) == ("table", "score", ("a", "b"))
    assert table.cluster.tolist() == ["x"] * 4 and table.tags[0] == ("category:maths",)
    assert np.isnan(table.metrics["score"][1])


def test_csv_jsonl_parquet_and_what_is_packed_say_the_same(tmp_path: Path) -> None:
    plain = of_text(tmp_path / "t.csv", CSV).table
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    rows = [
        {"item": 1, "model": "a", "score": 1, "cluster": "x", "category": "maths"},
        {"item": 2, "model": "a", "score": None, "cluster": "x", "category": "maths"},
        {"item": 1, "model": "b", "score": 0, "cluster": "x", "category": "maths"},
        {"item": 2.0, "model": "b", "score": 0.5, "cluster": "x", "category": "maths"},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    others = [tmp_path / "t.csv.gz", written(tmp_path / "t.jsonl", rows), tmp_path / "t.parquet"]
    for path in others:
        table = read(path).table
        assert table.item.tolist() == plain.item.tolist(), path
        assert table.tags.tolist() == plain.tags.tolist(), path
        assert np.array_equal(table.metrics["score"], plain.metrics["score"], equal_nan=True), path


def test_correct_is_a_score_and_other_numbers_are_further_metrics(tmp_path: Path) -> None:
    text = "item,model,correct,length,answer,cost_usd,latency_s\n1,a,1,7,forty,0.000002,1.5\n2,a,0,8,two,,\n"
    found = of_text(tmp_path / "t.csv", text)
    assert found.primary == "correct" and list(found.table.metrics) == ["correct", "length"]
    assert found.table.said.tolist() == ["forty", "two"]
    assert found.table.cost_nusd.tolist() == [2000, -1] and found.table.latency_us.tolist() == [1_500_000, -1]


def test_a_table_without_models_is_one_candidate_named_after_its_file(tmp_path: Path) -> None:
    assert of_text(tmp_path / "new.csv", "item,score\n1,1\n").table.candidates == ("new",)


def test_items_that_are_numbered_anew_in_each_dataset_are_named_after_it(tmp_path: Path) -> None:
    found = of_text(tmp_path / "t.csv", "item,model,score,dataset\n1,a,1,maths\n1,a,0,law\n").table
    assert found.item.tolist() == ["maths/1", "law/1"]


def test_quoted_text_may_hold_lines_and_blank_lines(tmp_path: Path) -> None:
    found = of_text(tmp_path / "t.csv", 'item,score,answer\n\n1,1,"one\n\ntwo, three"\n').table
    assert found.said.tolist() == ["one\n\ntwo, three"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("model,score\na,1\n", "no column `item`"),
        ("item,model\n1,a\n", "no column has scores"),
        ("item,score\n", "there are no rows"),
        ("item,score\n1,good\n", "row 1: score is no number: 'good'"),
        ("item,score\n1,0.5\n2,7 of 9\n", "row 2: score is no number: '7 of 9'"),
        ("item,score\n1,87 %\n2,0.5\n", "row 2: score has no percent sign, as others have: '0.5'"),
        ('item,score\n1,"1,250"\n2,"2,500"\n', "row 1: score may have decimals or thousands: '1,250'"),
        ('item,score\n1,"0,5"\n2,0.5\n', "row 2: score is not written as others are: '0.5'"),
        ("item,score\n1,1\n ,1\n", "row 2: item is blank"),
        ("item,model,score\n1,,1\n", "row 1: model is blank"),
        ("item,Item,score\n1,2,1\n", "columns that are there twice"),
        ('[{"item": 1, "score": 1}, 2]', "no list of rows"),
        ("item,score,repeat\n1,1,0\n2,1,-1\n", "row 2: repeat is '-1'"),
        ("item,score,turn\n1,1,0.5\n", "row 1: turn is '0.5'"),
        ("item,score,repeat\n1,1,1e300\n", "row 1: repeat is '1e300'"),
        ("item,score,weight\n1,1,\n2,1,-2\n", "row 2: weight is '-2'"),
        ("item,score,status\n1,1,\n2,1,broken\n", "row 2: status is 'broken'"),
        ("item,score," + ",".join(map(str, range(1000))) + "\n", "more than 1000 columns"),
        ("item,score\n1,inf\n", "row 1: score is infinite"),
        ('{"item": 1, "score": 1' + "0" * 400 + "}", "row 1: score is too large"),
        ("item,score\n1,1,1\n", "not 2 cells as in the header, but 3"),
        ("item,score,score\n1,1,1\n", "two columns have the same name: score"),
        ("item,score\n1,1\n1,0\n", "cases are there twice"),
        ('item,score\n1,"1\n', "this is no CSV"),
        ("item,score\r1,1\r2,1\r", "this is no CSV"),
        ('{"item": 1, "score": 1}\n[1]\n', "no JSON object"),
        ('{"item": 1, "score": 1}\n{"item": 2, "sc', "no JSON object"),
        ('{"item": 1, "score": {"a": 1}}\n', "score is no number"),
    ],
)
def test_a_table_that_is_none_is_refused_with_the_reason(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(FairleadError, match=problem) as refused:
        of_text(tmp_path / "t.csv", text)
    assert refused.value.hint


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"item,score\n\xff,1\n")
    with pytest.raises(ResultsUnreadable, match="line 2 is not UTF-8"):
        read(tmp_path / "t.csv")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResultsUnreadable, match="no such file"):
        read(tmp_path / "none.csv")


# As spreadsheets and programs write the same four scores: 1, 0, 0.875 and none.
WRITTEN = {
    "Excel, with commas for decimals": "\ufeffitem;model;score\r\n1;a;1\r\n2;a;0\r\n3;a;0,875\r\n4;a;\r\n;;\r\n",
    "Excel, which says its sign": "sep=;\nItem;Model;Score\n1;a;1,0\n2;a;0,0\n3;a;0,875\n4;a;NA\n",
    "percent": "item,score\n1,100%\n2,0 %\n3,87.5%\n4,n/a\n",
    "percent with commas": 'item,score\n1,"100,0 %"\n2,"0,0 %"\n3,"87,5 %"\n4,-\n',
    "words among numbers": "item,score\n1,TRUE\n2,False\n3,0.875\n4,None\n",
    "other words": "item\tcorrect\n1\tpass\n2\tFAIL\n3\t0.875\n4\tnan\n",
    "pandas, with its index": ",item,score\n0,1,1.0\n1,2,0.0\n2,3,0.875\n3,4,\n",
    "JSON": '[{"item": 1, "score": 1}, {"item": 2, "score": false}, {"item": 3, "score": 0.875}, {"item": 4}]',
    "JSON of Python": '{"item":1,"score":1}\n{"item":2,"score":0}\n{"item":3,"score":0.875}\n{"item":4,"score":NaN}\n',
}


@pytest.mark.parametrize("written", WRITTEN)
def test_scores_are_read_as_spreadsheets_and_programs_write_them(tmp_path: Path, written: str) -> None:
    table = of_text(tmp_path / "t.csv", WRITTEN[written]).table
    assert table.item.tolist() == ["1", "2", "3", "4"]
    (scores,) = table.metrics.values()
    assert np.array_equal(scores, [1, 0, 0.875, np.nan], equal_nan=True)


def test_a_table_without_a_score_says_what_decides(tmp_path: Path) -> None:
    found = of_text(tmp_path / "wide.csv", "item,old,new\n1,1,0\n")
    assert found.primary == "old" and any("old, decides unless --metric" in note for note in found.notes)
    assert any("one candidate's" in note for note in found.notes)


def test_half_a_character_is_no_reason_to_lose_a_file(tmp_path: Path) -> None:
    found = of_text(tmp_path / "t.jsonl", '{"item": 1, "score": 1, "answer": "cut \\ud83d"}\n')
    assert found.table.said.tolist() == ["cut \ufffd"]


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("t.csv", "item,score\nü,1\n".encode("latin-1"), "in UTF-8"),
        ("t.csv", "item\tscore\n1\t1\n".encode("utf-16"), "in UTF-8"),
        ("t.yaml", b"results: []\n", "-o results.json"),
        ("t.json", b'{"rows": 1}', "--format table | inspect"),
        ("t.json", b'{"results": [', "Is the file whole?"),
    ],
)
def test_what_is_no_file_of_results_is_refused_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, hint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ResultsUnreadable) as refused:
        read(tmp_path / name)
    assert hint in refused.value.hint


def test_a_folder_is_refused_with_files_that_are_in_it(tmp_path: Path) -> None:
    written(tmp_path / "samples_t.jsonl", [harness_sample(0, 1.0)])
    with pytest.raises(ResultsUnreadable, match="this is a folder") as refused:
        read(tmp_path)
    assert "samples_t.jsonl" in refused.value.hint


@pytest.mark.parametrize("format", ["table", "inspect", "lm-eval", "promptfoo"])
def test_a_file_that_is_not_what_it_is_said_to_be_is_refused_with_a_hint(tmp_path: Path, format: str) -> None:
    (tmp_path / "t").write_bytes(b"%PDF-1.7\n")
    with pytest.raises(ResultsUnreadable) as refused:
        read(tmp_path / "t", format)
    assert refused.value.hint
    with pytest.raises(ResultsUnreadable, match="no such file"):
        read(tmp_path / "none", format)


# --- Inspect ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zstd", [False, True])
def test_an_inspect_log_is_read_however_it_is_packed(tmp_path: Path, zstd: bool) -> None:
    samples = [sample(0, "C"), sample(1, "I"), sample(0, "P", epoch=2), sample(1, "N", epoch=2)]
    found = read(inspect_log(tmp_path / "log.eval", *samples, zstd=zstd))
    table = found.table
    assert (found.format, found.primary, table.candidates) == ("inspect", "match", ("mockllm/model",))
    assert table.metrics["match"].tolist() == [1, 0, 0.5, 0] and table.repeat.tolist() == [0, 0, 1, 1]
    assert table.latency_us.tolist() == [1_500_000] * 4 and table.cluster.tolist() == ["7"] * 4
    assert found.facts["task"] == "adding" and found.facts["version"] == "0.3.285"


def test_an_inspect_log_of_one_document_is_read(tmp_path: Path) -> None:
    log = HEADER | {"samples": [sample(0, True), sample("b", 0.25)]}
    found = read(written(tmp_path / "log.json", log))
    assert found.table.item.tolist() == ["0", "b"] and found.table.metrics["match"].tolist() == [1, 0.25]


def test_a_scorer_with_several_values_gives_a_metric_for_each(tmp_path: Path) -> None:
    found = read(inspect_log(tmp_path / "l.eval", sample(0, {"a": 1, "b": "I"}), sample(1, {"a": 0})))
    assert list(found.table.metrics) == ["match.a", "match.b"]
    assert found.table.metrics["match.b"][0] == 0 and np.isnan(found.table.metrics["match.b"][1])


def test_a_sample_that_ended_in_an_error_is_missing_and_told(tmp_path: Path) -> None:
    broken = sample(1, None, scores={}, error={"message": "no", "traceback": ""})
    found = read(inspect_log(tmp_path / "l.eval", sample(0, "C"), broken))
    assert found.table.status.tolist() == ["ok", "missing"] and np.isnan(found.table.metrics["match"][1])
    assert "1 of 2 samples ended in an error" in found.notes[0]


@pytest.mark.parametrize(
    ("samples", "header", "problem"),
    [
        ([], HEADER, "has no samples"),
        ([sample(0, "C")], None, "no header.json"),
        ([sample(0, "C", scores={})], HEADER, "no sample of the log has a score"),
        ([sample(0, "C")], {"eval": {}}, "no log of Inspect"),
        ([sample(0, "C", input=5)], HEADER, "no log of Inspect"),
    ],
)
def test_a_log_of_another_shape_is_refused(tmp_path: Path, samples: list, header: object, problem: str) -> None:
    with pytest.raises(ResultsUnreadable, match=problem):
        read(inspect_log(tmp_path / "l.eval", *samples, header=header))


def test_a_log_whose_samples_all_ended_in_an_error_says_in_which(tmp_path: Path) -> None:
    erred = sample(0, "C", scores=None, error={"message": "no way to the model"})
    with pytest.raises(ResultsUnreadable, match="no sample of the log has a score") as refused:
        read(inspect_log(tmp_path / "l.eval", erred))
    assert "no way to the model" in refused.value.hint


def test_a_workbook_is_told_from_a_log(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(ResultsUnreadable, match="a workbook") as refused:
        read(tmp_path / "t.xlsx")
    assert "CSV" in refused.value.hint


# --- lm-evaluation-harness -------------------------------------------------------------------------------------------


def test_samples_of_the_harness_are_read_and_their_folder_names_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "EleutherAI__pythia-70m"
    folder.mkdir()
    path = folder / "samples_gsm8k_2026-01-02T03-04-05.678.jsonl"
    found = read(written(path, [harness_sample(0, 1.0), harness_sample(1, 0.0)]))
    table = found.table
    assert (found.format, found.primary, table.candidates) == ("lm-eval", "exact_match", ("EleutherAI/pythia-70m",))
    assert table.metrics["exact_match"].tolist() == [1, 0] and table.asked.tolist() == ["Question 0", "Question 1"]
    assert len(set(table.content_hash.tolist())) == 2 and table.said.tolist() == ["4", "4"]
    assert found.facts == {"task": "gsm8k", "date": "2026-01-02T03-04-05.678"}


def test_each_filter_of_the_harness_has_a_metric_of_its_own(tmp_path: Path) -> None:
    rows = [harness_sample(0, 1.0, filter="strict"), harness_sample(0, 0.0, filter="flexible")]
    found = read(written(tmp_path / "samples_t.jsonl", rows)).table
    assert {name: of.tolist() for name, of in found.metrics.items()} == {
        "exact_match,strict": [1],
        "exact_match,flexible": [0],
    }


def test_older_samples_do_not_name_their_metrics(tmp_path: Path) -> None:
    old = {name: of for name, of in harness_sample(0, 1.0).items() if name not in ("metrics", "filter", "target_hash")}
    assert list(read(written(tmp_path / "samples_t.jsonl", [old])).table.metrics) == ["exact_match"]


def test_a_number_that_can_only_be_a_mistake_is_missing(tmp_path: Path) -> None:
    rows = [harness_sample(0, 1.0), harness_sample(1, 10**400), harness_sample(2, float("inf"))]
    scores = read(written(tmp_path / "samples_t.jsonl", rows)).table.metrics["exact_match"]
    assert np.array_equal(scores, [1, np.nan, np.nan], equal_nan=True)


def test_a_document_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsUnreadable, match="document 0 is there twice"):
        read(written(tmp_path / "samples_t.jsonl", [harness_sample(0, 1.0), harness_sample(0, 1.0)]))


# --- promptfoo -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3, 4])
def test_results_of_promptfoo_are_read(tmp_path: Path, version: int) -> None:
    results = [promptfoo_result(score, q, by) for by in ("a", "b") for q, score in (("2+2", 1), ("3+3", 0))]
    found = read(written(tmp_path / "results.json", promptfoo_output(results, version)))
    table = found.table
    assert (found.format, found.primary, table.candidates) == ("promptfoo", "passed", ("a", "b"))
    assert table.metrics["passed"].tolist() == [1, 0, 1, 0] and table.metrics["tone"].tolist() == [0.25] * 4
    assert table.cost_nusd.tolist() == [2_000_000] * 4 and table.latency_us.tolist() == [120_000] * 4
    assert len(set(table.item.tolist())) == 2 and found.facts["version"] == "0.119.0"


def test_a_test_that_promptfoo_repeated_is_one_case(tmp_path: Path) -> None:
    found = read(written(tmp_path / "r.jsonl", [promptfoo_result(1, "2+2"), promptfoo_result(0, "2+2")])).table
    assert found.repeat.tolist() == [0, 1] and len(set(found.item.tolist())) == 1


def test_several_prompts_of_one_provider_are_several_candidates(tmp_path: Path) -> None:
    other = promptfoo_result(1, "2+2", prompt={"raw": "Tell 2+2", "label": "Tell {{q}}"})
    found = read(written(tmp_path / "r.jsonl", [promptfoo_result(1, "2+2"), other])).table
    assert found.candidates == ("openai:gpt, Say {{q}}", "openai:gpt, Tell {{q}}")


def test_an_error_of_the_target_scores_0_and_one_of_an_assertion_is_missing(tmp_path: Path) -> None:
    of_target = promptfoo_result(0, "1", failureReason=2, error="API error: 500", response=None)
    too_slow = promptfoo_result(0, "2", failureReason=2, error="Request timed out", response=None)
    of_ours = promptfoo_result(0, "3", failureReason=2, error="Could not parse grader's answer")
    found = read(written(tmp_path / "r.jsonl", [of_target, too_slow, of_ours])).table
    assert found.status.tolist() == ["failed", "timeout", "missing"]
    assert found.metrics["score"].tolist()[:2] == [0, 0] and np.isnan(found.metrics["score"][2])


def test_results_that_promptfoo_lost_are_told(tmp_path: Path) -> None:
    output = promptfoo_output([promptfoo_result(1, "2+2")])
    output["results"]["stats"] = {"successes": 1, "failures": 1, "errors": 1}
    found = read(written(tmp_path / "r.json", output))
    assert "promptfoo counted 3 results, and 1 are in the file" in found.notes


def test_prompts_whose_beginnings_are_the_same_are_told_apart(tmp_path: Path) -> None:
    long = [{"raw": "", "label": "Answer in one word, and in no more than that. " + end} for end in ("Now.", "Then.")]
    results = [promptfoo_result(1, "2+2", prompt=prompt) for prompt in long]
    names = read(written(tmp_path / "r.jsonl", results)).table.candidates
    assert len(set(names)) == 2 and all(name.startswith("openai:gpt, Answer in one word") for name in names)


@pytest.mark.parametrize("content", [{"results": 5}, {"results": {"results": [{"score": "x"}]}}, {"a": 1}, [[1]]])
def test_json_of_another_shape_is_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(ResultsUnreadable):
        read(tmp_path / "r.json")


# --- hostile files ---------------------------------------------------------------------------------------------------

SMALL = Limits(total=100_000, line=10_000, document=50_000)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(gzip.compress(b"item,score\n" + b"1,1\n" * 100_000))
    with pytest.raises(ResultsUnreadable, match="more than 100000 bytes"):
        read(tmp_path / "t.csv", limits=SMALL)


@pytest.mark.parametrize("zstd", [False, True])
def test_a_zip_bomb_is_refused(tmp_path: Path, zstd: bool) -> None:
    huge = sample(0, "C", input="0" * 60_000)
    with pytest.raises(ResultsUnreadable, match="unpacks to more than 50000 bytes"):
        read(inspect_log(tmp_path / "l.eval", huge, zstd=zstd), limits=SMALL)


def test_many_entries_that_are_small_are_counted_together(tmp_path: Path) -> None:
    log = inspect_log(tmp_path / "l.eval", *(sample(at, "C", input="0" * 20_000) for at in range(20)))
    with pytest.raises(ResultsUnreadable, match="unpacks to more than"):
        read(log, limits=SMALL)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("item,score\n" + "1" * 20_000)
    with pytest.raises(ResultsUnreadable, match="line 2 is longer than 10000 bytes"):
        read(tmp_path / "t.csv", limits=SMALL)


def test_json_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"results": ' + "[" * 20_000)
    with pytest.raises(ResultsUnreadable):
        read(tmp_path / "r.json")


@pytest.mark.parametrize("kept", [3, 40, 200, -30])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, kept: int) -> None:
    for name, whole in (
        ("l.eval", inspect_log(tmp_path / "whole.eval", sample(0, "C")).read_bytes()),
        ("z.eval", inspect_log(tmp_path / "whole.eval", sample(0, "C"), zstd=True).read_bytes()),
        ("t.csv.gz", gzip.compress(b"item,score\n1,1\n" * 9)),
    ):
        (tmp_path / name).write_bytes(whole[: min(kept, len(whole) - 4)])
        with pytest.raises(FairleadError) as refused:
            read(tmp_path / name)
        assert refused.value.hint


def test_an_entry_whose_header_lies_is_refused(tmp_path: Path) -> None:
    path = inspect_log(tmp_path / "l.eval", sample(0, "C"), zstd=True)
    content = bytearray(path.read_bytes())
    content[14:18] = b"\x00\x00\x00\x00"  # its check sum, where it stands first
    at = content.index(b"PK\x01\x02")
    content[at + 16 : at + 20] = b"\x00\x00\x00\x00"
    path.write_bytes(content)
    with pytest.raises(ResultsUnreadable, match="check sum"):
        read(path)


def test_an_entry_that_is_encrypted_is_refused(tmp_path: Path) -> None:
    path = inspect_log(tmp_path / "l.eval", sample(0, "C"))
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(mark, start)) >= 0:
            content[start + at] |= 1
            start += 4
    path.write_bytes(content)
    with pytest.raises(ResultsUnreadable, match="can't be unpacked"):
        read(path)


def test_a_zip_that_is_no_log_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "l.eval", "w") as archive:
        archive.writestr("../../etc/passwd", "x")
    with pytest.raises(ResultsUnreadable, match="no finished log"):
        read(tmp_path / "l.eval")
