"""What the demonstration's answers are worth: fields right, valid JSON, and the difference between two targets.

Shares are of documents' fields, with the document as the unit. Tokens, money and times are not counted here: the
ledger knows them.
"""

from collections.abc import Sequence

from msgspec import Struct

from fairlead.demo.asking import Answered
from fairlead.demo.configuration import TASKS
from fairlead.samples.sample import SEEN, UNSEEN
from fairlead.scoring.json_fields import score
from fairlead.stats.intervals import Interval, mean_share, paired_difference, wilson
from fairlead.store.calls import Summary


class Measured(Struct, frozen=True, kw_only=True):
    """One target. Shares are None where nothing was asked of that kind; `books` is what the ledger says of it.

    `fields` are by task and split (`invoices/seen`); `all_fields` holds each document's share, in the documents' order.
    """

    target: str
    documents: int
    fields: dict[str, Interval | None]
    valid_json: Interval | None
    valid_json_with_schema: Interval | None
    all_fields: list[float]
    failed: int
    books: Summary


def measure(target: str, answers: Sequence[Answered], books: Summary) -> Measured:
    plain = [one for one in answers if not one.question.with_schema]
    bound = [one for one in answers if one.question.with_schema]
    return Measured(
        target=target,
        documents=len(plain),
        fields={
            f"{task}/{split}": _fields_right(
                [one for one in plain if (one.question.sample.task, one.question.sample.split) == (task, split)]
            )
            for task in TASKS
            for split in (SEEN, UNSEEN)
        },
        valid_json=_valid(plain),
        valid_json_with_schema=_valid(bound),
        all_fields=_shares(plain),
        failed=sum(bool(one.error) for one in answers),
        books=books,
    )


def compare(first: Measured, second: Measured) -> Interval:
    """How many more of a document's fields the second target reads rightly, document by document."""
    return paired_difference(first.all_fields, second.all_fields)


def _shares(answers: Sequence[Answered]) -> list[float]:
    return [score(one.text, one.question.sample.gold).value for one in answers]


def _fields_right(answers: Sequence[Answered]) -> Interval | None:
    return mean_share(_shares(answers)) if answers else None


def _valid(answers: Sequence[Answered]) -> Interval | None:
    if not answers:
        return None
    return wilson(sum(score(one.text, one.question.sample.gold).is_json for one in answers), len(answers))
