"""Texts to vectors: a tiny model and the default one, both against a forward pass in plain numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from adapters.bert_encoder import BertEncoder
from adapters.embedder import EmbedderUnavailable
from adapters.errors import EmbeddingError
from adapters.model_files import DEFAULT_MODEL, DEFAULT_SHA256, ModelFiles
from adapters.wordpieces import WordPieces
from tests.adapters import tiny_bert

QUESTIONS = ["How do I reset my password?", "turn on", "turn off", "turn on?", "how?"]


def encoder(path: Path, **more: Any) -> BertEncoder:
    return BertEncoder(ModelFiles(path), "tiny", **more)


def ids(text: str) -> list[int]:
    return WordPieces(json.dumps(tiny_bert.TOKENIZER).encode(), "", None).encode(text).ids


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_the_network(tmp_path: Path, pooling: Any) -> None:
    tiny = encoder(tiny_bert.written(tmp_path), pooling=pooling)
    made = tiny.encode(QUESTIONS)
    wanted = [tiny_bert.expected(tiny_bert.weights(), ids(text), pooling=pooling) for text in QUESTIONS]
    assert made.dtype == np.float32
    assert np.allclose(made, wanted, atol=2e-6)


def test_the_prefix_stands_before_each_text(tmp_path: Path) -> None:
    tiny = encoder(tiny_bert.written(tmp_path), prefix="turn ")
    assert np.allclose(tiny.encode(["on"]), encoder(tmp_path).encode(["turn on"]), atol=2e-6)


def test_a_text_beyond_the_window_is_refused_and_none_is_cut(tmp_path: Path) -> None:
    tiny = encoder(tiny_bert.written(tmp_path, sentence_bert_config={"max_seq_length": 10}))
    assert tiny.window == 10
    assert len(tiny.encode(["How do I reset my password?"])) == 1
    for more in (" on", " off", " " * 100_000):
        with pytest.raises(EmbeddingError, match="too long"):
            tiny.encode(["turn on", "How do I reset my password?" + more])


def test_no_texts(tmp_path: Path) -> None:
    assert encoder(tiny_bert.written(tmp_path)).encode([]).shape == (0, tiny_bert.HIDDEN)


def test_the_identity_names_everything_that_a_vector_depends_on(tmp_path: Path) -> None:
    one = tiny_bert.written(tmp_path / "one")
    said = {"sentence_bert_config": {"max_seq_length": 9}}
    tokenizer = {**tiny_bert.TOKENIZER, "normalizer": {**tiny_bert.TOKENIZER["normalizer"], "lowercase": False}}  # type: ignore[dict-item]
    identities = [
        encoder(one).identity,
        encoder(one, prefix="on ").identity,
        encoder(one, pooling="cls").identity,
        encoder(one, quantised=True).identity,
        BertEncoder(ModelFiles(one), "another").identity,
        encoder(tiny_bert.written(tmp_path / "two", tiny_bert.weights(1))).identity,
        encoder(tiny_bert.written(tmp_path / "three", **said)).identity,
        encoder(tiny_bert.written(tmp_path / "four", tokenizer=tokenizer)).identity,
    ]
    assert len(set(identities)) == len(identities)
    assert encoder(tiny_bert.written(tmp_path / "five")).identity == identities[0]


def test_quantised_vectors_are_near(tmp_path: Path) -> None:
    tiny = tiny_bert.written(tmp_path)
    exact, quantised = encoder(tiny).encode(QUESTIONS), encoder(tiny, quantised=True).encode(QUESTIONS)
    assert ((exact * quantised).sum(axis=1) > 0.99).all()


def exported(path: Path, *, hidden: int = 3) -> Path:
    """An exported model: the state of a token is its row in a table, with its segment added."""
    table = np.random.default_rng(5).normal(0, 1, (len(tiny_bert.WORDS), hidden)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["token_type_ids"], ["kinds"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kinds", "last"], ["kind"]),
        helper.make_node("Add", ["words", "kind"], ["last_hidden_state"]),
        helper.make_node("ReduceMean", ["last_hidden_state", "tokens"], ["pooler_output"], keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([-1]), "last"),
        numpy_helper.from_array(np.array([1]), "tokens"),
    ]
    names = ("input_ids", "attention_mask", "token_type_ids")
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, ["t", "n"]) for name in names]
    made = [
        helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["t", hidden]),
        helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["t", "n", hidden]),
    ]
    graph = helper.make_graph(nodes, "exported", given, made, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    tiny_bert.written(path, config={"model_type": "mpnet"})
    (path / "model.safetensors").unlink()
    (path / "onnx").mkdir()
    onnx.save(model, str(path / "onnx" / "model.onnx"))
    return path


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_an_exported_model_is_pooled_here(tmp_path: Path, pooling: Any) -> None:
    table = np.random.default_rng(5).normal(0, 1, (len(tiny_bert.WORDS), 3)).astype(np.float32)
    made = encoder(exported(tmp_path), pooling=pooling).encode(QUESTIONS)
    for text, vector in zip(QUESTIONS, made, strict=True):
        states = table[ids(text)]
        wanted = states.mean(axis=0) if pooling == "mean" else states[0]
        assert np.allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-6)


def test_the_hash_of_an_exported_model_is_that_of_its_file(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"onnx/model\.onnx is damaged"):
        encoder(exported(tmp_path), sha256="0" * 64)


# The default model


@pytest.fixture(scope="module", name="minilm")
def _minilm() -> BertEncoder:
    return BertEncoder(ModelFiles(tiny_bert.default_model()), DEFAULT_MODEL, sha256=DEFAULT_SHA256)


TEXTS = [
    "How do I reset my password?",
    "What is the best way to reset my password?",
    "What is the capital of France?",
    "Naïve café — “quoted”, 3.14 km² and a 1,000-word answer… 東京?",
    "word " * 12,
]


def test_the_default_model_computes_what_its_weights_say(minilm: BertEncoder) -> None:
    from safetensors.numpy import load_file

    path = tiny_bert.default_model()
    weights = load_file(path / "model.safetensors")
    pieces = WordPieces((path / "tokenizer.json").read_bytes(), "", None)
    made = minilm.encode(TEXTS)
    wanted = [tiny_bert.expected(weights, pieces.encode(text).ids, heads=12, layers=6) for text in TEXTS]
    assert np.allclose(made, wanted, atol=2e-6)


def test_the_default_model_reads_256_tokens(minilm: BertEncoder) -> None:
    assert (minilm.dimension, minilm.window) == (384, 256)
    assert len(minilm.encode(["word " * 254])) == 1
    with pytest.raises(EmbeddingError, match="too long"):
        minilm.encode(["word " * 255])


def test_alike_questions_are_near_and_others_far(minilm: BertEncoder) -> None:
    first, second, other = minilm.encode(TEXTS[:3])
    assert first @ second > 0.85
    assert first @ other < 0.2


def test_the_quantised_default_model_is_near_the_exact_one(minilm: BertEncoder) -> None:
    quantised = BertEncoder(ModelFiles(tiny_bert.default_model()), DEFAULT_MODEL, sha256=DEFAULT_SHA256, quantised=True)
    likeness = (minilm.encode(TEXTS) * quantised.encode(TEXTS)).sum(axis=1)
    assert (likeness > 0.99).all()
    assert quantised.identity != minilm.identity
