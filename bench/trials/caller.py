"""A caller on a bare connection: it asks, reads, hangs up where it is told to, and believes only what it can check.

What it says is unique, and the provider echoes it, so that the answer to somebody else's question is found out.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import httptools
import msgspec

EVENTS = "text/event-stream"


class Delta(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    delta: Delta = msgspec.field(default_factory=Delta)
    message: Delta = msgspec.field(default_factory=Delta)
    finish_reason: str | None = None


class Told(msgspec.Struct):
    choices: list[Choice] = []
    error: dict[str, Any] | None = None


_TOLD = msgspec.json.Decoder(Told)


class Heard(msgspec.Struct):
    """`status` 0: the connection ended before any. `ended`: the response came to its end; `done`: with `[DONE]`."""

    status: int = 0
    headers: dict[str, str] = {}
    said: str = ""
    finish: str | None = None
    error: dict[str, Any] | None = None
    ended: bool = False
    done: bool = False
    hung_up: bool = False


class Connection(asyncio.Protocol):
    """One request at a time; it connects anew where it has to."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._forget()

    def _forget(self) -> None:
        self._heard = Heard()
        self._body = bytearray()
        self._parser = httptools.HttpResponseParser(self)
        self._hangs_up: Callable[[bytearray], bool] | None = None

    async def ask(self, request: bytes, hang_up: "Callable[[bytearray], bool] | float | None" = None) -> Heard:
        """`hang_up`: after so many seconds, or as soon as it says so of what has come of the body."""
        if self._transport is None or self._transport.is_closing():
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, "127.0.0.1", self.port)
        assert self._transport is not None
        self._forget()
        self._hangs_up = hang_up if callable(hang_up) else None
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        if isinstance(hang_up, float):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._waiter), hang_up)
            if not self._waiter.done():
                self._heard.hung_up = True
                self.close()
        await self._waiter
        return self._read()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio, httptools ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        with contextlib.suppress(httptools.HttpParserError):
            self._parser.feed_data(data)
        if self._hangs_up is not None and self._hangs_up(self._body):
            self._heard.hung_up = True
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._heard.headers = {**self._heard.headers, name.decode().lower(): value.decode()}

    def on_headers_complete(self) -> None:
        self._heard.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._heard.ended = True
        if not self._parser.should_keep_alive():
            self.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _read(self) -> Heard:
        heard = self._heard
        if heard.headers.get("content-type", "").startswith(EVENTS):
            blocks = bytes(self._body).split(b"\n\n")[:-1]
            datas = [block[6:] for block in blocks if block.startswith(b"data: ")]
            heard.done = bool(datas) and datas[-1] == b"[DONE]"
            tolds = [_TOLD.decode(data) for data in datas if data != b"[DONE]"]
        else:
            tolds = [_TOLD.decode(self._body)] if heard.ended and self._body else []
        for told in tolds:
            heard.error = told.error or heard.error
            for choice in told.choices:
                heard.said += choice.delta.content or choice.message.content or ""
                heard.finish = choice.finish_reason or heard.finish
        return heard


def request(key: str, route: str, text: str, *, stream: bool, trace: str = "", tokens: int = 64) -> bytes:
    messages = [{"role": "user", "content": text}]
    body = msgspec.json.encode({"model": route, "messages": messages, "stream": stream, "max_tokens": tokens})
    traced = f"traceparent: 00-{trace}-00000000000000ab-01\r\n" if trace else ""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n{traced}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def lies(heard: Heard, text: str, *, stream: bool) -> str:
    """What of this response is not the truth, or "": a success that is not the whole answer to this very question."""
    if heard.hung_up or heard.status != 200:
        return "words in an error" if heard.status != 200 and heard.said else ""
    if heard.error is not None:
        return "an end after an error" if heard.done or heard.finish else ""
    if not stream:
        if not heard.ended:
            return ""  # the caller sees that it was cut off
        return "" if heard.said == text and heard.finish else "another answer"
    if heard.done:
        return "" if heard.said == text and heard.finish else f"an end mark after {heard.said!r} of {text!r}"
    return "" if not heard.finish or heard.said == text else "a finish that nobody told"
