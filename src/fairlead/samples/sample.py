"""One sample: a document, the question an application would ask about it, and the true answer.

Also decides which split a document belongs to. Knows nothing of how documents are written.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

TRAIN, SEEN, UNSEEN = "train", "seen", "unseen"
SPLITS = (TRAIN, SEEN, UNSEEN)

HELD_OUT_SHARE = 8
"""One document in this many, chosen by a hash of its text, is held out of training."""


@dataclass(frozen=True)
class Sample:
    """A document with its question and its true answer.

    `messages` are OpenAI chat messages; `gold` has the keys of the task's schema, in the schema's order; `layout` names
    the form the document was written in.
    """

    id: str
    task: str
    split: str
    text: str
    messages: list[dict[str, str]]
    gold: dict[str, Any]
    layout: str

    @property
    def answer(self) -> str:
        """The gold as the models are taught to write it: compact JSON, amounts with two decimals."""
        return write_answer(self.gold)


def write_answer(gold: dict[str, Any]) -> str:
    """Compact JSON of a gold answer; floats are amounts of money and keep two decimals."""
    parts = []
    for key, value in gold.items():
        written = f"{value:.2f}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
        parts.append(f'"{key}":{written}')
    return "{" + ",".join(parts) + "}"


def belongs(text: str, split: str) -> bool:
    """Whether a document may stand in a split: a hash of its text parts `train` from `seen`, so they share none."""
    if split == UNSEEN:
        return True
    held_out = hashlib.sha256(text.encode()).digest()[0] % HELD_OUT_SHARE == 0
    return held_out == (split == SEEN)


def finish(task: str, split: str, text: str, system: str | None, gold: dict[str, Any], layout: str) -> Sample:
    """Put a sample together; its id is made from its text, so the same document has the same id everywhere."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": text})
    return Sample(f"{task}-{split}-{digest}", task, split, text, messages, gold, layout)
