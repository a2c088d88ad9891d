"""A BERT encoder as an ONNX graph, put together from its safetensors: no torch, no network, no exported file.

The graph is that of the `BertModel` with post-layer normalisation (Devlin et al. 2018, arXiv:1810.04805). Behind it
stands either what sentence-transformers does by its `Pooling` and `Normalize` modules (the mean over the tokens that
are not padding, or the first token, scaled to length 1), or the pooler and the classifier of a model that scores pairs.

All tokens of a batch are rows of one matrix, so that each linear layer is one `Gemm` with its bias, and query, key and
value are one; only attention sees texts apart. That is what a processor does best: nine tenths of the time go into
these products, at its full speed (measured 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from adapters.extras import library

OPSET = 20
"""The first that has Gelu and LayerNormalization both."""
IR_VERSION = 9

MASKED = -10000.0
"""Added to the attention scores of padding, as in the original."""

LEVELS = 63
"""Of a quantised weight, each way. With eight bits, pairs of products overflow the 16 bits that processors without
VNNI add them in, and a vector would depend on the machine."""

Head = Literal["mean", "cls", "classifier"]

Weights = Mapping[str, "np.ndarray[Any, np.dtype[np.float32]]"]

BUILT = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
"""The one architecture, by the members of `config.json` that name it."""


class Shape:
    """What `config.json` says that the graph depends on. Raises `ValueError` for another architecture."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        said = {"hidden_act": "gelu", "position_embedding_type": "absolute", **config}
        if other := [f"{name} {said.get(name)!r}" for name in BUILT if said.get(name) != BUILT[name]]:
            raise ValueError(f"not a BERT encoder as this one builds them: {', '.join(other)}")
        self.hidden = _size(config, "hidden_size")
        self.heads = _size(config, "num_attention_heads")
        self.layers = _size(config, "num_hidden_layers")
        self.positions = _size(config, "max_position_embeddings")
        epsilon = config.get("layer_norm_eps", 1e-12)
        if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 < epsilon < 1:
            raise ValueError(f"layer_norm_eps {epsilon!r}")
        self.epsilon = float(epsilon)
        if self.hidden % self.heads:
            raise ValueError(f"hidden_size {self.hidden} does not divide by num_attention_heads {self.heads}")


def _size(config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} {value!r}")
    return value


