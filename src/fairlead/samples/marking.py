"""Marks an answer against a sample's gold, field by field. Knows JSON, nothing of where the answer came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fairlead.samples.sample import Sample


@dataclass(frozen=True)
class Mark:
    """`valid`: the answer is a JSON object; `complete`: with exactly the keys asked for; `fields`: which are right."""

    valid: bool
    complete: bool
    fields: dict[str, bool]

    @property
    def exact(self) -> bool:
        """Whether every field is right and none is too many."""
        return self.complete and all(self.fields.values())


def mark(sample: Sample, answer: str) -> Mark:
    """Mark one answer. Text compares exactly, amounts to the cent; a missing field is wrong, not an error."""
    try:
        found = json.loads(answer)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return Mark(False, False, dict.fromkeys(sample.gold, False))
    fields = {key: _is_same(found.get(key), gold) for key, gold in sample.gold.items()}
    return Mark(True, found.keys() == sample.gold.keys(), fields)


def _is_same(found: Any, gold: Any) -> bool:
    if isinstance(gold, float):
        is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
        return is_number and abs(found - gold) < 0.005
    return isinstance(found, str) and found == gold
