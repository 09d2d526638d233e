"""Whatever a provider does wrong, over real TCP and through the real door: the caller learns the truth, the books hold
it, nothing stays taken, and the next request fares as if nothing had been.
"""

import asyncio

import pytest

from fairlead.backends.faults import FAULTS
from faults.caller import Heard
from faults.page import page
from faults.playing import CASES, INSTEAD, Case, Played, play_all
from faults.table import LONG_S, ROWS, TEXT, THRICE, End, Row
from rules.house import ROOT

UNBILLED = ("target_unreachable", "target_overloaded", "target_failed", "target_refused", "target_rejected")
SLOWEST_S = 20.0  # of any request: far above what the deadlines allow, since machines are busy


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    return asyncio.run(play_all(tmp_path_factory.mktemp("faults")))


every_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


def cases_of(row: Row) -> list[Case]:
    return [case for case in CASES if case.row is row]


def expected(case: Case) -> End:
    """Where another target answers instead, the request ends well after two attempts."""
    return End(attempts=2) if case.instead else case.row.end(case.way)


@every_row
def test_the_caller_learns_what_became_of_the_request(row: Row, played: dict[str, Played]) -> None:
    for case in cases_of(row):
        heard, end = played[case.name].heard, expected(case)
        assert heard.status == end.status, (case, heard.body[:300])
        assert heard.took_s < SLOWEST_S
        if end.code:
            check_error(case, heard, end)
        else:
            check_answer(case, heard)


def check_answer(case: Case, heard: Heard) -> None:
    assert heard.ended and heard.said == (INSTEAD if case.instead else TEXT), case
    assert heard.finish == ("content_filter" if case.row.name == "content filter" else "stop")
    assert not heard.streamed or heard.events[-1] == "[DONE]"
    assert heard.headers["x-fairlead-target"] == ("other" if case.instead else case.name)


def check_error(case: Case, heard: Heard, end: End) -> None:
    assert heard.error.get("code") == end.code, (case, heard.body[-300:])
    assert heard.error["message"]
    assert heard.finish is None and b"[DONE]" not in heard.body, "an end that nobody told"
    if heard.status == 200:
        assert heard.said and TEXT.startswith(heard.said)
        return
    assert heard.ended and (heard.error.get("hint") or end.code == "scripted_400")
    waits = str(round(case.row.retry_after_s)) if case.row.retry_after_s else None
    assert heard.headers.get("retry-after") == waits
    assert heard.headers.get("x-should-retry") == ("false" if end.attempts == THRICE else None)


@every_row
def test_every_attempt_that_a_provider_saw_is_in_the_books_once(row: Row, played: dict[str, Played]) -> None:
    for case in cases_of(row):
        one, end = played[case.name], expected(case)
        attempts = one.shown.attempts
        assert len(attempts) == one.shown.call.attempts == end.attempts, case
        at_first = [attempt for attempt in attempts if attempt.target == case.name]
        assert one.seen == (len(at_first) if row.place == "script" else 0), attempts
        assert one.shown.call.status == ("failed" if end.code else "ok")
        booked = {"": "ok", "scripted_400": "target_rejected"}.get(end.code, end.code)
        assert attempts[-1].outcome == booked
        assert (attempts[-1].purpose == "continue") is (case.way == "continued" and row.breaks)
        assert not {attempt.outcome for attempt in attempts[:-1]} & {"ok", "lost", "cancelled"}
        assert sum(attempt.cost_nusd or 0 for attempt in attempts) == one.shown.call.cost_nusd


@every_row
def test_what_was_spent_is_booked_and_what_can_t_be_known_is_marked(row: Row, played: dict[str, Played]) -> None:
    for attempt in [attempt for case in cases_of(row) for attempt in played[case.name].shown.attempts]:
        if attempt.outcome == "ok":
            tokens = (attempt.input_tokens, attempt.output_tokens)
            assert not attempt.estimated and (attempt.target == "other" or tokens == (9, 7))
            assert attempt.cost_nusd == (tokens[0] + 2 * tokens[1]) * 1000
        elif attempt.outcome in UNBILLED and attempt.first_token_us is None:
            assert (attempt.cost_nusd, attempt.estimated) == (0, False), attempt
        else:
            assert attempt.estimated and attempt.hold_nusd is not None and attempt.cost_nusd is not None, attempt
            assert 0 < attempt.cost_nusd <= attempt.hold_nusd


@every_row
def test_after_it_nothing_is_taken_and_the_next_request_fares_well(row: Row, played: dict[str, Played]) -> None:
    for case in cases_of(row):
        one = played[case.name]
        if one.again is None:
            continue
        if row.rests and not case.fallback:
            assert (one.again.status, one.again.error["code"]) == (503, "circuit_open")
            assert 1 <= int(one.again.headers["retry-after"]) <= LONG_S
            continue
        assert one.again.status == 200, (case, one.again.body[:300])
        assert one.again.finish == "stop" and one.again.ended
        if row.place == "script" and not row.rests:
            assert one.again.headers["x-fairlead-target"] == case.name
            spoilt = sum(attempt.target == case.name and attempt.outcome != "ok" for attempt in one.shown.attempts)
            assert one.open <= 1
            assert one.opened == (1 if row.kept else max(1, spoilt) + 1), "connections are kept where they are whole"


def test_the_page_is_up_to_date() -> None:
    shown = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
    assert shown == page(), "write it anew: make faults"


def test_every_fault_of_the_wire_has_its_row() -> None:
    played = {line.fault for row in ROWS for line in row.lines if line.fault}
    assert played == set(FAULTS)
