"""`fairlead`: the tree of commands, loaded one by one as they are needed, and how every one of them may end.

Exit codes: 0 done, 1 the product says no, 2 the command was typed wrongly, 3 undecided; 130 and 141, as shells have it,
for a user who stopped it and a reader who went away. What a command does is known in its own file only.
"""

import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from fairlead import __version__
from fairlead.cli import terminal
from fairlead.cli.lazy import Lazy
from fairlead.cli.place import placed
from fairlead.errors import FairleadError

STOPPED, READER_GONE = 130, 141

# Command -> what it is for. Each is found in the module and under the name that it has here.
COMMANDS = {
    "serve": "Serve calls until told to stop.",
    "demo": "See real models answer through the gateway, metered.",
    "init": "Write a fairlead.toml for what is found on this machine.",
    "doctor": "Check everything that serving needs.",
    "status": "Show what is running.",
    "config": "Check, show and reload the configuration.",
    "key": "Make, list, rotate and revoke the keys of callers.",
    "budget": "Show budgets and limits: what is spent, held, leased and free; write off a lost replica.",
    "call": "List, explain and sum up calls.",
    "content": "Forget what was said in calls, where it is recorded.",
    "eval": "Measure models on suites of cases, and decide.",
    "models": "Show the models that there are, and what they cost.",
    "engine": "List and restart the engines of the running server.",
    "catalog": "Show who can be asked and what models can do; renew the lists.",
    "store": "Look after the store.",
    "script": "Play scripts: stand in for a provider, with every fault that there is.",
    "completion": "Print the completion script of a shell.",
}


class Refused(click.ClickException):
    """What the product says no to, as a terminal shows it."""

    exit_code = 1

    def __init__(self, error: FairleadError) -> None:
        super().__init__(error.message)
        self.hint = error.hint

    def show(self, file: Any = None) -> None:
        terminal.tell("error:", self.message, "red")
        if self.hint:
            terminal.tell("hint:", self.hint, "cyan")


class Tree(Lazy):
    """The commands of the product; whatever one of them raises becomes words and an exit code."""

    table = COMMANDS

    def load(self, name: str) -> click.Command:
        return getattr(import_module(f"fairlead.cli.{name}"), name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()
        except FairleadError as error:
            raise Refused(error) from error
        except BrokenPipeError:
            _leave_quietly(ctx)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(STOPPED)
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            raise Refused(FairleadError(f"{error.strerror or error}{where}")) from error
        return done


@click.group(cls=Tree, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
@placed
def fairlead() -> None:
    """Fairlead: applications name a route, never a model.

    \b
    fairlead serve         serve the shipped models at once, or what fairlead.toml says
    fairlead init          write a fairlead.toml for what is found on this machine
    fairlead key new       make a key for an application
    fairlead call list     see what was asked, what answered and what it cost
    """


def _leave_quietly(ctx: click.Context) -> NoReturn:
    """Whoever read our output has what it wanted; what is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    ctx.exit(READER_GONE)


def main() -> None:
    """The entry point of the installed command."""
    fairlead(prog_name="fairlead")
