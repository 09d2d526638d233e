"""The two models that are built: their shape, and how long each learns. Numbers only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "src" / "fairlead" / "engines" / "shipped"
WORKSHOP = ROOT / "build" / "models"

VOCABULARY_SIZE = 768
CONTEXT_LENGTH = 1024
HEAD_SIZE = 32


@dataclass(frozen=True)
class Size:
    """Shape and training of one model; `tokens` counts what it reads in training, prompts and answers together."""

    name: str
    width: int
    layers: int
    feed_forward: int
    tokens: int
    tokens_per_step: int
    peak_rate: float
    seed: int

    @property
    def heads(self) -> int:
        return self.width // HEAD_SIZE


NANO = Size("fairlead-nano", 96, 3, 160, 6_000_000, 2_000, 3e-3, 1)
MINI = Size("fairlead-mini", 128, 4, 416, 8_000_000, 2_000, 3e-3, 2)
SIZES = {size.name: size for size in (NANO, MINI)}
