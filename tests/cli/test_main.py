"""The tree of commands: loaded as needed, described truly, and ending as promised."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.running import command, environment, fairlead, free_port, run, write_config
from fairlead import __version__
from fairlead.cli import main
from fairlead.cli.main import COMMANDS, Refused
from fairlead.errors import ConfigInvalid, Unavailable

HEAVY = ("asyncio", "rich", "msgspec", "sqlalchemy", "uvicorn", "fairlead.config")


def test_the_help_page_loads_no_command_and_nothing_heavy() -> None:
    show = "import sys; from fairlead.cli.main import fairlead; fairlead(['--help'], standalone_mode=False); "
    show += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stderr.split())
    assert all(name in done.stdout for name in COMMANDS)
    assert not loaded & {*HEAVY, *(f"fairlead.cli.{name}" for name in COMMANDS)}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_table_says_of_a_command_is_what_it_says_of_itself(name: str) -> None:
    found = main.fairlead.get_command(click.Context(main.fairlead), name)
    assert found is not None and found.name == name
    assert (found.help or "").startswith(COMMANDS[name].rstrip("."))


def test_the_version_is_told() -> None:
    assert run("--version").output == f"fairlead {__version__}\n"


def test_a_refusal_is_an_error_and_a_hint_on_stderr_and_ends_with_1(tmp_path: Path) -> None:
    done = run("--config", str(tmp_path / "missing.toml"), "config", "check")
    assert done.exit_code == 1 and done.stdout == ""
    assert done.stderr == f"error: {tmp_path}/missing.toml: no such file\nhint: `fairlead init` writes one\n"


def test_what_is_typed_wrongly_ends_with_2(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    for arguments in (
        ("nonsense",),
        ("key", "new"),
        ("call", "list", "--since", "soon"),
        ("call", "summary", "--by", "x"),
    ):
        assert fairlead(tmp_path, *arguments).exit_code == 2, arguments


def test_a_file_that_can_not_be_written_is_no_traceback(tmp_path: Path) -> None:
    done = run("init", "--config", str(tmp_path / "missing" / "fairlead.toml"))
    assert done.exit_code == 1 and "No such file or directory" in done.stderr


@pytest.mark.parametrize(("variables", "colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_left_out_where_they_are_not_wanted(
    variables: dict[str, str], colours: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with click.Context(main.fairlead, color=True):
        Refused(ConfigInvalid("wrong", hint="mend it")).show()
    assert ("\x1b[" in capsys.readouterr().err) is colours


def test_options_of_place_stand_before_or_after_the_command(tmp_path: Path) -> None:
    path = write_config(tmp_path, free_port())
    before = run("-c", str(path), "--data-dir", str(tmp_path / "d"), "config", "show")
    after = run("config", "show", "-c", str(path), "--data-dir", str(tmp_path / "d"))
    assert before.stdout == after.stdout and f'data_dir = "{tmp_path / "d"}"' in before.stdout


def test_the_module_is_the_command_too(tmp_path: Path) -> None:
    done = subprocess.run(command("-V"), cwd=tmp_path, env=environment(), capture_output=True, timeout=60, check=True)
    assert done.stdout.decode() == f"fairlead {__version__}\n"


class Failing(main.Tree):
    """Its only command fails as it is told."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("fairlead")
        self._error = error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        def fail() -> None:
            raise self._error

        return click.Command(cmd_name, callback=fail)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "stopped\n"),
        (OSError(28, "No space left on device", "/data/x"), 1, "error: No space left on device: /data/x\n"),
        (Unavailable("not now"), 1, "error: not now\n"),
    ],
)
def test_however_a_command_ends_it_is_told_in_a_line(error: BaseException, code: int, told: str) -> None:
    done = CliRunner().invoke(Failing(error), ["any"])
    assert (done.exit_code, done.stderr, done.stdout) == (code, told, "")


def test_a_bug_is_not_hidden() -> None:
    assert isinstance(CliRunner().invoke(Failing(ZeroDivisionError()), ["any"]).exception, ZeroDivisionError)
