"""Grids of prompts and parameters."""

from pathlib import Path

import pytest

from fairlead.errors import RequestInvalid, SuiteInvalid
from fairlead.evals.suite import Suite, read_suite
from fairlead.evals.sweeps import variants

SUITE = """
[cases]
file = "cases.jsonl"
[prompts]
plain = "a.md"
kind = "b.md"
[scorers.exact]
[primary]
metric = "exact"
margin = 0.05
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "suite.toml").write_text(SUITE)
    for name, text in (("a.md", "Say {word}."), ("b.md", "Please say {word}."), ("c.md", "{word}!"), ("d.md", "{no}")):
        (tmp_path / name).write_text(text)
    (tmp_path / "cases.jsonl").write_text('{"id": "c", "vars": {"word": "w"}, "gold": "w"}\n')
    return read_suite(tmp_path)


def test_without_a_sweep_the_first_prompt_is_asked_as_it_is(suite: Suite) -> None:
    (only,) = variants(suite, ())
    assert (only.label, only.prompt.name, only.params) == ("", "plain", {})


def test_every_combination_is_a_variant_in_the_order_in_which_it_was_written(suite: Suite) -> None:
    found = variants(suite, ["temperature=0,0.7", "prompt=kind,c.md", "stop=END"])
    assert [one.label for one in found] == [
        "temperature=0 prompt=kind stop=END",
        "temperature=0 prompt=c.md stop=END",
        "temperature=0.7 prompt=kind stop=END",
        "temperature=0.7 prompt=c.md stop=END",
    ]
    assert [one.prompt.name for one in found] == ["kind", "c.md"] * 2
    assert found[0].params == {"temperature": 0, "stop": "END"} and found[-1].params["temperature"] == 0.7


@pytest.mark.parametrize(
    ("sweeps", "said"),
    [
        (["temperature"], "no sweep"),
        (["temperature=0,"], "no sweep"),
        (["=1"], "no sweep"),
        (["seed=1,1"], "twice"),
        (["seed=1", "seed=2"], "twice"),
        (["model=a,b"], "can't be swept"),
        (["prompt=none"], "no prompt"),
        (["seed=" + ",".join(map(str, range(300)))], "more than"),
    ],
)
def test_what_is_no_sweep_is_refused(suite: Suite, sweeps: list[str], said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        variants(suite, sweeps)


def test_a_prompt_that_asks_for_what_no_case_has_is_refused(suite: Suite) -> None:
    with pytest.raises(SuiteInvalid, match="no variable `no`"):
        variants(suite, ["prompt=d.md"])
