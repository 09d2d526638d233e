"""Shells get a script, people the line for their rc file."""

import pytest

from cli.running import run
from fairlead.cli import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_on_stdout_and_the_line_on_stderr(shell: str) -> None:
    done = run("completion", shell)
    assert done.exit_code == 0
    assert "_FAIRLEAD_COMPLETE" in done.stdout and f"fairlead completion {shell}" in done.stderr


def test_commands_are_completed_without_being_loaded() -> None:
    context = main.fairlead.make_context("fairlead", [], resilient_parsing=True)
    assert [item.value for item in main.fairlead.shell_complete(context, "co")] == ["config", "content", "completion"]


def test_an_unknown_shell_is_typed_wrongly() -> None:
    assert run("completion", "tcsh").exit_code == 2
