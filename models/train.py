"""Trains one model from scratch on a CPU: Llama architecture, loss on the answers only, watched field by field.

Writes a checkpoint every CHECKPOINT_S seconds and goes on from it when started again. Knows nothing of export formats.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from fairlead.samples.draw import INVOICES, TICKETS, samples
from fairlead.samples.sample import SEEN, UNSEEN, Sample
from models.lessons import UNMARKED, Batch, ask, encode, stack, steps
from models.sizes import CONTEXT_LENGTH, VOCABULARY_SIZE, Size
from models.tokens import END, PAD

WARM_UP_STEPS = 150
LOWEST_RATE_SHARE = 0.02
WEIGHT_DECAY = 0.05
CHECKPOINT_S = 120
WATCH_STEPS = 100
WATCHED_SEED = 990_000
"""Documents watched in training; those measured afterwards are others."""


@dataclass
class Progress:
    """How far a training has come; the history holds one line per look at the held-out documents."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


def build_model(size: Size, tokenizer: Tokenizer) -> LlamaForCausalLM:
    """A fresh model of this size with seeded weights."""
    torch.manual_seed(size.seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=size.width,
        intermediate_size=size.feed_forward,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=CONTEXT_LENGTH,
        rms_norm_eps=1e-5,
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id(END),
        pad_token_id=tokenizer.token_to_id(PAD),
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config)


def learning_rate(size: Size, step: int, tokens: int) -> float:
    """Linear warm-up, then a cosine down to a small share of the peak when all tokens are read."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    done = min(1.0, tokens / size.tokens)
    cosine = LOWEST_RATE_SHARE + (1 - LOWEST_RATE_SHARE) * 0.5 * (1 + math.cos(math.pi * done))
    return size.peak_rate * warm * cosine


def answer_logits(model: LlamaForCausalLM, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits at the positions that predict answers, and the ids that are right there."""
    states = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
    marked = batch.targets != UNMARKED
    return model.lm_head(states[marked]), batch.targets[marked]


@torch.no_grad()
def watch(model: LlamaForCausalLM, tokenizer: Tokenizer, drawn: list[Sample]) -> dict[str, float]:
    """Share of each field that is written rightly where all before it is right; costs one pass, no generation."""
    model.eval()
    batch = stack(tokenizer, encode(tokenizer, [ask(sample) for sample in drawn]))
    logits, targets = answer_logits(model, batch)
    is_right = (logits.argmax(-1) == targets).tolist()
    model.train()
    hits: dict[str, list[bool]] = {name: [] for name in drawn[0].gold}
    position = 0
    for sample in drawn:
        answer = tokenizer.encode(sample.answer)
        rights = is_right[position : position + len(answer.ids)]
        position += len(answer.ids) + 1
        ends = [sample.answer.index(f'"{name}":') for name in list(sample.gold)[1:]] + [len(sample.answer)]
        for name, start, end in zip(sample.gold, [0, *ends], ends, strict=False):
            spans = zip(answer.offsets, rights, strict=True)
            hits[name].append(all(right for (left, _), right in spans if start <= left < end))
    return {name: sum(marks) / len(marks) for name, marks in hits.items()}


def train(size: Size, tokenizer: Tokenizer, folder: Path, threads: int = 2) -> tuple[LlamaForCausalLM, Progress]:
    """Train to the end, from the last checkpoint in `folder` if there is one."""
    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    model = build_model(size, tokenizer)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=size.peak_rate, betas=(0.9, 0.98), fused=True)
    progress = _restore(folder, model, optimizer)
    watched = {
        "seen": samples(INVOICES, SEEN, 32, WATCHED_SEED),
        "unseen": samples(INVOICES, UNSEEN, 32, WATCHED_SEED),
        "tickets": samples(TICKETS, SEEN, 32, WATCHED_SEED),
    }
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{size.name}: {parameters:,} parameters, from step {progress.step}", flush=True)
    saved_at = begun = time.monotonic()
    before = progress.seconds
    losses: list[float] = []
    for batch in steps(tokenizer, size.seed, size.tokens_per_step, progress.step):
        if progress.tokens >= size.tokens:
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(size, progress.step, progress.tokens)
        loss = cross_entropy(*answer_logits(model, batch))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        progress.step += 1
        progress.tokens += batch.tokens
        progress.seconds = before + time.monotonic() - begun
        if progress.step % WATCH_STEPS == 0:
            looks = {name: watch(model, tokenizer, drawn) for name, drawn in watched.items()}
            _report(progress, sum(losses) / len(losses), looks)
            losses.clear()
        if time.monotonic() - saved_at > CHECKPOINT_S:
            _save(folder, model, optimizer, progress)
            saved_at = time.monotonic()
    _save(folder, model, optimizer, progress)
    return model, progress


def _report(progress: Progress, loss: float, looks: dict[str, dict[str, float]]) -> None:
    progress.history.append({"step": progress.step, "tokens": progress.tokens, "loss": round(loss, 4), **looks})
    shown = "  ".join(
        f"{name} " + " ".join(f"{key[:4]} {value:.0%}" for key, value in fields.items())
        for name, fields in looks.items()
    )
    speed = progress.tokens / progress.seconds
    print(
        f"step {progress.step:5d}  {progress.tokens / 1e6:5.2f} M tokens  {progress.seconds:5.0f} s  "
        f"{speed:6.0f} tokens/s  loss {loss:.4f}  {shown}",
        flush=True,
    )


def _save(folder: Path, model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": vars(progress)}
    torch.save(state, folder / "checkpoint.new")
    (folder / "checkpoint.new").replace(folder / "checkpoint.pt")
    (folder / "progress.json").write_text(json.dumps(vars(progress), indent=1))


def _restore(folder: Path, model: LlamaForCausalLM, optimizer: torch.optim.Optimizer) -> Progress:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return Progress()
    state = torch.load(path)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return Progress(**state["progress"])
