"""What is paid for in the name of a run, counted where it is asked: whatever becomes of an answer, its money is spent.

A verdict that was none, a turn of a conversation that was never finished, an anchor: all of them cost. So a run's cost
is no sum of what it kept. What a call costs is told by whoever asks; what is done with the sums is not known here.
"""

from collections.abc import Mapping

from msgspec import Struct, structs

from fairlead.evals.asking import Asked, Asker, Question
from fairlead.ids import new_id
from fairlead.store.evals.spending import SpentRow

ANSWER = "answer"
LONGEST_TAG = 64  # characters, in the books
BESIDE = ("judge", "user", "scorer")  # tags of questions that no candidate is asked


class Spent(Struct, frozen=True):
    """`unpriced` counts questions whose cost nobody knows."""

    questions: int = 0
    cost_nusd: int = 0
    unpriced: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.questions + other.questions, self.cost_nusd + other.cost_nusd, self.unpriced + other.unpriced)


class Meter:
    """Asks through another asker, and counts. All its questions stand in the books under the session `run`, and have
    its tags."""

    def __init__(self, asker: Asker, run: str, tags: tuple[str, ...] = ()) -> None:
        self._asker = asker
        self._run = run
        self._tags = tags
        self._sitting = new_id()
        self._spent: dict[str, Spent] = {}

    async def ask(self, question: Question) -> Asked:
        tags = (*question.tags, *self._tags)
        found = await self._asker.ask(structs.replace(question, session=self._run, tags=tags))
        what = next((tag for tag in question.tags if tag in BESIDE), ANSWER)
        self._spent[what] = self._spent.get(what, Spent()) + _cost(found)
        return found

    @property
    def spent(self) -> Mapping[str, Spent]:
        """In this sitting, by what for."""
        return self._spent

    @property
    def total(self) -> Spent:
        return sum(self._spent.values(), Spent())

    def rows(self) -> tuple[SpentRow, ...]:
        """For the store."""
        return tuple(
            SpentRow(self._run, self._sitting, what, spent.questions, spent.cost_nusd, spent.unpriced)
            for what, spent in self._spent.items()
        )


def _cost(found: Asked) -> Spent:
    """What was not let in costs nothing; what was under way when a server went may have."""
    if found.status == "denied" and not found.cost_nusd and found.code != "not_running":
        return Spent()
    return Spent(1, found.cost_nusd or 0, found.cost_nusd is None)