class _Graph:
    def __init__(self, weights: Weights, shape: Shape, quantised: bool) -> None:
        self.onnx = library("onnx", "onnx")
        self.weights, self.shape, self.quantised = weights, shape, quantised
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self._count = 0
        self._bytes: dict[str, tuple[str, str]] = {}
        self._shapes: set[str] = set()

    def node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        self._count += 1
        out = out or f"{kind.lower()}_{self._count}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def constant(self, name: str, value: Any) -> str:
        if name not in self.constants:
            self.constants[name] = self.onnx.numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def numbers(self, *values: int) -> str:
        """A vector of integers: shapes, axes, places."""
        return self.constant("_".join(("i", *map(str, values))), np.array(values, np.int64))

    def number(self, value: float) -> str:
        return self.constant(f"f_{value}", np.float32(value))

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def linear(self, x: str, *names: str) -> str:
        """(rows, in) to (rows, out); several layers of the same input give their outputs side by side."""
        weight = np.concatenate([self.weights[f"{name}.weight"] for name in names])
        bias = self.constant(f"{names[0]}.biases", np.concatenate([self.weights[f"{name}.bias"] for name in names]))
        if not self.quantised:
            return self.node("Gemm", x, self.constant(f"{names[0]}.weights", weight), bias, transB=1)
        scale = np.maximum(np.abs(weight).max(axis=1), np.float32(1e-9)) / LEVELS
        whole = np.round(weight / scale[:, None]).astype(np.int8)
        rows, lengths = self.in_bytes(x)
        middle = self.constant("middle", np.uint8(128))
        product = self.node("MatMulInteger", rows, self.constant(f"{names[0]}.weights", whole.T), middle)
        real = self.node("Mul", self.node("Cast", product, to=self.onnx.TensorProto.FLOAT), lengths)
        return self.node("Add", self.node("Mul", real, self.constant(f"{names[0]}.scales", scale)), bias)

    def in_bytes(self, x: str) -> tuple[str, str]:
        """The rows as bytes around 128, and what a step is worth in each. Row by row: with one step for the whole
        batch, a text's vector would depend on the texts beside it."""
        if x not in self._bytes:
            top = self.node("ReduceMax", self.node("Abs", x), self.numbers(-1), keepdims=1)
            step = self.node("Div", self.node("Max", top, self.number(1e-9)), self.number(127.0))
            near = self.node("Add", self.node("Round", self.node("Div", x, step)), self.number(128.0))
            self._bytes[x] = self.node("Cast", near, to=self.onnx.TensorProto.UINT8), step
        return self._bytes[x]

    def norm(self, x: str, name: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=self.shape.epsilon)

    def embedded(self, pairs: bool) -> str:
        """(texts, tokens, hidden); `size` is the shape of what came in."""
        words = self.node("Gather", self.weight("embeddings.word_embeddings.weight"), "input_ids")
        length = self.node("Gather", self.node("Shape", "input_ids", out="size"), self.numbers(1))
        table = self.weight("embeddings.position_embeddings.weight")
        places = self.node("Slice", table, self.numbers(0), length, self.numbers(0))
        kinds = self.weights["embeddings.token_type_embeddings.weight"]
        if pairs:
            kind = self.node("Gather", self.constant("kinds", kinds), "token_type_ids")
        else:
            kind = self.constant("kind", kinds[0])
        return self.norm(self.node("Add", self.node("Add", words, places), kind), "embeddings.LayerNorm")

    def mask(self) -> str:
        """(texts, 1, 1, tokens): 0 for tokens, `MASKED` for padding."""
        real = self.node("Cast", "attention_mask", out="real", to=self.onnx.TensorProto.FLOAT)
        scores = self.node("Mul", self.node("Sub", self.number(1.0), real), self.number(MASKED))
        return self.node("Unsqueeze", scores, self.numbers(1, 2))

    def layer(self, x: str, mask: str, number: int) -> str:
        name = f"encoder.layer.{number}"
        mixed = self.linear(self.attention(x, mask, f"{name}.attention.self"), f"{name}.attention.output.dense")
        x = self.norm(self.node("Add", x, mixed), f"{name}.attention.output.LayerNorm")
        inner = self.node("Gelu", self.linear(x, f"{name}.intermediate.dense"))
        return self.norm(self.node("Add", x, self.linear(inner, f"{name}.output.dense")), f"{name}.output.LayerNorm")

    def attention(self, x: str, mask: str, name: str) -> str:
        heads, size = self.shape.heads, self.shape.hidden // self.shape.heads
        three = self.linear(x, *(f"{name}.{part}" for part in ("query", "key", "value")))
        apart = self.node("Reshape", three, self.shaped(3, heads, size))
        parts = self.node("Transpose", apart, perm=[2, 0, 3, 1, 4])  # (3, texts, heads, tokens, size)
        query, key, value = (
            self.node("Squeeze", self.node("Gather", parts, self.numbers(place), axis=0), self.numbers(0))
            for place in range(3)
        )
        products = self.node("MatMul", query, self.node("Transpose", key, perm=[0, 1, 3, 2]))
        scores = self.node("Add", self.node("Mul", products, self.number(1.0 / float(np.sqrt(size)))), mask)
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), value)
        return self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), self.numbers(-1, heads * size))

    def shaped(self, *tail: int) -> str:
        """The shape (texts, tokens, *tail)."""
        name = "_".join(("shape", *map(str, tail)))
        if name not in self._shapes:
            self._shapes.add(self.node("Concat", "size", self.numbers(*tail), out=name, axis=0))
        return name

    def pooled(self, x: str, head: Head) -> str:
        if head == "mean":
            weight = self.node("Unsqueeze", "real", self.numbers(-1))
            total = self.node("ReduceSum", self.node("Mul", x, weight), self.numbers(1), keepdims=0)
            one = self.node("Div", total, self.node("ReduceSum", weight, self.numbers(1), keepdims=0))
        else:
            one = self.node("Squeeze", self.node("Gather", x, self.numbers(0), axis=1), self.numbers(1))
        if head == "classifier":
            return self.node("Identity", self.classified(one), out="logits")
        return self.node("LpNormalization", one, out="embedding", axis=-1, p=2)

    def classified(self, first: str) -> str:
        self.quantised = False  # one row for each pair: nothing to gain
        return self.linear(self.node("Tanh", self.linear(first, "pooler.dense")), "classifier")


def graph_of(weights: Weights, shape: Shape, head: Head, *, quantised: bool = False) -> bytes:
    """The serialised model. Raises `KeyError` for a weight that is missing, `ValueError` for one of a wrong shape.

    Inputs `input_ids`, `attention_mask` and, for the classifier, `token_type_ids`: int64, (texts, tokens). Output
    `embedding`: float32, (texts, hidden), or `logits`: float32, (texts, labels).
    """
    graph = _Graph(weights, shape, quantised)
    helper, float32, int64 = graph.onnx.helper, graph.onnx.TensorProto.FLOAT, graph.onnx.TensorProto.INT64
    pairs = head == "classifier"
    x = graph.node("Reshape", graph.embedded(pairs), graph.numbers(-1, shape.hidden))
    mask = graph.mask()
    for number in range(shape.layers):
        x = graph.layer(x, mask, number)
    graph.pooled(graph.node("Reshape", x, graph.shaped(shape.hidden)), head)
    names = ("input_ids", "attention_mask", *(("token_type_ids",) if pairs else ()))
    inputs = [helper.make_tensor_value_info(name, int64, ["texts", "tokens"]) for name in names]
    output, size = ("logits", "labels") if pairs else ("embedding", shape.hidden)
    outputs = [helper.make_tensor_value_info(output, float32, ["texts", size])]
    made = helper.make_graph(graph.nodes, "bert", inputs, outputs, list(graph.constants.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())
