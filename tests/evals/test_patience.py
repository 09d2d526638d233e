"""Who scores waits for a limit that has room again, tries a target that may do better, and hears a no at once."""

import asyncio

import pytest

from fairlead.evals.asking import Asked, Question
from fairlead.evals.patience import PATIENCE_S, TRIES, BesideDenied, PatientAsker

FULL = Asked(status="denied", code="rate_limited", retry_after_s=2.0)
DOWN = Asked(status="failed", code="target_overloaded")
NO = Asked(status="denied", code="budget_exhausted", message="the budget is spent")
REFUSED = Asked(status="refused", code="target_refused")
GOOD = Asked(text="yes")
QUESTION = Question(route="judge", body={})


class Server:
    def __init__(self, *answers: Asked) -> None:
        self.answers = answers
        self.asked = 0
        self.slept: list[float] = []
        self.inside = self.most = 0

    async def ask(self, question: Question) -> Asked:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def hear(self) -> Asked:
        return asyncio.run(PatientAsker(self, sleep=self.sleep).ask(QUESTION))


def test_a_full_limit_is_waited_for_as_long_as_it_says() -> None:
    server = Server(FULL, FULL, GOOD)
    assert server.hear() == GOOD
    assert server.slept == [2.0, 2.0]


def test_a_limit_that_stays_full_is_told_in_the_end() -> None:
    server = Server(FULL)
    with pytest.raises(BesideDenied):
        server.hear()
    assert sum(server.slept) >= PATIENCE_S


def test_a_target_that_may_do_better_is_asked_again_with_growing_pauses() -> None:
    server = Server(DOWN)
    assert server.hear() == DOWN
    assert (server.asked, server.slept) == (TRIES, [0.5, 1.0, 2.0])


def test_a_no_is_a_no_and_no_scorers_failure() -> None:
    server = Server(NO, GOOD)
    with pytest.raises(BesideDenied, match="judge, which scores, can't be asked: the budget is spent") as raised:
        server.hear()
    assert (server.slept, raised.value.code) == ([], "budget_exhausted")


def test_a_provider_who_takes_no_key_of_ours_is_a_no_unless_he_took_it_before() -> None:
    with pytest.raises(BesideDenied):
        Server(REFUSED).hear()
    asker = PatientAsker(server := Server(GOOD, REFUSED), sleep=server.sleep)
    assert asyncio.run(asker.ask(QUESTION)) == GOOD
    assert asyncio.run(asker.ask(QUESTION)) == REFUSED


def test_so_many_at_once_and_no_more() -> None:
    server = Server(GOOD)

    async def all_at_once() -> None:
        asker = PatientAsker(server, at_once=3)
        await asyncio.gather(*(asker.ask(QUESTION) for _ in range(20)))

    asyncio.run(all_at_once())
    assert (server.asked, server.most) == (20, 3)
