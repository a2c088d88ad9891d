"""A BERT small enough to be written by a test, and what it computes, in plain numpy: no line shared with the graph."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.embedder import EmbedderUnavailable
from adapters.model_files import DEFAULT_MODEL, find

HIDDEN, HEADS, LAYERS, INNER, POSITIONS = 16, 4, 2, 32, 24
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "how",
    "do",
    "i",
    "reset",
    "my",
    "pass",
    "##word",
    "turn",
    "on",
    "off",
    "?",
]
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": HIDDEN,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "intermediate_size": INNER,
    "max_position_embeddings": POSITIONS,
    "layer_norm_eps": 1e-12,
}
TOKENIZER = {
    "version": "1.0",
    "truncation": {"max_length": 6, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "padding": None,
    "added_tokens": [
        {
            "id": place,
            "special": True,
            "content": WORDS[place],
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
        for place in range(4)
    ],
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {word: place for place, word in enumerate(WORDS)},
    },
}

Tensors = dict[str, Any]


def weights(seed: int = 0, *, words: int = len(WORDS), labels: int = 0) -> Tensors:
    """Random, of the size that trained ones have, so that every part of the network tells."""
    rng = np.random.default_rng(seed)
    made: Tensors = {}

    def linear(name: str, out: int, into: int) -> None:
        made[f"{name}.weight"] = rng.normal(0, 1 / math.sqrt(into), (out, into)).astype(np.float32)
        made[f"{name}.bias"] = rng.normal(0, 0.1, out).astype(np.float32)

    def norm(name: str) -> None:
        made[f"{name}.weight"] = rng.uniform(0.5, 1.5, HIDDEN).astype(np.float32)
        made[f"{name}.bias"] = rng.normal(0, 0.1, HIDDEN).astype(np.float32)

    for name, rows in (("word", words), ("position", POSITIONS), ("token_type", 2)):
        made[f"embeddings.{name}_embeddings.weight"] = rng.normal(0, 1, (rows, HIDDEN)).astype(np.float32)
    norm("embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            linear(f"{layer}.attention.self.{part}", HIDDEN, HIDDEN)
        linear(f"{layer}.attention.output.dense", HIDDEN, HIDDEN)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", INNER, HIDDEN)
        linear(f"{layer}.output.dense", HIDDEN, INNER)
        norm(f"{layer}.output.LayerNorm")
    if labels:
        linear("pooler.dense", HIDDEN, HIDDEN)
        made = {f"bert.{name}": value for name, value in made.items()}
        linear("classifier", labels, HIDDEN)
    return made


def hidden_states(given: Tensors, ids: list[int], kinds: list[int] | None = None, *, heads: int, layers: int) -> Any:
    """(tokens, hidden) of one text, without padding. In float64."""
    w = {name.removeprefix("bert."): np.asarray(value, np.float64) for name, value in given.items()}

    def linear(x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: Any, name: str) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = x + w["embeddings.token_type_embeddings.weight"][kinds or [0] * len(ids)]
    x = norm(x, "embeddings.LayerNorm")
    size = x.shape[1] // heads
    erf = np.vectorize(math.erf)
    for number in range(layers):
        layer = f"encoder.layer.{number}"
        query, key, value = (linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
        mixed = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = np.exp(query[:, part] @ key[:, part].T / math.sqrt(size))
            mixed.append(scores / scores.sum(axis=1, keepdims=True) @ value[:, part])
        attended = linear(np.concatenate(mixed, axis=1), f"{layer}.attention.output.dense")
        x = norm(x + attended, f"{layer}.attention.output.LayerNorm")
        inner = linear(x, f"{layer}.intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner / math.sqrt(2)))
        x = norm(x + linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    return x


def expected(given: Tensors, ids: list[int], *, pooling: str = "mean", heads: int = HEADS, layers: int = LAYERS) -> Any:
    """The vector of one text, of length 1."""
    states = hidden_states(given, ids, heads=heads, layers=layers)
    vector = states.mean(axis=0) if pooling == "mean" else states[0]
    return vector / np.linalg.norm(vector)


def logits(given: Tensors, ids: list[int], kinds: list[int]) -> Any:
    first = hidden_states(given, ids, kinds, heads=HEADS, layers=LAYERS)[0]
    pooled = np.tanh(given["bert.pooler.dense.weight"] @ first + given["bert.pooler.dense.bias"])
    return given["classifier.weight"] @ pooled + given["classifier.bias"]


def written(path: Path, tensors: Tensors | None = None, **more: Any) -> Path:
    """The directory of a model; `more` are further JSON files by their names (`__` for `/`), or other contents."""
    from safetensors.numpy import save

    path.mkdir(parents=True, exist_ok=True)
    (path / "model.safetensors").write_bytes(save(weights() if tensors is None else tensors))
    for name, content in {"config": CONFIG, "tokenizer": TOKENIZER, **more}.items():
        file = path / f"{name.replace('__', '/')}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content), "utf-8")
    return path


def default_model() -> Path:
    """The directory of the default model; without it the test is skipped, but not where everything has to be there."""
    try:
        return find(DEFAULT_MODEL, model_dir=None, fetch=False, environ=os.environ)
    except EmbedderUnavailable as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
