"""Support tickets as text, and where they belong: a queue and a priority.

The queue is what the ticket asks about; a remark about a settled matter of another queue doesn't count. The priority
adds up the signals in the text (SIGNAL_POINTS) and reads the sum in PRIORITIES. Knows nothing of models.
"""

from __future__ import annotations

import random
from typing import Any

from fairlead.samples import ticket_phrases as phrases
from fairlead.samples.sample import TRAIN, UNSEEN, Sample, belongs, finish
from fairlead.samples.vocabulary import LANGUAGES, invent_word, pick

QUEUES = ("billing", "technical", "shipping", "account", "sales")
PRIORITIES = ("low", "normal", "high", "urgent")

SIGNAL_POINTS = {"everyone_blocked": 2, "one_blocked": 1, "deadline": 1, "asked_before": 1, "no_hurry": -1}

TICKET_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "queue": {"type": "string", "enum": list(QUEUES)},
        "priority": {"type": "string", "enum": list(PRIORITIES)},
    },
    "required": ["queue", "priority"],
    "additionalProperties": False,
}

SYSTEM = "Sort the ticket. Answer in JSON."
TRAINED_SYSTEMS = (
    SYSTEM,
    SYSTEM,
    "Give queue and priority of this ticket as JSON.",
    "You sort support tickets and answer with compact JSON.",
    "Ticket to JSON: queue, priority.",
    None,
)

LAYOUTS = ("mail", "subject_first", "signals_first")
UNSEEN_LAYOUTS = ("remark_first", "form", "aside")


def rate_priority(signals: list[str]) -> str:
    """The rule: below 0 points is low, 0 normal, 1 high, 2 or more urgent."""
    points = sum(SIGNAL_POINTS[signal] for signal in signals)
    return PRIORITIES[max(-1, min(2, points)) + 1]


def ticket(rng: random.Random, split: str) -> Sample:
    """One ticket of a split, with its gold answer. Only `unseen` shows the layouts and wordings that are held out."""
    while True:
        text, gold, layout = _compose(rng, is_unseen=split == UNSEEN)
        if belongs(text, split):
            system = rng.choice(TRAINED_SYSTEMS) if split == TRAIN else SYSTEM
            return finish("tickets", split, text, system, gold, layout)


def _compose(rng: random.Random, is_unseen: bool) -> tuple[str, dict[str, Any], str]:
    language = rng.choice(LANGUAGES)
    queue = rng.choice(QUEUES)
    signals = _draw_signals(rng)
    layout = rng.choice(UNSEEN_LAYOUTS if is_unseen else LAYOUTS)
    topic = pick(rng, phrases.TOPICS[language][queue], is_unseen).format(
        item=f"{invent_word(rng)} {rng.randrange(2, 99)}" if rng.random() < 0.5 else invent_word(rng),
        code=rng.randrange(100, 9999),
        count=rng.randrange(2, 60),
    )
    told = [pick(rng, phrases.SIGNALS[language][signal], is_unseen) for signal in signals]
    remark = ""
    if rng.random() < 0.4 or layout in ("remark_first", "aside"):
        other = rng.choice([name for name in QUEUES if name != queue])
        remark = pick(rng, phrases.REMARKS[language][other], is_unseen)
    greeting = pick(rng, phrases.GREETINGS[language], is_unseen)
    text = _arrange(layout, greeting, topic, told, remark)
    return text, {"queue": queue, "priority": rate_priority(signals)}, layout


def _draw_signals(rng: random.Random) -> list[str]:
    """None to three signals in random order, so that each priority comes up often enough."""
    wanted = rng.choice(PRIORITIES)
    while True:
        signals = rng.sample(sorted(SIGNAL_POINTS), rng.choice((0, 1, 1, 2, 2, 3)))
        is_odd = "everyone_blocked" in signals and "one_blocked" in signals
        if not is_odd and rate_priority(signals) == wanted:
            return signals


def _arrange(layout: str, greeting: str, topic: str, told: list[str], remark: str) -> str:
    sentence = topic[0].upper() + topic[1:] + "."
    parts = {
        "mail": [greeting, topic + ".", *told, remark],
        "subject_first": [sentence + "\n" + greeting, *told, remark],
        "signals_first": [greeting, *told, sentence, remark],
        "remark_first": [greeting, remark, sentence, *told],
        "form": [f"1) {sentence}\n2) {' '.join(told) or '-'}\n3) {remark or '-'}"],
        "aside": [greeting, *told[:1], remark, *told[1:], "PS:", sentence],
    }[layout]
    return " ".join(part for part in parts if part).strip()
