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
from fairlead.samples.vocabulary import invent_company, invent_reference, write_number
from models.sizes import CONTEXT_LENGTH
from models.tokens import END, PAD, write_prompt

LESSON_SIZE = 4_000
"""Documents that are drawn, sorted by length and cut into batches together."""
TICKET_SHARE = 0.25
ECHO_LESSONS = 4
"""The first lessons only ask to repeat a name, a number, a date: copying is found there, where there is little else."""
SHORT_LESSONS = 8
SHORT_TOKENS = 145
"""The lessons up to this one keep to short documents."""
UNMARKED = -100


@dataclass(frozen=True)
class Batch:
    """`ids` and `targets`, both (documents, longest); targets are UNMARKED but on answers. `tokens`: no padding."""

    ids: torch.Tensor
    targets: torch.Tensor
    tokens: int


def ask(sample: Sample) -> tuple[str, str]:
    """A sample as prompt and answer."""
    return write_prompt(sample.messages), sample.answer + END


def _draw_document(rng: random.Random) -> tuple[str, str]:
    return ask(TASKS[TICKETS if rng.random() < TICKET_SHARE else INVOICES](rng, TRAIN))


def _draw_echo(rng: random.Random) -> tuple[str, str]:
    """Some lines as they stand in invoices, to be repeated."""
    day = f"{rng.randrange(2015, 2030)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
    lines = [invent_company(rng), invent_reference(rng), write_number(rng.randrange(10**6), "plain_point"), day]
    text = "\n".join(rng.sample(lines, rng.choice((1, 2, 3))))
    return write_prompt([{"role": "user", "content": text}]), text + END


def encode(tokenizer: Tokenizer, pairs: list[tuple[str, str]]) -> list[tuple[list[int], int]]:
    """Each prompt and answer as ids, one after the other, with the prompt's length."""
    prompts = tokenizer.encode_batch_fast([prompt for prompt, _ in pairs])
    answers = tokenizer.encode_batch_fast([answer for _, answer in pairs])
    both = zip(prompts, answers, strict=True)
    return [(prompt.ids + answer.ids, len(prompt.ids)) for prompt, answer in both]


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
    draw = _draw_echo if lesson < ECHO_LESSONS else _draw_document
    drawn = [draw(rng) for _ in range(LESSON_SIZE)]
    longest = SHORT_TOKENS if lesson < SHORT_LESSONS else CONTEXT_LENGTH
    rows = sorted((row for row in encode(tokenizer, drawn) if len(row[0]) <= longest), key=lambda row: len(row[0]))
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
