"""The library sentence-transformers, by a small one of its shape; and what it says where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.embedder import EmbedderUnavailable
from adapters.errors import EmbeddingError
from adapters.model_files import ModelFiles
from adapters.sentence_encoder import SentenceEncoder
from tests.adapters.lent import lend, withhold


def directory(path: Path, **config: Any) -> ModelFiles:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(config))
    return ModelFiles(path)


def test_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    withhold(monkeypatch)
    with pytest.raises(EmbedderUnavailable, match=r"pip install 'warmgate\[sentence-transformers\]'"):
        SentenceEncoder(directory(tmp_path), "m")


def test_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch)
    encoder = SentenceEncoder(directory(tmp_path), "m")
    made = encoder.encode(["aab", "z"])
    assert (encoder.dimension, encoder.window) == (26, 8)
    assert np.allclose(made[0, :2], np.array([2, 1]) / np.sqrt(5))
    assert made[1, 25] == 1


def test_prefixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch)
    files = directory(tmp_path, prompts={"query": "qqqq "}, default_prompt_name="query")
    own, given, none = (SentenceEncoder(files, "m", prefix=prefix) for prefix in (None, "z ", ""))
    assert own.encode(["a"])[0, 16] > 0.9
    assert given.encode(["a"])[0, [0, 16, 25]].tolist() == pytest.approx([0.5**0.5, 0, 0.5**0.5])
    assert none.encode(["a"])[0, 0] == 1
    assert len({own.identity, given.identity, none.identity}) == 3


def test_what_the_library_would_cut_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch)
    encoder = SentenceEncoder(directory(tmp_path, unknown=["blorp"]), "m", prefix="to ")
    assert len(encoder.encode(["a b c d e"])) == 1
    for text, why in (
        ("a b c d e f", "too long"),
        ("x" * 100_000, "too long"),
        (" ", "nothing"),
        ("a blorp", "unknown"),
    ):
        with pytest.raises(EmbeddingError, match=why):
            encoder.encode(["fine", text])


def test_the_identity_changes_with_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch)
    first = SentenceEncoder(directory(tmp_path / "a"), "m").identity
    assert SentenceEncoder(directory(tmp_path / "b"), "m").identity == first
    (tmp_path / "b" / "2_Dense").mkdir()
    (tmp_path / "b" / "2_Dense" / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "b" / "README.md").write_text("says nothing")
    second = SentenceEncoder(ModelFiles(tmp_path / "b"), "m").identity
    assert second != first
    (tmp_path / "b" / "README.md").write_text("says something")
    assert SentenceEncoder(ModelFiles(tmp_path / "b"), "m").identity == second


def test_files_that_are_missing_or_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch)
    with pytest.raises(EmbedderUnavailable, match="no model in it"):
        SentenceEncoder(ModelFiles(tmp_path), "m")
    files = directory(tmp_path)
    with pytest.raises(EmbedderUnavailable, match="which it has not"):
        SentenceEncoder(files, "m", sha256="0" * 64)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(EmbedderUnavailable, match="damaged or of another model"):
        SentenceEncoder(ModelFiles(tmp_path), "m", sha256="0" * 64)


@pytest.mark.parametrize("config", [{"dimension": None}, {"dimension": 7}, {"prompts": 3}], ids=repr)
def test_a_model_that_does_not_work_is_an_error_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    lend(monkeypatch)
    with pytest.raises(EmbedderUnavailable, match=str(tmp_path)):
        SentenceEncoder(directory(tmp_path, **config), "m")
