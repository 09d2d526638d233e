"""Whose turn it is in a script, and what a line says: whole, or piece by piece. The same wherever it is played.

It plays nothing: that is `script.py`, in process, and `standin/`, over TCP.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from fairlead.backends.lines import Line, check
from fairlead.chat import Chunk, Part, Request, Said, Text, Thinking, ToolDelta

PLAYED = frozenset({"chat", "complete", "count"})
_PROMPT = msgspec.json.Decoder(str)


class Turns:
    """Lines whose `when` is found in the last user text come first, else those without one; among several the one that
    was played least, so that they follow each other and begin anew. Raises ConfigInvalid where a line makes no sense.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = check(tuple(lines))
        self._whens = [re.compile(line.when) if line.when else None for line in self.lines]
        self._plays = [0] * len(self.lines)

    @property
    def plays(self) -> tuple[int, ...]:
        """How often each line was played."""
        return tuple(self._plays)

    def next(self, last: str) -> int | None:
        """The number of the line that answers this text, from now on played once more; None: there is none."""
        fitting = [n for n, when in enumerate(self._whens) if when is not None and when.search(last)]
        fitting = fitting or [n for n, when in enumerate(self._whens) if when is None]
        if not fitting:
            return None
        number = min(fitting, key=self._plays.__getitem__)
        self._plays[number] += 1
        return number


def prompts(request: Request) -> tuple[str, str]:
    """All text of the request, and the last thing that the user said."""
    if request.task == "complete":
        raw = request.spoken.fields.get("prompt", Raw(b'""')) if request.spoken is not None else Raw(b'""')
        try:
            prompt = _PROMPT.decode(raw)
        except msgspec.ValidationError:  # several prompts, or tokens
            prompt = bytes(raw).decode()
        return prompt, prompt
    messages = request.chat().messages
    texts = [(m.role, " ".join(part.text for part in m.parts if isinstance(part, Text))) for m in messages]
    last = next((text for role, text in reversed(texts) if role == "user"), "")
    return "\n".join(text for _, text in texts), last


def whole(line: Line) -> Said:
    """All that a line says."""
    reasoning: tuple[Part, ...] = (Thinking(line.reasoning),) if line.reasoning else ()
    text = (Text(line.whole),) if line.whole is not None else ()
    return Said((*reasoning, *text, *line.calls()), line.end)


def in_pieces(line: Line, samples: int) -> list[Chunk]:
    """All that a line says, piece by piece, for every choice; each one's finish last."""
    calls = line.calls()
    pieces = [Chunk(reasoning=line.reasoning, words=True)] if line.reasoning else []
    pieces += [Chunk(text=cut, words=True) for cut in line.cuts]
    for slot, call in enumerate(calls):
        pieces.append(Chunk(tool=ToolDelta(slot, call.id, call.name), words=True))
        pieces.append(Chunk(tool=ToolDelta(slot, arguments=call.arguments), words=True))
    pieces.append(Chunk(finish=line.end))
    return [msgspec.structs.replace(piece, index=index) for index in range(samples) for piece in pieces]


def breaks_at(line: Line, pieces: Sequence[object]) -> int | None:
    """How many pieces of a stream are said before its fault; None where nothing breaks."""
    last = len(pieces) - 1  # the finish
    for said in (line.cut_after, line.stall_after):
        if said is not None:
            return min(said, last)
    return min(max(last // 2, 1), last) if line.fault is not None and line.fault_row.at == "middle" else None
