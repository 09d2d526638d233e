"""A caller of the data listener without sockets, for tests: it speaks ASGI and reads what comes back."""

import asyncio
import json
from typing import Any

from fairlead.gateway.identity import Identities, digest
from fairlead.server.data import DataListener
from fairlead.server.endpoints import ENDPOINTS
from fairlead.server.unserved import HINTS
from world import World, caller, route, target

KEY = "fl_test"
OTHER_KEY = "fl_other_callers"
CHAT = {"model": "r", "messages": [{"role": "user", "content": "hi"}]}


class Client:
    """Speaks ASGI to a listener; `hang_up_after` body messages it is gone."""

    def __init__(self, world: World, **listener: Any) -> None:
        self.world = world
        by = listener.pop("by", caller())
        others = {"fl_dead": caller(name="dead", revoked=True), OTHER_KEY: caller(key="k2", name="other")}
        self.identities = Identities({digest(key): who for key, who in {KEY: by, **others}.items()})
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
        sent = {"authorization": f"Bearer {key}" if key else "", **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path.partition("?")[0],
            "query_string": path.partition("?")[2].encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }
        waiting = [{"type": "http.request", "body": raw, "more_body": False}]
        gone = asyncio.Event()
        out: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            out.append(message)
            if hang_up_after is not None and len(out) > hang_up_after:
                gone.set()

        await self.listener(scope, receive, send)
        start = next((m for m in out if m["type"] == "http.response.start"), {"status": 0, "headers": []})
        headers_out = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], headers_out, b"".join(m.get("body", b"") for m in out[1:])


def ask(client: Client, *args: Any, **kwargs: Any) -> tuple[int, dict[str, str], bytes]:
    return asyncio.run(client.ask(*args, **kwargs))


def code(body: bytes) -> str:
    return json.loads(body)["error"]["code"]


def one(line: object) -> Client:
    return Client(World([route(target("a"))], {"a": line}))
