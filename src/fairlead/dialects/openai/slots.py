"""OpenAI's language: which tool call a piece of one belongs to, though servers number their calls in different ways."""


class Slots:
    """The tool calls of one choice of a stream, numbered in the order in which they began.

    Some servers number nothing: then a new id or a name begins a new call. Some give every call the number 0: then a
    new id with a name does. Some give no ids: then the slot makes one, as it does for whole answers.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []  # by slot
        self._unnamed: set[int] = set()
        self._current: dict[int, int] = {}  # a server's number -> the slot of the latest call that it was given to

    def place(
        self, number: int | None, id: str | None, name: str | None, position: int
    ) -> tuple[int, str | None, str | None]:
        """(slot, id, name) of a piece; each of both is told once. `position`: the piece's among those of its event."""
        slot = self._known(number, id, name, position)
        if slot is not None:
            return slot, None, self._first(slot, name)
        slot = len(self._ids)
        self._ids.append(id or f"call_{slot}")
        self._unnamed.add(slot)
        if number is not None:
            self._current[number] = slot
        return slot, self._ids[slot], self._first(slot, name)

    def _first(self, slot: int, name: str | None) -> str | None:
        if name is None or slot not in self._unnamed:
            return None
        self._unnamed.discard(slot)
        return name

    def _known(self, number: int | None, id: str | None, name: str | None, position: int) -> int | None:
        if number is None:
            if id is not None:
                return self._ids.index(id) if id in self._ids else None
            if name is not None or not self._ids:
                return None
            return position if 0 < position < len(self._ids) else len(self._ids) - 1
        slot = self._current.get(number)
        if slot is not None and id is not None and name is not None and self._ids[slot] != id:
            return None
        return slot
