"""The head of a server's answer that is like one before, but for values that say nothing about where it ends.

Most answers of a connection differ in their length, a date and an id. Such a head was read before, so it is not read
again: the parser is between two answers, and need not see one that comes whole. It knows no sockets.
"""

import re

TRIES = 8  # to learn a head, for each connection: some servers change theirs with every answer
MAX_DIGITS = 9  # of a length
# What says where an answer ends, or what becomes of the connection: it may not differ.
_FRAMING = frozenset({b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection", b"trailer", b"upgrade"})
_LENGTH = b"content-length"
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*").fullmatch  # as the parser has it

Lines = list[tuple[bytes, bytes]]


class Familiar:
    """Of one connection. `read` tells of a whole answer with status 200 what its parser would."""

    __slots__ = ("_lines", "_said", "_starts", "_tries", "length", "lines", "reason")

    def __init__(self) -> None:
        self.reason = b""
        self.lines: Lines = []  # of the answer that was read last
        self.length = 0  # of its body
        self._said: list[bytes] = []  # the same lines as they came, the first of them the status
        self._starts: list[bytes | None] = []  # how each begins; None: it may not differ
        self._tries = TRIES

    def read(self, data: bytes) -> bytes | None:
        """The body, if `data` is one whole answer with a head like the one before; then `lines` are of this one."""
        end = data.find(b"\r\n\r\n") if self._said else -1
        if end < 0:
            return None
        said = data[:end].split(b"\r\n")
        body = data[end + 4 :]
        if (said == self._said or self._takes(said)) and len(body) == self.length:
            return body
        return None

    def _takes(self, said: list[bytes]) -> bool:
        """Whether these lines differ from those before in harmless values alone. Then they are remembered instead."""
        if len(said) != len(self._said):
            return False
        lines, length = list(self.lines), self.length
        for at, line in enumerate(said):
            if line == self._said[at]:
                continue
            start = self._starts[at]
            if start is None or not line.startswith(start) or not _VALUE(line):
                return False
            name, value = start[:-2], line[len(start) :]
            if value != value.strip(b" \t"):
                return False
            if name.lower() == _LENGTH:
                if not value.isdigit() or len(value) > MAX_DIGITS:
                    return False
                length = int(value)
            lines[at - 1] = (name, value)
        self._said, self.lines, self.length = said, lines, length
        return True

    def learn(self, data: bytes, reason: bytes, lines: Lines) -> None:
        """A parser has read all of `data` as one whole answer with status 200, which leaves the connection open."""
        if not self._tries:
            self._said = []
            return
        self._tries -= 1
        end = data.find(b"\r\n\r\n")
        said = data[:end].split(b"\r\n")
        length = b"%d" % (len(data) - end - 4)
        plain = [b"%b: %b" % line for line in lines] == said[1:] and said[0] == b"HTTP/1.1 200 %b" % reason
        sized = [value for name, value in lines if name.lower() == _LENGTH]
        chunked = any(name.lower() == b"transfer-encoding" for name, _ in lines)
        if plain and sized == [length] and not chunked:
            self._said, self.lines, self.reason, self.length = said, lines, reason, int(length)
            self._starts = [None, *[None if name.lower() in _FRAMING else name + b": " for name, _ in lines]]
