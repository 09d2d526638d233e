"""Run by the interpreter of Inspect AI's own environment: the same cases, the same model, the same concurrency.

    python peer.py CASES URL CONCURRENCY FOLDER   (the key is in LOCAL_API_KEY)

Prints the seconds between the first question and the last score, as its log has them.
"""

import json
import sys
from datetime import datetime
from pathlib import Path

from inspect_ai import Task, eval  # type: ignore[import-not-found]
from inspect_ai.dataset import MemoryDataset, Sample  # type: ignore[import-not-found]
from inspect_ai.model import (  # type: ignore[import-not-found]
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    get_model,
)
from inspect_ai.scorer import Score, accuracy, scorer  # type: ignore[import-not-found]
from inspect_ai.solver import generate  # type: ignore[import-not-found]

KINDS = {"system": ChatMessageSystem, "user": ChatMessageUser}


@scorer(metrics=[accuracy()])
def fields():  # type: ignore[no-untyped-def]
    """The share of the gold's fields that the answer has."""

    async def score(state, target):  # type: ignore[no-untyped-def]
        gold = json.loads(target.text)
        try:
            said = json.loads(state.output.completion)
            right = sum(said.get(name) == value for name, value in gold.items()) / len(gold)
        except (ValueError, AttributeError):
            right = 0.0
        return Score(value=right)

    return score


def main() -> None:
    cases, url, concurrency, folder = sys.argv[1:]
    rows = [json.loads(line) for line in Path(cases).read_text(encoding="utf-8").splitlines()]
    found = [
        Sample(
            id=row["id"],
            input=[KINDS[message["role"]](content=message["content"]) for message in row["messages"]],
            target=json.dumps(row["gold"]),
        )
        for row in rows
    ]
    config = GenerateConfig(
        temperature=0, max_tokens=200, max_connections=int(concurrency), extra_body={"cache_prompt": False}
    )
    model = get_model("openai-api/local/mini", base_url=url, config=config)
    task = Task(dataset=MemoryDataset(found), solver=generate(), scorer=fields())
    (log,) = eval(task, model=model, display="none", log_dir=folder, max_samples=int(concurrency))
    if log.status != "success":
        raise SystemExit(f"it ended as {log.status}: {log.error}")
    began, ended = (datetime.fromisoformat(at) for at in (log.stats.started_at, log.stats.completed_at))
    print((ended - began).total_seconds())


main()
