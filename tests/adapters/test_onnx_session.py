"""Models that are none, and models of something else than texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from adapters.embedder import EmbedderUnavailable
from adapters.onnx_session import OnnxSession


def adding(*inputs: str, rank: int = 2) -> bytes:
    """A model whose output is the sum of its inputs."""
    size: list[Any] = ["texts", "tokens", 2][:rank]
    nodes = [helper.make_node("Sum", list(inputs), ["sum"])]
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name in inputs]
    made = [helper.make_tensor_value_info("sum", TensorProto.FLOAT, size)]
    graph = helper.make_graph(nodes, "adding", given, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return bytes(model.SerializeToString())


def test_a_model_takes_the_inputs_that_it_knows() -> None:
    session = OnnxSession(adding("input_ids", "attention_mask"), "m", 1)
    ones = np.ones((1, 3), np.float32)
    feeds = {"input_ids": ones, "attention_mask": 2 * ones, "token_type_ids": 5 * ones}
    assert session.run("sum", feeds).tolist() == [[3, 3, 3]]
    assert session.outputs == {"sum": 2}


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(adding("input_ids", rank=3))
    assert OnnxSession(str(path), "m", 1).outputs == {"sum": 3}


@pytest.mark.parametrize("inputs", [("pixel_values",), ("input_ids", "position_ids"), ("attention_mask",)])
def test_a_model_that_wants_something_else(inputs: tuple[str, ...]) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"m\.onnx: its inputs are"):
        OnnxSession(adding(*inputs), "m.onnx", 1)


@pytest.mark.parametrize("raw", [b"", b"no model", adding("input_ids")[:-20]])
def test_a_damaged_model(raw: bytes) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"m\.onnx: "):
        OnnxSession(raw, "m.onnx", 1)


def test_a_model_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"m\.onnx: "):
        OnnxSession(str(tmp_path / "m.onnx"), "m.onnx", 1)
