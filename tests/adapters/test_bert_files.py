"""What a model's directory says of it; what is not understood is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.bert_files import Described, described, network, plain, wordpieces
from adapters.embedder import EmbedderUnavailable
from adapters.model_files import ModelFiles
from tests.adapters import tiny_bert

MODULES = [
    {"idx": 0, "type": "sentence_transformers.models.Transformer"},
    {"type": "a.b.Pooling"},
    {"type": "Normalize"},
]
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False, "word_embedding_dimension": 16}
CLS = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}


def directory(path: Path, **more: Any) -> ModelFiles:
    return ModelFiles(tiny_bert.written(path, **more))


def test_a_bare_directory(tmp_path: Path) -> None:
    assert described(directory(tmp_path), "mean") == Described("mean", tiny_bert.POSITIONS, lower=False)
    assert described(directory(tmp_path), "cls").pooling == "cls"


@pytest.mark.parametrize(
    ("pooling", "named"),
    [(MEAN, "mean"), (CLS, "cls"), ({"pooling_mode": "cls"}, "cls"), ({"pooling_mode": ["mean"]}, "mean")],
)
def test_a_directory_of_sentence_transformers(tmp_path: Path, pooling: dict[str, Any], named: str) -> None:
    files = directory(
        tmp_path,
        modules=MODULES,
        **{"1_Pooling__config": pooling},
        sentence_bert_config={"max_seq_length": 9, "do_lower_case": True},
    )
    usual: Any = "cls" if named == "mean" else "mean"
    assert described(files, usual) == Described(named, 9, lower=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pooling",
    [
        {"pooling_mode_max_tokens": True},
        {**MEAN, "pooling_mode_cls_token": True},
        {"pooling_mode_mean_tokens": False},
        {"pooling_mode": "lasttoken"},
        {"pooling_mode": ["mean", "cls"]},
        {"pooling_mode": 3},
        {"pooling_mode": []},
    ],
    ids=repr,
)
def test_another_pooling_is_refused(tmp_path: Path, pooling: dict[str, Any]) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"pooling by .* is not known here"):
        described(directory(tmp_path, **{"1_Pooling__config": pooling}), "mean")


@pytest.mark.parametrize("module", [{"type": "sentence_transformers.models.Dense"}, {"type": 3}, {}, "Pooling"])
def test_another_module_is_refused(tmp_path: Path, module: Any) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"kind `sentence-transformers` knows them all"):
        described(directory(tmp_path, modules=[*MODULES, module]), "mean")


def test_the_window_is_the_smallest_of_what_is_said(tmp_path: Path) -> None:
    assert described(directory(tmp_path, tokenizer_config={"model_max_length": 8}), "mean").window == 8
    assert described(directory(tmp_path, sentence_bert_config={"max_seq_length": "many"}), "mean").window == 8


def build(files: ModelFiles, **more: Any) -> Any:
    return network(files, "mean", **{"sha256": None, "quantised": False, "threads": 1, **more})


def test_a_bert_is_built(tmp_path: Path) -> None:
    made = build(directory(tmp_path))
    assert (made.output, made.words, made.hidden, made.built) == ("embedding", len(tiny_bert.WORDS), 16, True)


def test_weights_are_checked_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailable, match="damaged or of another model"):
        build(directory(tmp_path), sha256="0" * 64)


def test_a_torn_file_of_weights(tmp_path: Path) -> None:
    files = directory(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    for torn in (whole[:-1], whole[:40], b"", b"\xff" * 100):
        (tmp_path / "model.safetensors").write_bytes(torn)
        with pytest.raises(EmbedderUnavailable, match=r"model\.safetensors: "):
            build(files)


def test_weights_of_another_size_or_name(tmp_path: Path) -> None:
    wrong = tiny_bert.weights()
    wrong["encoder.layer.0.output.dense.weight"] = np.zeros((3, 3), np.float32)
    lacking = tiny_bert.weights()
    del lacking["embeddings.LayerNorm.bias"]
    for tensors in (wrong, lacking):
        with pytest.raises(EmbedderUnavailable, match=r"model\.safetensors: "):
            build(ModelFiles(tiny_bert.written(tmp_path, tensors)))


@pytest.mark.parametrize("config", [{**tiny_bert.CONFIG, "hidden_act": "relu"}, {"model_type": "bert"}])
def test_a_bert_of_another_kind(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"config\.json: "):
        build(directory(tmp_path, config=config))


@pytest.mark.parametrize("config", [{"model_type": "mpnet"}, {}, {"model_type": ["bert"]}])
def test_neither_a_bert_nor_exported(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"neither a BERT .* nor an exported model"):
        build(directory(tmp_path, config=config))


def test_exported_models_are_not_quantised_here(tmp_path: Path) -> None:
    files = directory(tmp_path, config={"model_type": "mpnet"})
    (tmp_path / "model.onnx").write_bytes(b"any")
    with pytest.raises(EmbedderUnavailable, match="can be quantised"):
        build(files, quantised=True)


def test_names_of_weights_under_a_head() -> None:
    made = plain({"bert.a.weight": np.ones(2, np.float16), "classifier.bias": np.ones(1, np.float64)})
    assert {name: value.dtype for name, value in made.items()} == {
        "a.weight": np.float32,
        "classifier.bias": np.float32,
    }


def test_a_tokenizer_that_has_more_words_than_the_network(tmp_path: Path) -> None:
    files = directory(tmp_path)
    assert wordpieces(files, 12, 15).encode("turn on").ids == [2, 11, 12, 3]
    with pytest.raises(EmbedderUnavailable, match="15 words, its model 14"):
        wordpieces(files, 12, 14)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(EmbedderUnavailable, match=r"tokenizer\.json: No such file"):
        wordpieces(files, 12, 15)
