"""`python -m models [NAME ...]`: tokenizer, training, export, verification, measurement and card of each model.

Without names both models are made. What is in the workshop already (`build/models`) is kept, so an interrupted run goes
on where it stopped; remove the folder to begin anew. Everything is seeded. Knows the order, no details.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from models.card import write_card
from models.export import export
from models.measure import measure
from models.sizes import SHIPPED, SIZES, WORKSHOP, Size
from models.tokens import train_tokenizer
from models.train import Progress, train
from models.verify import verify


def main(arguments: list[str]) -> int:
    """Make the named models, or both; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models", description="Train, export and measure the small models.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(SIZES)}; default: all")
    parser.add_argument("--into", type=Path, default=SHIPPED, help="where the finished models go")
    parser.add_argument(
        "--threads", type=int, default=1, help="1, the default, is what the shipped models were made with"
    )
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.names) - set(SIZES)
    if unknown:
        parser.error(f"unknown model {', '.join(sorted(unknown))}: one of {', '.join(SIZES)}")
    tokenizer = make_tokenizer()
    for name in chosen.names or SIZES:
        make_model(SIZES[name], tokenizer, chosen.into / name, chosen.threads)
    return 0


def make_tokenizer() -> Tokenizer:
    """The shared tokenizer: from the workshop if it is there already, else trained."""
    path = WORKSHOP / "tokenizer.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        train_tokenizer().save(str(path))
    return Tokenizer.from_file(str(path))


def make_model(size: Size, tokenizer: Tokenizer, folder: Path, threads: int) -> None:
    """Train one model, write both its forms, check that they agree, measure, and write the card."""
    model, progress = train(size, tokenizer, WORKSHOP / size.name, threads)
    gguf = export(size, model.config, model.state_dict(), tokenizer, folder)
    print(f"{size.name}: {verify(size.name, folder)} answers agree between safetensors and GGUF", flush=True)
    measured = measure(gguf)
    (WORKSHOP / size.name / "measured.json").write_text(json.dumps(measured, indent=1))
    parameters = sum(p.numel() for p in model.parameters())
    (folder / "README.md").write_text(write_card(size, _card_facts(gguf, parameters, progress), measured))
    fields = {split: measured[f"invoices/{split}"]["all_fields"]["value"] for split in ("seen", "unseen")}
    print(f"{size.name}: invoice fields right {fields['seen']:.1%} seen, {fields['unseen']:.1%} unseen", flush=True)


def _card_facts(gguf: Path, parameters: int, progress: Progress) -> dict[str, Any]:
    return {
        "parameters": parameters,
        "bytes": gguf.stat().st_size,
        "tokens": progress.tokens,
        "steps": progress.step,
        "seconds": progress.seconds,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
