"""Patience with a model that is asked beside the candidates, a judge above all: so many questions at once, and again
where that helps.

Who scores has a score only where he is answered; a limit that is full for a moment, or a target that is, must not make
scores missing. What the house denies for good (budget, zone, key) is raised at once: no later answer would be scored,
and no later conversation had, and it is nobody's failure.
"""

import asyncio
from collections.abc import Awaitable, Callable

from fairlead.errors import FairleadError
from fairlead.evals.asking import Asked, Asker, Question

AT_ONCE = 16
TRIES = 4  # of a target that may do better a moment later
BACKOFF_S = 0.5
LONGEST_WAIT_S = 60.0  # that anybody may ask for
PATIENCE_S = 600.0  # with a limit of the house that will have room again


class BesideDenied(FairleadError):
    """Whoever is asked beside the candidates may not be asked, or takes neither our key nor the model's name: nothing
    more can be scored, or played, until somebody mends that."""

    code = "policy_denied"


class PatientAsker:
    """Asks through another asker; `role` says for what. `sleep` is the loop's, or a test's."""

    def __init__(
        self,
        asker: Asker,
        role: str = "which scores",
        *,
        at_once: int = AT_ONCE,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._asker = asker
        self._role = role
        self._room = asyncio.Semaphore(at_once)
        self._sleep = sleep
        self._answered: set[str] = set()  # routes that have answered at all

    async def ask(self, question: Question) -> Asked:
        """Raises BesideDenied."""
        found = await self._ask(question)
        if found.status == "ok":
            self._answered.add(question.route)
        is_refused = found.code == "target_refused" and question.route not in self._answered
        if found.status == "denied" or is_refused:
            raise BesideDenied(
                f"{question.route}, {self._role}, can't be asked: {found.message}", hint=found.hint, code=found.code
            )
        return found

    async def _ask(self, question: Question) -> Asked:
        tries, waited_s = 0, 0.0
        async with self._room:
            while True:
                found = await self._asker.ask(question)
                if found.waits and waited_s < PATIENCE_S:
                    wait_s = min(found.retry_after_s or BACKOFF_S, LONGEST_WAIT_S)
                    waited_s += wait_s
                elif found.passes and tries < TRIES - 1:
                    wait_s = min(found.retry_after_s or BACKOFF_S * 2**tries, LONGEST_WAIT_S)
                    tries += 1
                else:
                    return found
                await self._sleep(wait_s)
