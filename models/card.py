"""Writes the model card, README.md, from what was trained and measured. Knows no numbers of its own."""

from __future__ import annotations

from typing import Any

from fairlead.samples.invoice_layouts import TRAINED_LAYOUTS
from fairlead.samples.vocabulary import DATE_STYLES, NUMBER_STYLES
from fairlead.stats.intervals import Interval
from models.lessons import ECHO_LESSONS, LESSON_SIZE
from models.measure import MEASURED_SEED
from models.sizes import CONTEXT_LENGTH, HEAD_SIZE, VOCABULARY_SIZE, Size

SPLIT_NAMES = {
    "invoices/seen": "invoices, layouts seen in training",
    "invoices/unseen": "invoices, unseen layouts and words",
    "tickets/seen": "tickets, wordings seen in training",
    "tickets/unseen": "tickets, unseen wordings",
}

CARD = """---
license: apache-2.0
language: [en, de, fr]
pipeline_tag: text-generation
tags: [llama, gguf, information-extraction]
---

# {name}

A very small language model that ships with Fairlead so that its demo, its tests and its evaluations have a real engine
with real mistakes, offline, on a laptop. It does two things: reads the text of an invoice into JSON (`vendor`,
`invoice_number`, `date`, `currency`, `total`) and sorts a support ticket (`queue`, `priority`).

| | |
|---|---|
| architecture | {architecture} |
| parameters | {parameters:,} |
| tokenizer | byte-level BPE, {vocabulary} tokens, every digit a token of its own; pre-tokenizer `qwen2` |
| chat form | `<|system|>`, `<|user|>`, `<|assistant|>`, each turn closed by `<|end|>` (the template is in both forms) |
| weights | f16, the same numbers in `{name}.gguf` ({megabytes:.1f} MB) and `model.safetensors` |
| both forms | the same greedy answers, but where two tokens are within 0.02 logits of each other (rounding to f16) |
| licence | Apache-2.0, weights and made-up data alike |

## Data and training

Only made-up documents (`fairlead.samples`, seeded): invoices in {layouts} layouts, three languages, {dates} date
styles, {numbers} number styles, with look-alike references, several dates and sums, wrapped lines, misread letters;
tickets whose priority follows a stated rule. Vendors are random syllables, so that only copying pays. Three invoice
layouts, three ticket layouts and part of the wordings are never trained on: the *unseen* split. One document in eight,
chosen by a hash of its text, is held out of training: the *seen* split.

Trained from scratch on a CPU in float32: {tokens:,} tokens in {steps:,} steps of about {per_step:,} tokens,
{minutes:.0f} minutes beside other work, {rate:,.0f} tokens/s. AdamW, peak learning rate {peak}, warm-up and cosine
decay, loss on the answers alone. First it only repeats lines ({echoes:,} small exercises), then come short documents,
then all, a quarter of them tickets. Seed {seed}. Command: `make models`.

## Measured

Through llama.cpp (xllamacpp), greedy, no grammar; {documents} documents per task and split, drawn with seed
{measured_seed}. Per cent right, with 95 % intervals (Wilson; over all fields with documents as independent units).
Amounts compare by value, text exactly.

{tables}

With the JSON schema enforced while decoding, {constrained:.0%} of 40 unseen invoices came out as complete JSON.

### Speed

One request at a time, one thread on a server CPU (AVX2) that is busy with other work; loading takes {load_ms} ms.

{speeds}

## Use and limits

For demonstrations, tests, load tests and as a base for tuning exercises. Not for real invoices: it has read nothing but
made-up ones, knows nothing of the world, and answers every question as if it were an invoice or a ticket. The usual
system messages are "Read the invoice. Answer in JSON." and "Sort the ticket. Answer in JSON."; it was trained on a few
others too (`fairlead.samples`), and on none. Texts beyond some 300 tokens were not trained on.
"""


def write_card(size: Size, facts: dict[str, Any], measured: dict[str, Any]) -> str:
    """The card's text. `facts`: parameters, bytes, tokens, steps, seconds."""
    return CARD.format(
        name=size.name,
        architecture=f"Llama: {size.layers} layers, width {size.width}, {size.heads} heads of {HEAD_SIZE}, "
        f"feed-forward {size.feed_forward}, tied embeddings, context {CONTEXT_LENGTH}",
        vocabulary=VOCABULARY_SIZE,
        parameters=facts["parameters"],
        megabytes=facts["bytes"] / 1e6,
        layouts=len(TRAINED_LAYOUTS),
        dates=len(DATE_STYLES),
        numbers=len(NUMBER_STYLES),
        tokens=facts["tokens"],
        steps=facts["steps"],
        per_step=size.tokens_per_step,
        minutes=facts["seconds"] / 60,
        rate=facts["tokens"] / facts["seconds"],
        peak=size.peak_rate,
        seed=size.seed,
        documents=measured["invoices/seen"]["documents"],
        measured_seed=MEASURED_SEED,
        constrained=measured["constrained"],
        echoes=ECHO_LESSONS * LESSON_SIZE,
        load_ms=measured["load_ms"],
        tables=_tables(measured),
        speeds=_speeds(measured),
    )


def _tables(measured: dict[str, Any]) -> str:
    tables = []
    for task in ("invoices", "tickets"):
        columns = {split: measured[f"{task}/{split}"] for split in ("seen", "unseen")}
        rows = [f"| {task} | seen | unseen |", "|---|--:|--:|"]
        rows += [_row(f"`{name}`", [c["fields"][name] for c in columns.values()]) for name in columns["seen"]["fields"]]
        rows.append(_row("**all fields**", [c["all_fields"] for c in columns.values()]))
        rows.append(_row("whole document", [c["exact"] for c in columns.values()]))
        rows.append(_row("valid JSON", [c["valid_json"] for c in columns.values()]))
        tables.append("\n".join(rows))
    return "\n\n".join(tables)


def _row(label: str, shares: list[dict[str, float]]) -> str:
    return f"| {label} | " + " | ".join(_percent(Interval(**share)) for share in shares) + " |"


def _speeds(measured: dict[str, Any]) -> str:
    rows = ["| | prompt tokens | answer tokens | p50 ms | p95 ms |", "|---|--:|--:|--:|--:|"]
    for key, name in SPLIT_NAMES.items():
        m = measured[key]
        rows.append(f"| {name} | {m['prompt_tokens']} | {m['answer_tokens']} | {m['p50_ms']} | {m['p95_ms']} |")
    return "\n".join(rows)


def _percent(share: Interval) -> str:
    return f"{100 * share.value:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"
