"""The provider of a trial: a stand-in in a process of its own, which remembers what it was asked.

`python -m trials.provider PORT SCRIPT TALLY [traces]`. When it is told to stop it writes TALLY: how often each line was
played, and, where `traces` are wanted, how often each trace was seen.
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from pathlib import Path

import uvloop

from fairlead.backends.lines import load
from fairlead.standin.server import Seen, Standin


async def main(port: int, script: str, tally: Path, traces: bool) -> None:
    seen: Counter[str] = Counter()
    senseless: list[str] = []

    def saw(one: Seen) -> None:
        if one.error:
            senseless.append(one.error)
        if traces:
            seen[one.trace[3:35]] += 1

    standin = Standin(load(script), saw)
    await standin.start(port=port)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    told = {"plays": standin.turns.plays, "senseless": senseless[:10], "traces": seen, "open": standin.open}
    tally.write_text(json.dumps(told))
    await standin.stop()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), "traces" in sys.argv[4:]))
