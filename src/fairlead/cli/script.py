"""`fairlead script`: a script's lines, played as a provider of their own over TCP, for tests of what happens then.

What a script says is `backends/lines.py`'s business, how it is played over TCP `standin/`'s.
"""

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import click
import msgspec

from fairlead.cli import terminal
from fairlead.cli.terminal import as_json, note
from fairlead.errors import ConfigInvalid, InUse

if TYPE_CHECKING:
    from fairlead.backends.lines import Line
    from fairlead.standin.server import Seen

COLUMNS = (("fault", "left"), ("what happens", "left"), ("an answer ends with", "left"), ("a stream ends with", "left"))


@click.group()
def script() -> None:
    """Play scripts: stand in for a provider, with every fault that there is."""


@script.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:4010", show_default=True, help="Where it is asked.")
@click.option("--quiet", is_flag=True, help="Print no line for each request.")
def serve(file: str, listen: str, quiet: bool) -> None:
    """Play FILE over TCP until told to stop.

    It answers conversations, completions and counts in every language, at the paths of each below any base path. Every
    request is one line of JSON on stdout, without a word of what was said: connection, path, line of the script, trace.
    """
    from fairlead.backends.lines import load

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigInvalid(f"{listen!r} is no address", hint="HOST:PORT, such as 127.0.0.1:4010", path="--listen")
    asyncio.run(_play(load(file), host.strip("[]"), int(port), quiet))


@script.command()
@as_json
def faults(wants_json: bool) -> None:
    """List the words for `fault` in a script's line, and what each does."""
    from fairlead.backends.faults import FAULTS

    ends = {name: [kind.code if kind else "" for kind in (row.answer, row.stream)] for name, row in FAULTS.items()}
    if wants_json:
        told = [
            {"fault": name, "says": row.says, "answer": ends[name][0] or None, "stream": ends[name][1] or None}
            for name, row in FAULTS.items()
        ]
        terminal.show_json(told)
        return
    cells = [(name, row.says, *(end or "its end" for end in ends[name])) for name, row in FAULTS.items()]
    terminal.show_table(COLUMNS, cells, empty="none")


async def _play(lines: "tuple[Line, ...]", host: str, port: int, quiet: bool) -> None:
    from fairlead.standin.server import Standin

    standin = Standin(lines, None if quiet else _tell)
    try:
        url = await standin.start(host, port)
    except OSError as error:
        where = f"{host}:{port}"
        raise InUse(f"{where} can't be listened on: {error.strerror or error}", hint="try another --listen") from error
    note(f"{len(lines)} lines are played on {url}; `base_url` of a backend of kind openai: {url}/v1")
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no such thing
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await standin.stop()


def _tell(seen: "Seen") -> None:
    told = {name: value for name, value in msgspec.structs.asdict(seen).items() if name != "prompt"}
    click.echo(msgspec.json.encode(told))
