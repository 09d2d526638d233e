"""A group of commands that are known by name and loaded one by one, as they are needed. Knows none of them."""

from collections.abc import Mapping

import click
from click.shell_completion import CompletionItem


class Lazy(click.Group):
    """`table` has the name of each command and what it is for, in the order in which help shows them."""

    table: Mapping[str, str] = {}

    def load(self, name: str) -> click.Command:
        """The command of a name that is in the table."""
        raise NotImplementedError

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.load(cmd_name) if cmd_name in self.table else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not self.table:
            return
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name, help=text) for name, text in self.table.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)
