"""Uvicorn's HTTP protocol with a bound on what is no body: headers that never end would cost a worker its time and its
memory before anybody is asked for a key. It knows no endpoints.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024  # a head; also what may come between two pieces of a body


class BoundedProtocol(HttpToolsProtocol):
    """Answers 400 and closes where the head of a request is longer."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._overhead = 0  # bytes since a body or a request last went on

    def data_received(self, data: bytes) -> None:
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._overhead = 0
        super().on_message_complete()
