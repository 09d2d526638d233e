"""Turns samples into batches of token ids, bucketed by length so that little is padded.

Lesson `n` of a seed is always the same, so an interrupted training goes on where it stopped. Knows nothing of the
model.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from fairlead.samples.draw import INVOICES, TASKS, TICKETS
from fairlead.samples.sample import TRAIN, Sample
from models.tokens import END, PAD, write_prompt

LESSON_SIZE = 4_000
"""Documents that are drawn, sorted by length and cut into batches together."""
TICKET_SHARE = 0.25
UNMARKED = -100


@dataclass(frozen=True)
class Batch:
    """`ids` and `targets`, both (documents, longest); targets are UNMARKED but on answers. `tokens`: no padding."""

    ids: torch.Tensor
    targets: torch.Tensor
    tokens: int


def encode(tokenizer: Tokenizer, samples: list[Sample]) -> list[tuple[list[int], int]]:
    """Each sample as ids of prompt, answer and end, with the prompt's length."""
    prompts = tokenizer.encode_batch_fast([write_prompt(sample.messages) for sample in samples])
    answers = tokenizer.encode_batch_fast([sample.answer + END for sample in samples])
    pairs = zip(prompts, answers, strict=True)
    return [(prompt.ids + answer.ids, len(prompt.ids)) for prompt, answer in pairs]


def stack(tokenizer: Tokenizer, rows: list[tuple[list[int], int]]) -> Batch:
    """Pad rows to the longest; the targets are the ids one step ahead, on the answers alone."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), longest), tokenizer.token_to_id(PAD))
    targets = torch.full((len(rows), longest), UNMARKED)
    for row, (words, prompt_length) in enumerate(rows):
        ids[row, : len(words)] = torch.tensor(words)
        targets[row, prompt_length - 1 : len(words) - 1] = torch.tensor(words[prompt_length:])
    return Batch(ids, targets, sum(len(words) for words, _ in rows))


def batches(tokenizer: Tokenizer, seed: int, lesson: int, tokens_per_step: int) -> list[Batch]:
    """One lesson's batches of about `tokens_per_step` tokens each, in random order."""
    rng = random.Random(f"lesson/{seed}/{lesson}")
    drawn = [TASKS[TICKETS if rng.random() < TICKET_SHARE else INVOICES](rng, TRAIN) for _ in range(LESSON_SIZE)]
    rows = sorted(encode(tokenizer, drawn), key=lambda row: len(row[0]))
    made = []
    while rows:
        count = max(1, tokens_per_step // len(rows[-1][0]))
        made.append(stack(tokenizer, rows[-count:]))
        del rows[-count:]
    rng.shuffle(made)
    return made


def steps(tokenizer: Tokenizer, seed: int, tokens_per_step: int, skip: int = 0) -> Iterator[Batch]:
    """Batches without end, from the one after `skip` on."""
    lesson, left = 0, skip
    while True:
        made = batches(tokenizer, seed, lesson, tokens_per_step)
        lesson += 1
        if left >= len(made):
            left -= len(made)
            continue
        yield from made[left:]
        left = 0
