"""A proxy before a TCP server that can cut or stop what passes, for tests of what happens then.

It knows nothing of what is said, but that a `watch` word may be looked for in it.
"""

import contextlib
import socket
import threading


class CuttingProxy:
    """Between a client and `127.0.0.1:to_port`; listens on `port`. One thread for each direction of a connection."""

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.after: bytes = b""  # when the client has said this, what the server answers to it never arrives
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "CuttingProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Every connection, now."""
        for pair in self._pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._pairs.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._pairs.append((client, server))
                told = threading.Event()
                threading.Thread(target=self._pump, args=(client, server, told, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, told, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, told: threading.Event, from_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if from_client and self.after and self.after in data:
                    told.set()
                if not from_client and told.is_set():  # it was done, and nobody hears of it
                    self.cuts += 1
                    break
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
