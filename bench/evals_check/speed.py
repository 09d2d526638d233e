"""How long 100,000 recorded cases take from their answers to a word: scored, put into a table, compared, gated."""

import time

import numpy as np

from evals_check.accuracy import Graded
from evals_check.goals import Section
from fairlead.evals.comparing import Rules, compare
from fairlead.evals.gating import decide
from fairlead.evals.results import ScoreTable
from fairlead.evals.suite import Metric
from fairlead.evals.wording import words
from fairlead.scoring.number import number
from fairlead.scoring.score import Output

CASES = 100_000
SECONDS = 10.0


def check() -> Section:
    """Answers are sentences with a number in them, drawn; both candidates answer every case."""
    random = np.random.default_rng(0)
    golds = random.integers(1, 100_000, CASES)
    answers = {}
    for name, share in (("base", 0.2), ("candidate", 0.19)):
        off = golds + (random.random(CASES) < share)
        answers[name] = [f"So the answer is {found:,}." for found in off]
    began, wall = time.process_time(), time.perf_counter()
    rules = Rules(primary=Metric(name="right", margin=0.02))
    items, names, scores = [], [], []
    for name, said in answers.items():
        for at, (text, gold) in enumerate(zip(said, golds.tolist(), strict=True)):
            items.append(str(at))
            names.append(name)
            scores.append(number(Output(text), Graded(str(at), str(gold)), take="last").value)
    scored = time.process_time()
    table = ScoreTable.of(items, names, {"right": np.array(scores)})
    (found,) = compare(table, "base", ["candidate"], rules)
    decision = decide(table, "base", "candidate", rules)
    took, wall = time.process_time() - began, time.perf_counter() - wall
    section = Section("Speed")
    section.check(
        f"{CASES:,} recorded cases of two candidates, scored and compared",
        f"below {SECONDS:g} s of one core",
        f"{took:.1f} s",
        took < SECONDS,
    )
    section.text.append(
        f"{2 * CASES:,} answers were scored in {scored - began:.1f} s; a table, a comparison and a gate took "
        f"{took - (scored - began):.1f} s more ({words(found.primary.said)}; gate: {decision.outcome}): seconds of one "
        f"core, {wall:.1f} s on the clock of a machine that had other things to do."
    )
    return section
