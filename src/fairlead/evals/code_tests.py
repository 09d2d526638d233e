"""Hidden tests of code: the code in an answer passes the tests that the case keeps, in the sandbox."""

import asyncio

from fairlead.evals.sandbox import Limits, run_tests
from fairlead.scoring.code import code_in
from fairlead.scoring.score import GoldUnfit, Item, Output, Score

MOST_TOLD = 5


async def code_tests(
    output: Output,
    case: Item,
    *,
    unsandboxed: bool = False,
    entry: str = "",
    share: bool = False,
    wall_s: float = 20.0,
    cpu_s: int = 10,
    memory_mb: int = 512,
    processes: int = 16,
) -> Score:
    """1 if all tests pass, else 0; or the `share` of them that does.

    Gold: the tests as Python text, or {"tests", "entry"}: functions `test_*` that import what they test from
    `solution`. `entry` is what the answer has to define, where it has several blocks of code. Raises ExtraMissing where
    there is no sandbox.
    """
    tests, named = _tests(case)
    limits = Limits(wall_s=wall_s, cpu_s=cpu_s, memory_mb=memory_mb, processes=processes)
    code = code_in(output.text, entry=named or entry)
    if not code.strip():
        return Score(0.0, {"end": "no code"})
    ran = await asyncio.to_thread(run_tests, code, tests, limits, "none" if unsandboxed else None)
    if ran.results is None:
        return Score(0.0, {"end": ran.end, "printed": ran.printed[-500:]})
    wrong = {name: why for name, why in ran.results.items() if why}
    right = len(ran.results) - len(wrong)
    value = right / len(ran.results) if share else float(not wrong)
    reasons = {"passed": right, "tests": len(ran.results), "failed": dict(list(wrong.items())[:MOST_TOLD])}
    return Score(value, reasons)


def _tests(case: Item) -> tuple[str, str]:
    gold = case.gold if isinstance(case.gold, dict) else {"tests": case.gold}
    tests, entry = gold.get("tests"), gold.get("entry", "")
    if not isinstance(tests, str) or not tests.strip() or not isinstance(entry, str):
        raise GoldUnfit('the gold must be the tests as text, or {"tests": ..., "entry": ...}')
    return tests, entry
