"""Means of word vectors, against the library that they come from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from adapters.embedder import EmbedderUnavailable
from adapters.errors import EmbeddingError
from adapters.model_files import installed
from adapters.static_encoder import TENSOR, TOKENIZER, WEIGHTS, StaticEncoder, static_files
from tests.adapters import tiny_bert

TEXTS = [
    "How do I reset my password?",
    "Wie setze ich mein Passwort zurück?",
    "什么是量子计算? 🦄",
    "x",
    "a b\n c" * 40,
]

THEIRS = """
import json, sys
from pathlib import Path
import wordllama
loaded = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
print(json.dumps(loaded.embed(json.load(sys.stdin), norm=True).tolist()))
"""


@pytest.fixture(scope="module", name="static")
def _static() -> StaticEncoder:
    if installed("wordllama") is None:
        if os.environ.get("CI") == "true" and sys.version_info < (3, 14):
            pytest.fail("wordllama is not installed")
        pytest.skip("wordllama is not installed: pip install 'warmgate[static]'")
    return StaticEncoder(static_files(None))


def test_vectors_are_the_library_s_own(static: StaticEncoder) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", THEIRS],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = np.array(json.loads(done.stdout))
    assert theirs.shape == (len(TEXTS), static.dimension)
    assert np.allclose(static.encode(TEXTS), theirs, atol=1e-6)


def test_the_library_is_not_imported(static: StaticEncoder) -> None:
    assert "wordllama" not in sys.modules


def test_what_has_no_vector(static: StaticEncoder) -> None:
    for text, why in (("", "nothing"), ("word " * 600, "too long"), (" " * 100_000, "too long"), ("\ud800", "Unicode")):
        with pytest.raises(EmbeddingError, match=why):
            static.encode(["fine", text])
    assert static.encode([]).shape == (0, 256)


def directory(path: Path, **tensors: object) -> Path:
    """Word vectors in the form of the package."""
    from safetensors.numpy import save

    for name in (WEIGHTS, TOKENIZER):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / WEIGHTS).write_bytes(save(tensors))
    (path / TOKENIZER).write_text(json.dumps(tiny_bert.TOKENIZER))
    return path


def test_a_table_of_one_s_own(tmp_path: Path) -> None:
    table = np.random.default_rng(1).normal(0, 1, (15, 4)).astype(np.float16)
    own = StaticEncoder(static_files(str(directory(tmp_path, **{TENSOR: table}))))
    wanted = table[[11, 12]].astype(np.float64).mean(axis=0)
    assert np.allclose(own.encode(["turn on"]), wanted / np.linalg.norm(wanted), atol=1e-6)
    other = StaticEncoder(static_files(str(directory(tmp_path, **{TENSOR: table + 1}))))
    assert own.identity != other.identity


def test_tables_that_are_none(tmp_path: Path) -> None:
    for tensors in ({"other": np.ones((15, 4), np.float32)}, {TENSOR: np.ones(15, np.float32)}):
        with pytest.raises(EmbedderUnavailable, match="no table of word vectors"):
            StaticEncoder(static_files(str(directory(tmp_path, **tensors))))
    with pytest.raises(EmbedderUnavailable, match="15 words, its model 14"):
        StaticEncoder(static_files(str(directory(tmp_path, **{TENSOR: np.ones((14, 4), np.float32)}))))
    with pytest.raises(EmbedderUnavailable, match="damaged or of another model"):
        StaticEncoder(static_files(str(tmp_path)), sha256="0" * 64)
    (tmp_path / WEIGHTS).write_bytes(b"torn")
    with pytest.raises(EmbedderUnavailable, match=r"l2_supercat_256\.safetensors: "):
        StaticEncoder(static_files(str(tmp_path)))
    with pytest.raises(EmbedderUnavailable, match="No such file"):
        StaticEncoder(static_files(str(tmp_path / "nowhere")))


def test_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.static_encoder.PACKAGE", "no_such_package_at_all")
    with pytest.raises(EmbedderUnavailable, match=r"pip install 'warmgate\[static\]'"):
        static_files(None)
