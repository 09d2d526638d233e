"""Cases are the same, whatever kind of file they lie in."""

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from fairlead.errors import ExtraMissing, SuiteInvalid
from fairlead.evals.case_files import CasesSettings, read_cases
from fairlead.evals.rows import read_dataset, read_rows


def test_csv_has_variables_in_columns_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        'id,text,gold,cluster,tags,weight\n1,"two\nlines",yes,doc,"a; b",2\n2,three,no,,,\n', encoding="utf-8-sig"
    )
    first, second = read_cases(CasesSettings(), tmp_path)
    assert (first.vars, first.gold, first.cluster) == ({"text": "two\nlines"}, "yes", "doc")
    assert (first.tags, first.weight, second.tags, second.weight) == (("a", "b"), 2.0, (), 1.0)


def test_parquet_gives_the_same_cases_as_json_lines(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text(
        '{"id": "1", "vars": {"text": "x"}, "gold": {"a": 1}}\n{"id": "2", "vars": {"text": "y"}, "gold": {"a": 2}}\n'
    )
    table = pyarrow.table({"id": ["1", "2"], "text": ["x", "y"], "gold": [{"a": 1}, {"a": 2}], "tags": [None, None]})
    pyarrow.parquet.write_table(table, tmp_path / "other.parquet")
    lines = read_cases(CasesSettings(file="cases.jsonl"), tmp_path)
    assert read_cases(CasesSettings(file="other.parquet"), tmp_path) == lines


def test_cases_that_a_spreadsheet_parted_with_semicolons_are_read(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("\ufeffid;text\r\n1;one, two\r\n;\r\n", encoding="utf-8")
    assert [row for _, row in read_rows(tmp_path / "cases.csv")] == [{"id": "1", "text": "one, two"}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.csv", "id,text\n1\n", "c.csv:2: not 2 cells as in the header"),
        ("c.csv", "id,text\n1,2,3\n", "c.csv:2: not 2 cells as in the header"),
        ("c.csv", "id,id\n1,2\n", "c.csv:1: two columns have the same name"),
        ("c.csv", 'id,text\n1,"x\n', "c.csv:2: this is no CSV: unexpected end of data"),
        ("c.csv", "id,weight\n1,heavy\n", "c.csv:2: `weight` is no number: 'heavy'"),
        ("c.csv", "id,vars\n1,{\n", "c.csv:2: `vars` is not JSON"),
        ("c.parquet", "PAR", "c.parquet: not Parquet"),
        ("c.xlsx", "", "c.xlsx: no such kind of file"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SuiteInvalid) as caught:
        list(read_rows(tmp_path / name))
    assert message in caught.value.message


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes(b"id,text\n1,\xff\n")
    with pytest.raises(SuiteInvalid, match="can't be read"):
        list(read_rows(tmp_path / "c.csv"))


def test_two_files_of_cases_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text("")
    (tmp_path / "cases.csv").write_text("")
    with pytest.raises(SuiteInvalid, match=r"which of cases\.jsonl, cases\.csv"):
        read_cases(CasesSettings(), tmp_path)


def test_a_data_set_is_read_where_its_library_is_and_else_says_what_to_install(tmp_path: Path) -> None:
    try:
        import datasets  # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(ExtraMissing, match="datasets are not installed"):
            list(read_dataset("any", "", "test", ""))
        return
    datasets.Dataset.from_dict({"text": ["x"], "label": [3]}).save_to_disk(str(tmp_path / "saved"))
    settings = CasesSettings(dataset="saved", ids="content", columns={"gold": "label"})
    [case] = read_cases(settings, tmp_path)
    assert (case.vars, case.gold) == ({"text": "x"}, 3)
