"""The tokenizer that both models share, and the chat form they speak.

A byte-level BPE of 768 tokens that cuts text as llama.cpp's pre-tokenizer `qwen2` does: every digit is a token of its
own. The merges are learnt on finer cuts (LEARNT_CUTS), so none joins a space or a full stop to a word: a name is the
same tokens after a space, at a line's start and within the JSON answer, and copying it is copying tokens. The chat form
is Phi-3's, which llama.cpp knows even where it runs no Jinja.
"""

from __future__ import annotations

from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from fairlead.samples.draw import INVOICES, TICKETS, samples
from fairlead.samples.sample import TRAIN
from models.sizes import VOCABULARY_SIZE

PAD, SYSTEM, USER, ASSISTANT, END = "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL_TOKENS = [PAD, SYSTEM, USER, ASSISTANT, END]

PRE_TOKENIZER = "qwen2"
CUTS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LEARNT_CUTS = r"\p{L}+|[{}\":,]+|[\s\S]"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def write_prompt(messages: list[dict[str, str]]) -> str:
    """What CHAT_TEMPLATE makes of messages, up to where the model answers."""
    return "".join(f"<|{m['role']}|>\n{m['content']}{END}\n" for m in messages) + f"{ASSISTANT}\n"


def train_tokenizer(documents: int = 12_000, seed: int = 0) -> Tokenizer:
    """Learn the merges from documents of both tasks, three invoices to each ticket."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = _cutter(LEARNT_CUTS)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(documents, seed), trainer)
    tokenizer.pre_tokenizer = _cutter(CUTS)
    return tokenizer


def _cutter(cuts: str) -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(cuts), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _texts(documents: int, seed: int) -> Iterator[str]:
    for task, count in ((INVOICES, documents * 3 // 4), (TICKETS, documents // 4)):
        for sample in samples(task, TRAIN, count, seed):
            yield from (message["content"] for message in sample.messages)
            yield sample.answer
