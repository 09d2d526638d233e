"""A port on loopback that stays ours while the engine behind it is restarted.

We hold it with a socket that is bound but does not listen; the engine binds beside it with SO_REUSEPORT, which the
kernel allows to the same user only. While nobody listens, callers are refused at once instead of reaching a stranger.
"""

import socket

from fairlead.errors import InUse

LOOPBACK = "127.0.0.1"


class Port:
    """`number` is 0 until `reserve`, unless a fixed one was wished for."""

    def __init__(self, wished: int = 0) -> None:
        self.number = wished
        self._held: socket.socket | None = None

    def reserve(self, engine: str) -> None:
        """Raises InUse where the port belongs to another process."""
        try:
            if self.number:
                _bind(self.number, shared=False).close()  # SO_REUSEPORT alone would let two engines share a port
            self._held = _bind(self.number, shared=True)
        except OSError as error:
            raise InUse(
                f"port {self.number} of engine {engine} is taken: {error.strerror}",
                hint=f"choose another `port` for engines.{engine}, or leave it out for any free one",
            ) from error
        self.number = self._held.getsockname()[1]

    def free(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def _bind(number: int, *, shared: bool) -> socket.socket:
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without SO_REUSEADDR connections of an earlier run that linger in TIME_WAIT would make a port look taken.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT if shared else socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, number))
    except OSError:
        held.close()
        raise
    return held
