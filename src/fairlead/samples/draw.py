"""The door to the samples: `samples(task, split, count, seed)`.

Each sample has a random stream of its own, named by task, split, seed and position: the first 50 of 200 are the same 50
that one gets when asking for 50. Knows the two tasks by name, nothing of what is in them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from fairlead.samples.invoices import INVOICE_SCHEMA, invoice
from fairlead.samples.sample import SPLITS, Sample
from fairlead.samples.tickets import TICKET_SCHEMA, ticket

INVOICES, TICKETS = "invoices", "tickets"

TASKS: dict[str, Callable[[random.Random, str], Sample]] = {INVOICES: invoice, TICKETS: ticket}
SCHEMAS: dict[str, dict[str, Any]] = {INVOICES: INVOICE_SCHEMA, TICKETS: TICKET_SCHEMA}


def iterate(task: str, split: str, seed: int = 0) -> Iterator[Sample]:
    """Samples of a task without end. Raises ValueError for an unknown task or split."""
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}: one of {', '.join(TASKS)}")
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: one of {', '.join(SPLITS)}")
    position = 0
    while True:
        yield TASKS[task](random.Random(f"{task}/{split}/{seed}/{position}"), split)
        position += 1


def samples(task: str, split: str, count: int, seed: int = 0) -> list[Sample]:
    """The first `count` samples of a task and split; the same ones for the same seed on every machine."""
    stream = iterate(task, split, seed)
    return [next(stream) for _ in range(count)]
