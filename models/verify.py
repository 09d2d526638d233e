"""Checks that both shipped forms of a model are one and the same: tokens, chat form, greedy answers.

Asks the Hugging Face folder through transformers and the GGUF file through llama.cpp. Raises Mismatch at the first
difference. Knows nothing of how right the answers are.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from fairlead.samples.draw import TASKS, samples
from fairlead.samples.sample import SEEN, UNSEEN, Sample
from models.engine import Engine
from models.tokens import write_prompt

ODD_TEXTS = (
    "Größe: 1.234,50 €\n\n  élève çà et là\t№ 7",
    "don't I'LL we'Ve 0123456789 12,345.67",
    "日本語 🎉 ½ Ⅷ ﬁ e\u0301 \u00a0x\r\n \r\n z   ",
    '{"vendor":"Åß","total":0.50}',
)
DOCUMENTS = 20
"""Documents per task and split whose answers are compared."""
MAX_BYTES = 4_000_000
TIE = 0.02
"""Logits closer than this are a draw: llama.cpp rounds activations to f16 on the way, transformers doesn't."""


class Mismatch(Exception):
    """The two forms of a model differ."""


def verify(name: str, folder: Path) -> int:
    """Compare the two forms in a folder; returns how many answers were compared, draws left out."""
    gguf = folder / f"{name}.gguf"
    if gguf.stat().st_size > MAX_BYTES:
        raise Mismatch(f"{gguf.name} has {gguf.stat().st_size:,} bytes, more than {MAX_BYTES:,}")
    engine = Engine(gguf)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()
    drawn = [s for task in TASKS for split in (SEEN, UNSEEN) for s in samples(task, split, DOCUMENTS, seed=41)]
    for text in (*ODD_TEXTS, *(sample.text for sample in drawn)):
        _expect(f"tokens of {text!r}", tokenizer.encode(text, add_special_tokens=False), engine.tokenize(text))
    compared = 0
    for sample in drawn:
        prompt = tokenizer.apply_chat_template(sample.messages, tokenize=False, add_generation_prompt=True)
        _expect("chat form", prompt, write_prompt(sample.messages))
        applied = engine.post("/apply-template", {"messages": sample.messages})["prompt"]
        _expect("chat form in the engine", prompt, applied)
        answer, closest_call = _generate(model, tokenizer, sample)
        if closest_call > TIE:
            compared += 1
            _expect(f"answer to {sample.id}", answer, engine.answer(sample.messages))
    return compared


@torch.no_grad()
def _generate(model: torch.nn.Module, tokenizer: AutoTokenizer, sample: Sample) -> tuple[str, float]:
    """The greedy answer, and by how much its least certain token won, in logits."""
    ids = tokenizer.encode(write_prompt(sample.messages), add_special_tokens=False, return_tensors="pt")
    written = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=160,
        return_dict_in_generate=True,
        output_logits=True,
    )
    best = torch.cat(written.logits).topk(2).values
    closest_call = float((best[:, 0] - best[:, 1]).min())
    return tokenizer.decode(written.sequences[0, ids.shape[1] :], skip_special_tokens=True), closest_call


def _expect(what: str, folder_says: object, gguf_says: object) -> None:
    if folder_says != gguf_says:
        raise Mismatch(f"{what}: the folder says {folder_says!r}, the GGUF says {gguf_says!r}")
