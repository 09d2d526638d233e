"""The office: what can't be is refused before it is written."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairlead.errors import RequestInvalid
from fairlead.ids import now_us
from fairlead.server.office import CallFilter, KeyWanted, Office
from fairlead.store.audit import list_audit, note
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.runs import RunRow, list_runs, new_run
from fairlead.store.retention import DAY_US


@pytest.mark.parametrize(
    "wanted",
    [
        {"requests_per_minute": 0},
        {"tokens_per_minute": 2**63},
        {"concurrent": -5},
        {"concurrent": 0},
        {"expires_us": 2**64},
        {"expires_us": -1},
        {"budget": "9999999999usd/day"},
    ],
)
def test_a_key_that_no_worker_could_be_told_is_not_made(tmp_path: Path, wanted: dict[str, Any]) -> None:
    async def play() -> None:
        office = await Office.open(tmp_path)
        with pytest.raises(RequestInvalid):
            await office.new_key(KeyWanted(name="app", **wanted), by="test")
        assert await office.keys() == []
        office.close()

    asyncio.run(play())


@pytest.mark.parametrize("query", [{"limit": "-1"}, {"limit": "0"}, {"since_us": "99999999999999999999"}])
def test_a_question_beyond_all_numbers_is_no_question(query: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(query, CallFilter, strict=False)


def test_runs_of_evaluations_go_when_they_are_old_and_not_where_nothing_says_how_old(tmp_path: Path) -> None:
    async def play() -> None:
        office = await Office.open(tmp_path)
        row = RunRow(id="r", suite="s", name="n", split="dev", at_us=now_us() - 100 * DAY_US, planned=0, plan="{}")
        with office.store.begin() as connection:
            note(connection, actor="a", action="b", subject="c", at_us=now_us() - 60 * DAY_US)
        with open_evals(tmp_path) as evals:
            with evals.begin() as connection:
                new_run(connection, row)
            for keep, left in (("", 1), ("101d", 1), ("90d", 0)):
                await office.forget_runs(keep, tmp_path, "")
                with evals.read() as connection:
                    assert len(list_runs(connection)) == left, keep
        office.close()

    asyncio.run(play())


def test_a_clock_that_may_have_jumped_is_told_in_the_log_and_removes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        office = await Office.open(tmp_path)
        with office.store.begin() as connection:
            note(connection, actor="a", action="old", subject="s", at_us=1_600_000_000_000_000)
        await office.prune("90d")
        with office.store.read() as connection:
            assert [row.action for row in list_audit(connection)] == ["old"]
        office.close()

    asyncio.run(play())
    assert "the clock jumped ahead" in caplog.text and "--clock-is-right" in caplog.text
