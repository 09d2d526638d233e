"""A prompt is a file: its parts, its variables, and a hash that names its version."""

from pathlib import Path

import pytest

from fairlead.errors import SuiteInvalid
from fairlead.evals.cases import read_case
from fairlead.evals.prompts import AS_IT_IS, Prompt, check, messages, read_prompt

CASE = read_case({"id": "a", "vars": {"text": "some {other} text", "lines": ["x", "y"], "n": 2, "o": {"b": 1}}})


def prompt(tmp_path: Path, text: str) -> Prompt:
    (tmp_path / "p.md").write_text(text)
    return read_prompt(tmp_path / "p.md")


def test_parts_are_said_by_whom_they_name(tmp_path: Path) -> None:
    found = prompt(tmp_path, "--- system ---\nBe brief.\n\n--- user ---\nRead: {text}\n")
    assert messages(found, CASE) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Read: some {other} text"},
    ]


def test_a_text_without_parts_is_one_question(tmp_path: Path) -> None:
    assert messages(prompt(tmp_path, "# Title\n{lines} {n} {o}"), CASE) == [
        {"role": "user", "content": '# Title\nx\ny 2 {"b":1}'}
    ]


def test_braces_that_name_no_variable_are_text(tmp_path: Path) -> None:
    found = prompt(tmp_path, '{"total": 1} {} { text } {{text}} {text}')
    assert found.variables == ("text",)
    assert messages(found, CASE)[0]["content"] == '{"total": 1} {} { text } {text} some {other} text'


def test_a_case_that_is_a_conversation_is_said_after_the_prompt_whose_system_message_counts(tmp_path: Path) -> None:
    case = read_case(
        {"id": "c", "messages": [{"role": "system", "content": "old"}, {"role": "user", "content": "hello {text}"}]}
    )
    assert messages(AS_IT_IS, case) == list(case.messages)
    assert messages(prompt(tmp_path, "--- system ---\nnew"), case) == [
        {"role": "system", "content": "new"},
        {"role": "user", "content": "hello {text}"},
    ]


def test_a_version_is_its_bytes(tmp_path: Path) -> None:
    first = prompt(tmp_path, "{text}").hash
    assert prompt(tmp_path, "{text} ").hash != first
    assert prompt(tmp_path, "{text}").hash == first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--- nobody ---\nx", "nobody is called `nobody`"),
        ("before\n--- user ---\nx", "text before the first part"),
        (" \n", "the prompt is empty"),
        ("--- system ---\n", "the prompt is empty"),
    ],
)
def test_a_prompt_that_says_nothing_sensible_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SuiteInvalid, match=message):
        prompt(tmp_path, text)


def test_a_variable_that_a_case_lacks_is_told_with_the_case(tmp_path: Path) -> None:
    with pytest.raises(SuiteInvalid, match="case 'a' has no variable `txt`") as caught:
        check(prompt(tmp_path, "{txt}"), (CASE,))
    assert "it has text, lines, n, o" in caught.value.hint


def test_a_prompt_that_says_nothing_of_the_case_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteInvalid, match="nothing of case 'a' would be said"):
        check(prompt(tmp_path, "Hello"), (CASE,))
