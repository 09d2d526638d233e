"""A Llama in plain numpy, to check what the shipped models answer: reads the Hugging Face folder, writes greedily.

After the definition in transformers' modeling_llama.py, in float32 with a cache of keys and values. Knows nothing of
GGUF.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Array = np.ndarray


class ReferenceLlama:
    """One model: prompt in, greedy answer out."""

    def __init__(self, folder: Path):
        self.config = json.loads((folder / "config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.weights = {name: w.astype(np.float32) for name, w in load_file(folder / "model.safetensors").items()}
        half = self.config["head_dim"] // 2
        base = self.config["rope_parameters"]["rope_theta"]
        angles = np.outer(np.arange(self.config["max_position_embeddings"]), base ** -(np.arange(half) / half))
        self.cosines, self.sines = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def answer(self, prompt: str, most_tokens: int = 160) -> tuple[str, float]:
        """The greedy answer up to the end token, and its closest call: by how much the least certain token won.

        The prompt is given in the model's chat form; the closest call is a difference of logits.
        """
        ids = self.tokenizer.encode(prompt, add_special_tokens=False).ids
        cache: list[tuple[Array, Array]] = []
        written: list[int] = []
        closest = float("inf")
        logits = self.read(ids, cache)
        while len(written) < most_tokens:
            chosen = int(logits.argmax())
            second, first = np.partition(logits, -2)[-2:]
            closest = min(closest, float(first - second))
            if chosen == self.config["eos_token_id"]:
                break
            written.append(chosen)
            logits = self.read([chosen], cache)
        return self.tokenizer.decode(written), closest

    def read(self, ids: list[int], cache: list[tuple[Array, Array]]) -> Array:
        """Logits after the last of `ids`; `cache` holds keys and values per layer and grows."""
        embedding = self.weights["model.embed_tokens.weight"]
        states = embedding[ids]
        for layer in range(self.config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}."
            states = states + self._attend(prefix, layer, self._normalize(states, prefix + "input_layernorm"), cache)
            states = states + self._feed(prefix, self._normalize(states, prefix + "post_attention_layernorm"))
        return self._normalize(states[-1:], "model.norm")[0] @ embedding.T

    def _normalize(self, states: Array, name: str) -> Array:
        power = np.mean(states * states, axis=-1, keepdims=True)
        return states / np.sqrt(power + self.config["rms_norm_eps"]) * self.weights[name + ".weight"]

    def _feed(self, prefix: str, states: Array) -> Array:
        gate = states @ self.weights[prefix + "mlp.gate_proj.weight"].T
        up = states @ self.weights[prefix + "mlp.up_proj.weight"].T
        return (gate / (1 + np.exp(-gate)) * up) @ self.weights[prefix + "mlp.down_proj.weight"].T

    def _attend(self, prefix: str, layer: int, states: Array, cache: list[tuple[Array, Array]]) -> Array:
        size = self.config["head_dim"]
        first = cache[layer][0].shape[1] if layer < len(cache) else 0

        def project(name: str) -> Array:
            rows = states @ self.weights[f"{prefix}self_attn.{name}_proj.weight"].T
            return rows.reshape(len(states), -1, size).swapaxes(0, 1)

        queries, keys, values = self._turn(project("q"), first), self._turn(project("k"), first), project("v")
        if layer < len(cache):
            keys = np.concatenate([cache[layer][0], keys], axis=1)
            values = np.concatenate([cache[layer][1], values], axis=1)
            cache[layer] = (keys, values)
        else:
            cache.append((keys, values))
        scores = queries @ keys.swapaxes(1, 2) / np.sqrt(np.float32(size))
        is_later = np.arange(keys.shape[1])[None, :] > first + np.arange(len(states))[:, None]
        scores = np.where(is_later, -np.inf, scores)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        merged = (weights @ values).swapaxes(0, 1).reshape(len(states), -1)
        return merged @ self.weights[f"{prefix}self_attn.o_proj.weight"].T

    def _turn(self, rows: Array, first: int) -> Array:
        """Rotary positions: each head's halves are turned as pairs; shape (heads, positions, head_dim)."""
        half = rows.shape[-1] // 2
        cosines, sines = (table[first : first + rows.shape[1]] for table in (self.cosines, self.sines))
        left, right = rows[..., :half], rows[..., half:]
        return np.concatenate([left * cosines - right * sines, right * cosines + left * sines], axis=-1)
