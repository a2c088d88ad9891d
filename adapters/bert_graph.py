"""A BERT encoder as an ONNX graph, put together from its safetensors: no torch, no network, no exported file.

The graph is that of the `BertModel` with post-layer normalisation (Devlin et al. 2018, arXiv:1810.04805) and, behind
it, what sentence-transformers does by its `Pooling` and `Normalize` modules: the mean over the tokens that are not
padding, or the first token, scaled to length 1. Inputs `input_ids`, `attention_mask`: int64, (texts, tokens); output
`embedding`: float32, (texts, hidden).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
"""The first that has Gelu and LayerNormalization both."""
IR_VERSION = 9

MASKED = -10000.0
"""Added to the attention scores of padding, as in the original."""

Pooling = Literal["mean", "cls"]

Weights = Mapping[str, "np.ndarray[Any, np.dtype[np.float32]]"]


class Shape:
    """What `config.json` says that the graph depends on. Raises `ValueError` for another architecture."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        said = {
            "model_type": config.get("model_type"),
            "hidden_act": config.get("hidden_act", "gelu"),
            "position_embedding_type": config.get("position_embedding_type", "absolute"),
        }
        known = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
        if other := [f"{name} {said[name]!r}" for name in known if said[name] != known[name]]:
            raise ValueError(f"not a BERT encoder as this one builds them: {', '.join(other)}")
        self.hidden = int(config["hidden_size"])
        self.heads = int(config["num_attention_heads"])
        self.layers = int(config["num_hidden_layers"])
        self.epsilon = float(config.get("layer_norm_eps", 1e-12))
        self.positions = int(config["max_position_embeddings"])


class _Graph:
    def __init__(self, weights: Weights, shape: Shape) -> None:
        self.weights, self.shape = weights, shape
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self._count = 0

    def node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        self._count += 1
        out = out or f"{kind.lower()}_{self._count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def constant(self, name: str, value: Any) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def linear(self, x: str, name: str) -> str:
        weight = self.constant(f"{name}.weight.T", self.weights[f"{name}.weight"].T)
        return self.node("Add", self.node("MatMul", x, weight), self.weight(f"{name}.bias"))

    def norm(self, x: str, name: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=self.shape.epsilon)

    def embedded(self) -> str:
        words = self.node("Gather", self.weight("embeddings.word_embeddings.weight"), "input_ids")
        length = self.node("Gather", self.node("Shape", "input_ids"), self.constant("one", np.array([1], np.int64)))
        zero = self.constant("zero", np.array([0], np.int64))
        table = self.weight("embeddings.position_embeddings.weight")
        places = self.node("Slice", table, zero, length, zero)
        kind = self.constant("kind", self.weights["embeddings.token_type_embeddings.weight"][0])  # all of one sentence
        return self.norm(self.node("Add", self.node("Add", words, places), kind), "embeddings.LayerNorm")

    def mask(self) -> str:
        """(texts, 1, 1, tokens): 0 for tokens, `MASKED` for padding."""
        real = self.node("Cast", "attention_mask", out="real", to=TensorProto.FLOAT)
        absent = self.node("Sub", self.constant("unit", np.float32(1.0)), real)
        scores = self.node("Mul", absent, self.constant("masked", np.float32(MASKED)))
        return self.node("Unsqueeze", scores, self.constant("middle", np.array([1, 2], np.int64)))

    def layer(self, x: str, mask: str, number: int) -> str:
        name = f"encoder.layer.{number}"
        mixed = self.linear(self.attention(x, mask, f"{name}.attention.self"), f"{name}.attention.output.dense")
        x = self.norm(self.node("Add", x, mixed), f"{name}.attention.output.LayerNorm")
        inner = self.node("Gelu", self.linear(x, f"{name}.intermediate.dense"))
        return self.norm(self.node("Add", x, self.linear(inner, f"{name}.output.dense")), f"{name}.output.LayerNorm")

    def attention(self, x: str, mask: str, name: str) -> str:
        size = self.shape.hidden // self.shape.heads
        apart = self.constant("heads", np.array([0, 0, self.shape.heads, size], np.int64))

        def part(which: str, order: list[int]) -> str:
            return self.node("Transpose", self.node("Reshape", self.linear(x, f"{name}.{which}"), apart), perm=order)

        query, key, value = part("query", [0, 2, 1, 3]), part("key", [0, 2, 3, 1]), part("value", [0, 2, 1, 3])
        scale = self.constant("scale", np.float32(1.0 / np.sqrt(size)))
        scores = self.node("Add", self.node("Mul", self.node("MatMul", query, key), scale), mask)
        heads = self.node("MatMul", self.node("Softmax", scores, axis=-1), value)
        together = self.constant("together", np.array([0, 0, self.shape.hidden], np.int64))
        return self.node("Reshape", self.node("Transpose", heads, perm=[0, 2, 1, 3]), together)

    def pooled(self, x: str, pooling: Pooling) -> str:
        if pooling == "cls":
            first = self.node("Gather", x, self.constant("first", np.array(0, np.int64)), axis=1)
        else:
            last = self.constant("last", np.array([-1], np.int64))
            weight = self.node("Unsqueeze", "real", last)
            tokens = self.constant("tokens", np.array([1], np.int64))
            total = self.node("ReduceSum", self.node("Mul", x, weight), tokens, keepdims=0)
            first = self.node("Div", total, self.node("ReduceSum", weight, tokens, keepdims=0))
        return self.node("LpNormalization", first, out="embedding", axis=-1, p=2)


def graph_of(weights: Weights, shape: Shape, pooling: Pooling) -> bytes:
    """The serialised model. Raises `KeyError` for a weight that is missing."""
    graph = _Graph(weights, shape)
    x, mask = graph.embedded(), graph.mask()
    for number in range(shape.layers):
        x = graph.layer(x, mask, number)
    graph.pooled(x, pooling)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", shape.hidden])]
    made = helper.make_graph(graph.nodes, "bert", inputs, outputs, list(graph.constants.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())
