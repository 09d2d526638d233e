"""Of the calls that another target answered, one is shown that tells of the fallback, where there is such."""

import asyncio
from typing import Any, cast

from fairlead.demo.outage import most_telling
from fairlead.server.remote import Desk
from fairlead.store.calls import AttemptRow, CallRow, CallShown
from rows import row


def call(id: str, *attempts: tuple[str, str]) -> CallShown:
    """Answered; `attempts` are each one's target and outcome."""
    tried = tuple(row(AttemptRow, target=target, outcome=outcome) for target, outcome in attempts)
    return CallShown(row(CallRow, id=id), tried)


def shown(*calls: CallShown) -> str | None:
    class Books:
        async def call(self, ref: str) -> CallShown:
            return next(one for one in calls if one.call.id == ref)

    found = asyncio.run(most_telling(cast(Desk, cast(Any, Books())), [one.call.id for one in calls]))
    return found and found.call.id


AT_ONCE = call("at once", ("nano", "ok"))
LATER = call("later", ("nano", "ok"))
FELL_BACK = call("fell back", ("mini", "target_unreachable"), ("nano", "ok"))
TRIED_TWICE = call("tried twice", ("mini", "target_failed"), ("mini", "target_failed"), ("nano", "ok"))
SAME_TARGET = call("same target", ("nano", "target_failed"), ("nano", "ok"))


def test_the_first_call_that_fell_back_is_shown() -> None:
    assert shown(AT_ONCE, FELL_BACK, TRIED_TWICE, LATER) == "fell back"
    assert shown(AT_ONCE, TRIED_TWICE, LATER) == "tried twice"


def test_a_call_that_another_target_was_asked_at_once_or_twice_shows_no_fallback() -> None:
    assert shown(AT_ONCE, SAME_TARGET, FELL_BACK) == "fell back"


def test_where_none_fell_back_the_last_one_is_shown() -> None:
    assert shown(AT_ONCE, SAME_TARGET, LATER) == "later"


def test_where_there_are_none_none_is_shown() -> None:
    assert shown() is None
