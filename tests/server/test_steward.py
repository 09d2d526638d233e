"""The steward's beginning and end."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from fairlead import config
from fairlead.server.premises import Premises, Tenant
from fairlead.server.steward import Steward


class Loading(Steward):
    """Its engines load for ever."""

    async def _begin(self, house: AsyncExitStack) -> None:
        self.stop()
        await asyncio.Event().wait()


def test_who_is_told_to_stop_while_engines_load_stops_and_leaves_the_house_free(tmp_path: Path) -> None:
    text = f'data_dir = "{tmp_path}"\n[server]\nlisten = "127.0.0.1:0"\nadmin = "off"\n'
    steward = Loading(config.parse(text, base=tmp_path), None)
    announced: list[object] = []
    asyncio.run(asyncio.wait_for(steward.run(announced.append), 5))
    assert announced == []
    Premises(str(tmp_path), Tenant(1)).close()
