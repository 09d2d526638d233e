"""A caller on a plain socket: it asks once, reads until the connection ends, and believes nothing that is not there."""

import asyncio
import json
import time
from typing import Any, NamedTuple


class Heard(NamedTuple):
    """`ended`: the response came to its end as HTTP has it. `took_s` is from the asking to the end."""

    status: int
    headers: dict[str, str]
    body: bytes
    ended: bool
    took_s: float

    @property
    def error(self) -> dict[str, Any]:
        """The error that was told, in a body or as the last event; {} where there is none."""
        try:
            told = self.events[-1] if self.streamed and self.events else json.loads(self.body or b"{}")
        except json.JSONDecodeError:
            return {}
        return told.get("error", {}) if isinstance(told, dict) else {}

    @property
    def streamed(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def events(self) -> list[Any]:
        found = [block[6:] for block in self.body.decode().split("\n\n") if block.startswith("data: ")]
        return [data if data == "[DONE]" else json.loads(data) for data in found]

    @property
    def said(self) -> str:
        if not self.streamed:
            return json.loads(self.body)["choices"][0]["message"]["content"] if self.status == 200 else ""
        choices = [choice for event in self.events if event != "[DONE]" for choice in event.get("choices", ())]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def finish(self) -> str | None:
        """How the answer says that it ended; None: it does not."""
        if not self.streamed:
            return json.loads(self.body)["choices"][0]["finish_reason"] if self.status == 200 else None
        choices = [choice for event in self.events if event != "[DONE]" for choice in event.get("choices", ())]
        return next((choice["finish_reason"] for choice in choices if choice.get("finish_reason")), None)


async def ask(port: int, key: str, route: str, text: str, *, stream: bool, headers: str = "") -> Heard:
    body = json.dumps({"model": route, "messages": [{"role": "user", "content": text}], "stream": stream}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n{headers}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode() + body)
        said = await reader.read(-1)
    finally:
        writer.close()
    return read(said, time.monotonic() - began)


def read(said: bytes, took_s: float) -> Heard:
    top, _, rest = said.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "chunked" in headers.get("transfer-encoding", ""):
        body, ended = _dechunked(rest)
    else:
        body, ended = rest, len(rest) == int(headers.get("content-length", "-1"))
    return Heard(int(first.split(" ")[1]), headers, body, ended, took_s)


def _dechunked(rest: bytes) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return b"".join(parts), True
        parts.append(rest[:length])
        rest = rest[length + 2 :]
    return b"".join(parts), False
