"""What is paid for in the name of a run is counted where it is asked, and stands in the books as the run's own."""

import asyncio

from fairlead.evals.asking import Asked, Question
from fairlead.evals.spending import Meter, Spent
from fairlead.store.evals.spending import SpentRow


class Counter:
    def __init__(self, *answers: Asked) -> None:
        self.answers = list(answers)
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Asked:
        self.asked.append(question)
        return self.answers.pop(0)


def ask(meter: Meter, *tags: str) -> None:
    asyncio.run(meter.ask(Question(route="r", body={}, tags=tags)))


def test_every_question_stands_in_the_books_under_the_run_with_its_tags() -> None:
    counter = Counter(Asked(cost_nusd=1))
    ask(Meter(counter, "run1", ("suite=meetings",)), "judge")
    (question,) = counter.asked
    assert (question.session, question.tags) == ("run1", ("judge", "suite=meetings"))


def test_what_is_spent_is_told_apart_by_what_for_and_a_failure_costs_as_well() -> None:
    counter = Counter(
        Asked(cost_nusd=5), Asked(cost_nusd=2, status="failed"), Asked(cost_nusd=3, text="garbage"), Asked(cost_nusd=4)
    )
    meter = Meter(counter, "run1")
    for tags in ((), (), ("judge",), ("user",)):
        ask(meter, *tags)
    assert meter.spent == {"answer": Spent(2, 7), "judge": Spent(1, 3), "user": Spent(1, 4)}
    assert meter.total == Spent(4, 14)


def test_what_was_not_let_in_costs_nothing_and_what_nobody_knows_the_cost_of_is_counted_apart() -> None:
    denied = Asked(status="denied", code="budget_exhausted")
    gone = Asked(status="denied", code="not_running")
    meter = Meter(Counter(denied, gone, Asked(), Asked(cost_nusd=1)), "run1")
    for _ in range(4):
        ask(meter)
    assert meter.total == Spent(3, 1, 2)


def test_two_sittings_of_a_run_are_two_rows() -> None:
    one, other = (Meter(Counter(Asked(cost_nusd=1)), "run1") for _ in range(2))
    ask(one)
    ask(other)
    (first,), (second,) = one.rows(), other.rows()
    assert first == SpentRow("run1", first.sitting, "answer", 1, 1, 0) and first.sitting != second.sitting
