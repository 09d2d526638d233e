"""A caller of the data listener without sockets, for tests: it speaks HTTP to the protocol and reads what it says."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from fairlead.gateway.identity import Identities, digest
from fairlead.server.data import DataListener
from fairlead.server.endpoints import ENDPOINTS
from fairlead.server.unserved import HINTS
from pipe import House, Pipe, responses
from world import World, caller, route, target

KEY = "fl_test"
OTHER_KEY = "fl_other_callers"
CHAT = {"model": "r", "messages": [{"role": "user", "content": "hi"}]}


class Client:
    """Asks a listener, a connection for each request; `hang_up_after` writes of the response it is gone. `seen` is told
    each write."""

    def __init__(self, world: World, **listener: Any) -> None:
        self.world = world
        by = listener.pop("by", caller())
        others = {"fl_dead": caller(name="dead", revoked=True), OTHER_KEY: caller(key="k2", name="other")}
        self.identities = Identities({digest(key): who for key, who in {KEY: by, **others}.items()})
        self.seen: Callable[[bytes], None] = lambda _: None
        self.listener = DataListener(
            world.gateway,
            self.identities,
            ENDPOINTS,
            HINTS,
            **{"max_body_bytes": 10_000, "hash_key": b"k" * 32, **listener},
        )

    async def ask(
        self,
        path: str = "/v1/chat/completions",
        body: object = CHAT,
        *,
        method: str = "POST",
        key: str = KEY,
        headers: dict[str, str] | None = None,
        hang_up_after: int | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"host": "127.0.0.1", "authorization": f"Bearer {key}" if key else ""}
        sent |= {"content-length": str(len(raw)), "connection": "close", **(headers or {})}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items())

        def seen(data: bytes) -> None:
            self.seen(data)
            if hang_up_after is not None and len(pipe.written) >= hang_up_after:
                asyncio.get_running_loop().call_soon(pipe.hang_up)

        pipe = Pipe(House(self.listener), seen)
        pipe.feed(head.encode() + b"\r\n" + raw)
        await asyncio.wait_for(pipe.over.wait(), 30)
        task = pipe.protocol.task
        if task is not None:
            await asyncio.wait({task})
        pipe.hang_up()
        came = responses(pipe.said)
        return (came[-1].status, came[-1].headers, came[-1].body) if came else (0, {}, b"")


def ask(client: Client, *args: Any, **kwargs: Any) -> tuple[int, dict[str, str], bytes]:
    return asyncio.run(client.ask(*args, **kwargs))


def code(body: bytes) -> str:
    return json.loads(body)["error"]["code"]


def one(line: object) -> Client:
    return Client(World([route(target("a"))], {"a": line}))
