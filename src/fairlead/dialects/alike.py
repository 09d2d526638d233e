"""Events of a stream that are like one before but for a piece of text: what was read once is not read again.

Most streams say the same around each piece. It knows bytes and JSON's strings; what an event means, its language knows.
"""

TRIES = 8  # to learn what stands around the text, for each stream: some providers change it with every event


class Alike:
    """Of one stream. `field` is the name of the text in an event."""

    __slots__ = ("_after", "_before", "_end", "_field", "_start", "_tries")

    def __init__(self, field: bytes) -> None:
        self._field = b'"%b":' % field
        self._before = self._after = b""
        self._start = self._end = 0  # their lengths; 0: nothing was learnt
        self._tries = TRIES

    def text(self, data: bytes) -> str | None:
        """The text, not empty, if all around it is as it was; None: the event is to be read."""
        start, end = self._start, self._end
        if not start or data[:start] != self._before or data[-end:] != self._after or len(data) <= start + end:
            return None
        try:
            text = data[start:-end].decode()
        except UnicodeDecodeError:
            return None
        return text if text.isprintable() and '"' not in text and "\\" not in text else None

    def learn(self, data: bytes, text: str) -> None:
        """An event was read that says nothing but `text`."""
        if not self._tries:
            self._start = 0
            return
        self._tries -= 1
        said = b'"%b"' % text.encode("utf-8", "surrogatepass")
        before, _, after = data.partition(said)
        named = before.rstrip()
        stands_first = named.endswith(self._field) and named[: -len(self._field)].rstrip()[-1:] in (b"{", b",")
        if stands_first and after and said not in after:
            self._before, self._after = before + b'"', b'"' + after
            self._start, self._end = len(before) + 1, len(after) + 1
