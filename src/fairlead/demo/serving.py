"""One `fairlead serve` of our own: the program that a user runs, in a process beside ours, until we are done with it.

It is told nothing but the name of its configuration file. What is asked of it is not known here.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fairlead import config
from fairlead.errors import OperatorError
from fairlead.server.remote import Remote

READY_WITHIN_S = 60.0
GONE_WITHIN_S = 15.0
LOOK_EVERY_S = 0.05
USUAL_PORT = 4000


class Served:
    """A server that takes calls. `url` is the data listener's, without a path."""

    def __init__(self, config_file: Path, remote: Remote, url: str, process: asyncio.subprocess.Process) -> None:
        self.config_file = config_file
        self.remote = remote
        self.url = url
        self.process = process


@asynccontextmanager
async def serving(config_file: Path) -> AsyncIterator[Served]:
    """`fairlead serve -c config_file`, ready; its words go to `serve.log` beside the file. Stopped at the end.

    Raises OperatorError where it does not become ready, with its last words.
    """
    log = config_file.with_name("serve.log")
    remote = Remote(Path(config.load(config_file).data_dir))
    with log.open("wb") as words:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fairlead", "serve", "-c", str(config_file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,  # Ctrl-C is for us, and we tell it in our own time
        )
    try:
        await _until_ready(process, remote, log)
        yield Served(config_file, remote, f"http://{(await remote.status()).listen}", process)
    finally:
        await _stop(process)


def free_address(port: int = 0, usual: int = USUAL_PORT) -> str:
    """HOST:PORT on loopback to listen on: `port`, else the usual one, else, where that is taken, any that is free."""
    if port:
        return f"127.0.0.1:{port}"
    for candidate in (usual, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", candidate))
            return f"127.0.0.1:{probe.getsockname()[1]}"
    raise OperatorError("no port is free on 127.0.0.1", hint="name one with --port")


async def _until_ready(process: asyncio.subprocess.Process, remote: Remote, log: Path) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while not remote.answers():
                if process.returncode is not None:
                    error, hint = _last_words(log)
                    raise OperatorError(f"the server did not start: {error}", hint=hint or f"its log is {log}")
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise OperatorError(f"the server was not ready within {READY_WITHIN_S:g} s", hint=f"see {log}") from None


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), GONE_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_words(log: Path) -> tuple[str, str]:
    """Its error and its hint; where it ended without either, the last line that it wrote."""
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    _, _, error = said.rpartition("error: ")
    error, _, hint = error.partition("hint: ")
    last = said.rpartition("\n")[2] or "it said nothing"
    return (" ".join(error.split()) if "error: " in said else last), " ".join(hint.split())
