"""A scorer that hangs, falls over or ends its process costs one score, and neither the run nor anybody's time."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.running import until
from evals.test_scorers import suite
from fairlead.errors import ExtraMissing, SuiteInvalid
from fairlead.evals.examining import Examiners
from fairlead.evals.recipes import Scored
from fairlead.evals.scorers import check_gold, load
from fairlead.evals.suite import Suite
from fairlead.scoring.score import Output

OWN = """
import os, signal, sys, time
from dataclasses import dataclass

@dataclass
class Word:
    text: str

def odd(output, case, *, wanted: str = "right"):
    said = Word(output.text).text
    if said == "hangs": time.sleep(1000)
    if said == "spins":
        while True: pass
    if said == "ends": os._exit(3)
    if said == "falls": os.kill(os.getpid(), signal.SIGSEGV)
    if said == "raises": raise SystemExit(4)
    if said == "forks":
        child = os.fork()
        if child == 0: time.sleep(1000)
        return 1, {"child": child}
    if said == "prints": print("on standard output")
    if said == "stranger": return 1, {"why": {1, 2}, "what": object}
    if said == "huge": return 1, {"why": "x" * 5_000_000}
    if said == "lacks": import nowhere_to_be_found
    return said == wanted, {"pid": os.getpid()}
"""
SLOW = "limit_s = 2"
CATASTROPHE = 'kind = "regex"\npattern = "^(a+)+$"\n'


def scored(found: Suite, *texts: str, most: int = 2) -> list[Scored]:
    """All of them at once."""

    async def scoring() -> list[Scored]:
        async with Examiners(most) as examiners:
            one = load(found, examiners=examiners)["it"]
            return await asyncio.gather(*(one.score(Output(text), found.cases[0]) for text in texts))

    return asyncio.run(scoring())


def test_a_scorer_of_the_suites_own_scores_in_a_process_that_is_not_ours(tmp_path: Path) -> None:
    found = suite(tmp_path, 'kind = "odd"\nwanted = "good"', OWN)
    good, bad = scored(found, "good", "bad", most=1)
    assert good.score is not None and bad.score is not None
    assert (good.score.value, bad.score.value) == (1, 0)
    assert good.score.reasons["pid"] == bad.score.reasons["pid"] != os.getpid()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("hangs", "scorer it took longer than 2 s"),
        ("spins", "scorer it took longer than 2 s"),
        ("ends", "scorer it ended its process: exit status 3"),
        ("raises", "scorer it ended its process: exit status 4"),
        ("falls", "scorer it ended its process: SIGSEGV"),
    ],
)
def test_a_scorer_that_does_not_come_back_makes_one_score_missing_and_the_others_go_on(
    tmp_path: Path, said: str, why: str
) -> None:
    found = suite(tmp_path, f'kind = "odd"\n{SLOW if "longer" in why else ""}', OWN)
    before, lost, after = scored(found, "right", said, "right", most=1)
    assert lost == Scored(None, why, stuck=True)
    assert before.score is not None and after.score is not None and after.score.value == 1


def test_a_regular_expression_that_backtracks_without_end_is_ended(tmp_path: Path) -> None:
    found = suite(tmp_path, CATASTROPHE + SLOW)
    right, never = scored(found, "aaaa", "a" * 60 + "!")
    assert right.score is not None and right.score.value == 1
    assert never.score is None and never.why == "scorer it took longer than 2 s"


def test_the_loop_goes_on_while_a_scorer_takes_its_time(tmp_path: Path) -> None:
    found = suite(tmp_path, CATASTROPHE + "limit_s = 1.5")

    async def scoring() -> int:
        turns = 0
        async with Examiners() as examiners:
            one = load(found, examiners=examiners)["it"]
            never = asyncio.ensure_future(one.score(Output("a" * 60 + "!"), found.cases[0]))
            while not never.done():
                await asyncio.sleep(0.01)
                turns += 1
        return turns

    assert asyncio.run(scoring()) > 10  # at most 150; were it blocked: 1


def test_a_long_answer_is_scored_apart_by_any_scorer_and_a_short_one_here(tmp_path: Path) -> None:
    found = suite(tmp_path, 'kind = "exact"\ngold = "words"')

    async def scoring() -> tuple[bool, bool]:
        async with Examiners() as examiners:
            one = load(found, examiners=examiners)["it"]
            seen = []
            for text in ("one two", "one two" + " " * 20_000):
                scored = await one.score(Output(text), found.cases[0])
                assert scored.score is not None and scored.score.value == 1
                seen.append(bool(examiners._all))
            return seen[0], seen[1]

    assert asyncio.run(scoring()) == (False, True)


def test_without_a_limit_a_scorer_runs_in_this_process(tmp_path: Path) -> None:
    found = suite(tmp_path, 'kind = "odd"\nlimit_s = 0', OWN)
    (here,) = scored(found, "right")
    assert here.score is not None and here.score.reasons["pid"] == os.getpid()


def test_what_a_scorer_starts_ends_with_it(tmp_path: Path) -> None:
    (said,) = scored(suite(tmp_path, 'kind = "odd"', OWN), "forks")
    assert said.score is not None
    child = said.score.reasons["child"]
    until("it is gone", lambda: not alive(child))


def test_a_scorers_reasons_never_break_anything(tmp_path: Path) -> None:
    strange, huge = scored(suite(tmp_path, 'kind = "odd"', OWN), "stranger", "huge")
    assert strange.score is not None and strange.score.value == 1 and "why" in strange.score.reasons
    assert huge.score is not None and huge.score.value == 1 and "bytes" in huge.score.reasons["left_out"]


def test_what_a_scorer_prints_is_not_among_the_data(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scored(suite(tmp_path, 'kind = "odd"', OWN), "prints")
    out, err = capfd.readouterr()
    assert out == "" and "on standard output" in err


def test_what_a_scorer_needs_and_is_not_there_is_no_answers_fault(tmp_path: Path) -> None:
    with pytest.raises(ExtraMissing, match="nowhere_to_be_found"):
        scored(suite(tmp_path, 'kind = "odd"', OWN), "lacks")


def test_a_file_of_scorers_that_is_edited_meanwhile_changes_nothing(tmp_path: Path) -> None:
    found = suite(tmp_path, 'kind = "odd"', OWN)

    async def scoring() -> Scored:
        async with Examiners() as examiners:
            one = load(found, examiners=examiners)["it"]
            (tmp_path / "scorers.py").write_text("def odd(output, case, *, wanted='x'): return 0")
            return await one.score(Output("right"), found.cases[0])

    after = asyncio.run(scoring())
    assert after.score is not None and after.score.value == 1


def test_one_that_hangs_over_an_empty_answer_is_found_before_anybody_is_asked(tmp_path: Path) -> None:
    code = "def odd(output, case):\n    while not output.text: pass\n    return 1\n"
    found = suite(tmp_path, f'kind = "odd"\n{SLOW}', code)

    async def checking() -> None:
        async with Examiners() as examiners:
            await check_gold(load(found, examiners=examiners).values(), found.cases)

    with pytest.raises(SuiteInvalid, match=r"case 'a': scorer it took longer than 2 s, over") as told:
        asyncio.run(checking())
    assert "limit_s" in told.value.hint


def test_one_that_waits_has_a_limit_where_it_is_given_one(tmp_path: Path) -> None:
    code = "import asyncio\nasync def odd(output, case):\n    await asyncio.Event().wait()\n"
    (never,) = scored(suite(tmp_path, f'kind = "odd"\n{SLOW}', code), "said")
    assert never == Scored(None, "scorer it took longer than 2 s", stuck=True)


@pytest.mark.parametrize("limit", ['"long"', "-1", "1e9", "true"])
def test_a_limit_that_is_none_is_told(tmp_path: Path, limit: str) -> None:
    with pytest.raises(SuiteInvalid, match=r"scorers.it.limit_s: expected seconds"):
        load(suite(tmp_path, f'kind = "odd"\nlimit_s = {limit}', OWN))


def test_who_stops_waiting_leaves_no_process_behind(tmp_path: Path) -> None:
    found = suite(tmp_path, 'kind = "odd"', OWN)

    async def stopping() -> list[int]:
        async with Examiners() as examiners:
            one = load(found, examiners=examiners)["it"]
            waiting = asyncio.ensure_future(one.score(Output("hangs"), found.cases[0]))
            while not examiners._all:
                await asyncio.sleep(0.01)
            pids = [one.process.pid for one in examiners._all]
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        return pids

    (pid,) = asyncio.run(stopping())
    assert not Path(f"/proc/{pid}").exists()


PARENT = """
import asyncio, sys
from pathlib import Path
from fairlead.evals.examining import Examiners
from fairlead.evals.scorers import load
from fairlead.evals.suite import read_suite
from fairlead.scoring.score import Output

async def main():
    found = read_suite(Path(sys.argv[1]))
    async with Examiners(2) as examiners:
        one = load(found, examiners=examiners)["it"]
        first = await one.score(Output("right"), found.cases[0])
        hanging = [asyncio.ensure_future(one.score(Output("spins"), found.cases[0])) for _ in range(2)]
        while len(examiners._all) < 2 or any(one._writer is None for one in examiners._all):
            await asyncio.sleep(0.01)
        print(*(one.process.pid for one in examiners._all), flush=True)
        await asyncio.gather(*hanging)

asyncio.run(main())
"""


def test_after_kill_9_of_the_run_no_scorer_goes_on(tmp_path: Path) -> None:
    suite(tmp_path, 'kind = "odd"\nlimit_s = 1000', OWN)
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(alive(pid) for pid in pids)
        parent.kill()
    until("both are gone", lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
