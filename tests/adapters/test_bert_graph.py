"""The graph against a forward pass in plain numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adapters.bert_files import plain
from adapters.bert_graph import Head, Shape, graph_of
from adapters.onnx_session import OnnxSession
from tests.adapters import tiny_bert

TEXTS = [[2, 4, 5, 6, 7, 8, 9, 10, 14, 3], [2, 11, 12, 3], [2, 11, 13, 3], [2, 14, 3]]


def run(made: bytes, rows: list[list[int]], kinds: list[list[int]] | None = None) -> Any:
    width = max(map(len, rows))
    filled = [np.array([row + [0] * (width - len(row)) for row in part]) for part in (rows, kinds or rows)]
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    session = OnnxSession(made, "tiny", 1)
    feeds = {"input_ids": filled[0], "attention_mask": mask, "token_type_ids": filled[1]}
    return session.run(next(iter(session.outputs)), feeds)


def graph(head: Head = "mean", *, quantised: bool = False, seed: int = 0) -> bytes:
    return graph_of(plain(tiny_bert.weights(seed)), Shape(tiny_bert.CONFIG), head, quantised=quantised)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("seed", [0, 1])
def test_vectors_are_those_of_the_network(pooling: Head, seed: int) -> None:
    made = run(graph(pooling, seed=seed), TEXTS)
    wanted = [tiny_bert.expected(tiny_bert.weights(seed), row, pooling=pooling) for row in TEXTS]
    assert made.shape == (len(TEXTS), tiny_bert.HIDDEN)
    assert np.allclose(made, wanted, atol=2e-6)


def test_the_two_poolings_differ() -> None:
    assert not np.allclose(run(graph("mean"), TEXTS), run(graph("cls"), TEXTS), atol=0.01)


@pytest.mark.parametrize("quantised", [False, True])
def test_a_vector_does_not_depend_on_its_company(quantised: bool) -> None:
    made = graph(quantised=quantised)
    together = run(made, TEXTS)
    alone = np.concatenate([run(made, [row]) for row in TEXTS])
    assert np.allclose(together, alone, atol=2e-6)


def test_quantised_vectors_are_near_the_exact_ones_and_not_the_same() -> None:
    exact, quantised = run(graph(), TEXTS), run(graph(quantised=True), TEXTS)
    likeness = (exact * quantised).sum(axis=1)
    assert (likeness > 0.99).all()
    assert not np.allclose(exact, quantised, atol=1e-4)


def test_the_classifier_reads_which_text_a_token_is_of() -> None:
    tensors = tiny_bert.weights(3, labels=2)
    rows = [[2, 11, 12, 3, 11, 13, 3], [2, 14, 3, 4, 3]]
    kinds = [[0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1]]
    made = run(graph_of(plain(tensors), Shape(tiny_bert.CONFIG), "classifier"), rows, kinds)
    wanted = [tiny_bert.logits(tensors, row, kind) for row, kind in zip(rows, kinds, strict=True)]
    assert np.allclose(made, wanted, atol=2e-6)
    same = run(graph_of(plain(tensors), Shape(tiny_bert.CONFIG), "classifier"), rows, [[0] * 7, [0] * 5])
    assert not np.allclose(made, same, atol=1e-3)


def test_a_missing_weight() -> None:
    tensors = tiny_bert.weights()
    del tensors["encoder.layer.1.output.dense.bias"]
    with pytest.raises(KeyError):
        graph_of(plain(tensors), Shape(tiny_bert.CONFIG), "mean")


OTHER: list[dict[str, Any]] = [
    {"model_type": "roberta"},
    {"model_type": None},
    {"hidden_act": "relu"},
    {"hidden_act": ["gelu"]},
    {"position_embedding_type": "relative_key"},
    {"hidden_size": "16"},
    {"hidden_size": True},
    {"hidden_size": None},
    {"num_hidden_layers": 0},
    {"num_attention_heads": 3},
    {"max_position_embeddings": -1},
    {"layer_norm_eps": "small"},
    {"layer_norm_eps": None},
    {"layer_norm_eps": float("nan")},
]


@pytest.mark.parametrize("other", OTHER, ids=repr)
def test_another_architecture_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(other))):
        Shape({**tiny_bert.CONFIG, **other})


def test_what_a_config_need_not_say() -> None:
    shape = Shape({name: value for name, value in tiny_bert.CONFIG.items() if name not in ("hidden_act",)})
    assert (shape.hidden, shape.heads, shape.layers, shape.epsilon) == (16, 4, 2, 1e-12)
