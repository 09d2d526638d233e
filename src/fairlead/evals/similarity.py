"""How near an answer is to a right text in the space of an embedding: vectors are asked of a route, like anything else.

Nearness is of what is written about, not of what is said about it: "paid" and "not paid" are near.
"""

import math
from collections.abc import Sequence

from fairlead.errors import SuiteInvalid, Unavailable
from fairlead.evals.asking import Asker, Question
from fairlead.scoring.exact import accepted
from fairlead.scoring.score import Item, Output, Score


async def similarity(output: Output, case: Item, *, asker: Asker | None, route: str) -> Score:
    """The cosine of the answer's vector and the nearest gold's, 0 where it is negative or nothing was said. `route`
    answers embeddings. Raises Unavailable where it doesn't."""
    if asker is None:
        raise SuiteInvalid("scorer similarity: nobody is there to ask for vectors", hint="it scores within a run")
    if not output.text.strip():
        return Score(0.0)
    golds = accepted(case)
    body = {"input": [output.text, *golds]}
    asked = await asker.ask(Question(route=route, body=body, task="embed", tags=("scorer",)))
    if asked.status != "ok" or len(asked.vectors) != len(golds) + 1:
        raise Unavailable(asked.message or f"{route} gave {len(asked.vectors)} vectors for {len(golds) + 1} texts")
    said, *wanted = asked.vectors
    return Score(max(0.0, *(_cosine(said, one) for one in wanted)), {"cost_nusd": asked.cost_nusd})


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    length = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / length if length else 0.0
