"""Writes a trained model in the two forms that ship: a Hugging Face folder and a GGUF file, with the same f16 weights.

Both hold the very same rounded numbers (the norms too, which GGUF keeps as f32), so that their greedy answers agree.
Knows both formats, nothing of training.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from transformers import GenerationConfig, LlamaConfig

from models.sizes import CONTEXT_LENGTH, Size
from models.tokens import CHAT_TEMPLATE, END, PAD, PRE_TOKENIZER, SPECIAL_TOKENS

Weights = dict[str, np.ndarray]

LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OUTER_NAMES = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}


def round_weights(state: dict[str, torch.Tensor]) -> Weights:
    """The weights as they ship: f16, without the output layer, which is the embedding again."""
    kept = {name: tensor for name, tensor in state.items() if name != "lm_head.weight"}
    return {name: tensor.detach().to(torch.float16).contiguous().numpy() for name, tensor in kept.items()}


def write_folder(size: Size, config: LlamaConfig, weights: Weights, tokenizer: Tokenizer, folder: Path) -> None:
    """The Hugging Face form: configuration, safetensors, tokenizer, chat template."""
    folder.mkdir(parents=True, exist_ok=True)
    end, pad = tokenizer.token_to_id(END), tokenizer.token_to_id(PAD)
    settings = config.to_dict()
    settings.pop("_name_or_path", None)
    settings.update(architectures=["LlamaForCausalLM"], dtype="float16")
    (folder / "config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "eos_token": END,
                "pad_token": PAD,
                "additional_special_tokens": [t for t in SPECIAL_TOKENS if t not in (END, PAD)],
                "model_max_length": CONTEXT_LENGTH,
                "clean_up_tokenization_spaces": False,
                "chat_template": CHAT_TEMPLATE,
            },
            indent=2,
        )
        + "\n"
    )
    generation = GenerationConfig(eos_token_id=end, pad_token_id=pad, do_sample=False, max_new_tokens=160)
    generation.save_pretrained(str(folder))


def permute_heads(rows: np.ndarray, heads: int) -> np.ndarray:
    """Query or key rows from Hugging Face's order (two halves per head) to llama.cpp's (pairs side by side).

    After `LlamaModel.permute` in llama.cpp's convert_hf_to_gguf.py.
    """
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows.shape))


def write_gguf(size: Size, config: LlamaConfig, weights: Weights, tokenizer: Tokenizer, path: Path) -> None:
    """The GGUF form: architecture `llama`, f16 matrices, f32 norms, tokenizer and chat template inside."""
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(size.name)
    writer.add_license("apache-2.0")
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(size.width)
    writer.add_block_count(size.layers)
    writer.add_feed_forward_length(size.feed_forward)
    writer.add_head_count(size.heads)
    writer.add_head_count_kv(size.heads)
    writer.add_rope_dimension_count(size.width // size.heads)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_tokenizer(writer, tokenizer)
    for name, tensor in weights.items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            tensor = permute_heads(tensor, size.heads)
        writer.add_tensor(rename(name), tensor.astype(np.float32) if tensor.ndim == 1 else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def rename(name: str) -> str:
    """A tensor's name in llama.cpp. Raises KeyError for one that a Llama model doesn't have."""
    if name in OUTER_NAMES:
        return OUTER_NAMES[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{LAYER_NAMES[rest.removesuffix('.weight')]}.weight"


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    model = json.loads(tokenizer.to_str())["model"]
    by_id = sorted(model["vocab"].items(), key=lambda item: item[1])
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list([token for token, _ in by_id])
    writer.add_token_types([control if token in SPECIAL_TOKENS else normal for token, _ in by_id])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokenizer.token_to_id(END))
    writer.add_eot_token_id(tokenizer.token_to_id(END))
    writer.add_pad_token_id(tokenizer.token_to_id(PAD))
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def export(size: Size, config: LlamaConfig, state: dict[str, torch.Tensor], tokenizer: Tokenizer, folder: Path) -> Path:
    """Write both forms into a folder; returns the GGUF file's path."""
    weights = round_weights(state)
    write_folder(size, config, weights, tokenizer, folder)
    path = folder / f"{size.name}.gguf"
    write_gguf(size, config, weights, tokenizer, path)
    return path
