"""The page of the command line, `docs/cli.md`, drawn from the commands themselves.

Write it anew with `python -m fairlead.cli.pages > docs/cli.md`; a test tells when that is needed.
"""

from collections.abc import Iterator

import click

from fairlead.cli.main import fairlead

WIDTH = 110
HEAD = """\
# The command line

Noun, then verb. Data goes to stdout, everything else to stderr; `--json` is there wherever something is read. Exit
codes: 0 done, 1 the product says no, 2 the command was typed wrongly, 3 undecided. Errors come with a hint.

`-c FILE`, `--data-dir DIR` and `-v` may stand before the command or after it. While a server runs, commands ask it over
the socket in its data directory; else they open the store themselves.

This page is made from the commands: `python -m fairlead.cli.pages > docs/cli.md`.
"""


def page() -> str:
    """All of it, as Markdown."""
    return HEAD + "".join(_sections(fairlead, None, "fairlead"))


def _sections(command: click.Command, parent: click.Context | None, name: str) -> Iterator[str]:
    settings = {**command.context_settings, "terminal_width": WIDTH, "color": False}
    context = click.Context(command, parent=parent, info_name=name, **settings)
    help_ = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    depth = "##" if parent is None or parent.parent is None else "###"
    yield f"\n{depth} {context.command_path}\n\n```text\n{help_}\n```\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None and not found.hidden:
                yield from _sections(found, context, below)


if __name__ == "__main__":
    click.echo(page(), nl=False)
