"""Where a command works: which configuration file, which data directory, how much it tells.

The options that say so may stand before the command's name or after it.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from fairlead.config import Config
    from fairlead.server.remote import Desk, Remote

LEVELS = ("WARNING", "INFO", "DEBUG")
F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Place:
    """What the options said; nothing is read before it is asked for."""

    def __init__(self) -> None:
        self.config: str | None = None
        self.data_dir: str | None = None
        self.verbose = 0

    def file(self) -> Path | None:
        """The configuration file that counts; None: the built-in one. Raises ConfigInvalid where it is missing."""
        from fairlead import config

        return config.find_file(self.config)

    def folder(self) -> Path:
        """The data directory. Of the configuration nothing else is read."""
        from fairlead import config

        return config.find_data_dir(None if self.data_dir else self.file(), self.data_dir)

    def store(self) -> str:
        """Where the configuration says the store is: a URL, "" for the data directory. Raises ConfigInvalid, …"""
        from fairlead import config

        return config.find_store(self.file())

    def overrides(self, **server: Any) -> dict[str, Any]:
        """What the command line says over the file: `server` is what it says over that table, None for nothing."""
        said: dict[str, Any] = {"data_dir": self.data_dir} if self.data_dir else {}
        said_of_server = {name: value for name, value in server.items() if value is not None}
        return said | ({"server": said_of_server} if said_of_server else {})

    def settings(self, *, with_secrets: bool = True) -> "Config":
        """The whole configuration. Raises ConfigInvalid, SecretMissing."""
        from fairlead import config

        return config.load(self.file(), self.overrides(), with_secrets=with_secrets)

    def ask(self, question: "Callable[[Desk], Coroutine[Any, Any, T]]", *, doing: str) -> T:
        """Ask the books, at the running server or in the store itself. Raises FairleadError."""
        return self._ask(question, doing=doing)

    def change(self, question: "Callable[[Desk], Coroutine[Any, Any, T]]", *, doing: str) -> T:
        """The same, for what may be the first to need a store; new budgets count in the configuration's time zone."""
        timezone = self.settings(with_secrets=False).timezone
        return self._ask(question, doing=doing, create=True, timezone=timezone)

    def remote(self) -> "Remote":
        """The running server. Raises OperatorError where there is none."""
        from fairlead.server.remote import open_remote

        return open_remote(self.folder())

    def _ask(self, question: "Callable[[Desk], Coroutine[Any, Any, T]]", **how: Any) -> T:
        import asyncio

        from fairlead.server.remote import open_office

        async def asking() -> T:
            async with open_office(self.folder(), find_store=self.store, **how) as desk:
                return await question(desk)

        return asyncio.run(asking())


def talk(verbose: int) -> None:
    """Log to stderr: warnings, from 1 on what happens, from 2 on everything."""
    import logging

    level = LEVELS[min(verbose, len(LEVELS) - 1)]
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)


here = click.make_pass_decorator(Place, ensure=True)


def placed(command: F) -> F:
    """Gives a command the options that a `Place` is made of."""
    for option in (
        click.option(
            "-v", "--verbose", count=True, expose_value=False, callback=_remember, help="Tell more (-vv: all)."
        ),
        click.option(
            "--data-dir",
            metavar="DIR",
            expose_value=False,
            callback=_remember,
            help="Where keys, calls and secrets are kept.  [default: what the configuration says]",
        ),
        click.option(
            "-c",
            "--config",
            metavar="FILE",
            expose_value=False,
            callback=_remember,
            help="The configuration.  [default: $FAIRLEAD_CONFIG, else ./fairlead.toml, else a built-in one]",
        ),
    ):
        command = option(command)
    return command


def _remember(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    if value and option.name:
        setattr(ctx.ensure_object(Place), option.name, value)
        if option.name == "verbose":
            talk(value)
