"""So many of something for so many requests: what keeps retries and hedges from becoming a storm of their own."""


class Allowance:
    """Each request brings a share of one, and so may time; `most` are there at once. What is paid in beyond that is
    gone: calm hours pay for no storm."""

    __slots__ = ("_at", "_left", "_most", "_per_s")

    def __init__(self, *, most: float, start: float = 0.0, per_s: float = 0.0, at: float = 0.0) -> None:
        self._most = most
        self._left = start
        self._per_s = per_s
        self._at = at

    def deposit(self, share: float) -> None:
        left = self._left + share
        self._left = left if left < self._most else self._most

    def withdraw(self, at: float) -> bool:
        """Take one, if there is one; `at` is the time in seconds."""
        self.deposit(max(0.0, at - self._at) * self._per_s)
        self._at = at
        if self._left < 1:
            return False
        self._left -= 1
        return True
