"""The lightest embedder: a vector for each word, and for a text their mean. No network, 16 MB, some 40 µs a text.

The vectors are WordLlama's 256-dimensional ones (`l2_supercat`, MIT; wordllama 0.4.0.post1, read 2026-11), taken from
the installed package's files. It is not imported: that would set up the root logger, and its loader looks for the
tokenizer in a directory that the package does not have, then on the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adapters.embedder import EmbedderUnavailable, Matrix, normalised
from adapters.extras import attempted, library
from adapters.model_files import ModelFiles, installed
from adapters.wordpieces import WordPieces, vocabulary_fits

PACKAGE = "wordllama"
WEIGHTS, TENSOR = "weights/l2_supercat_256.safetensors", "embedding.weight"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"

WINDOW = 512
"""Tokens. A mean over many more words says little of any of them."""


class StaticEncoder:
    """`adapters.embedder.Encoder`."""

    def __init__(self, files: ModelFiles, *, sha256: str | None = None) -> None:
        """Raises `EmbedderUnavailable`."""
        safetensors = library("safetensors.numpy", "static")
        where = str(files.path / WEIGHTS)
        raw = files.read(WEIGHTS, sha256)
        tensors = attempted(lambda: safetensors.load(raw), where)
        table = tensors.get(TENSOR)
        if table is None or table.ndim != 2 or not len(table) or not np.isfinite(table).all():
            raise EmbedderUnavailable(f"{where}: no table of word vectors ({TENSOR})")
        self._table = table  # as it is stored, in float16: half the memory, and a text has few words
        tokenizer = str(files.path / TOKENIZER)
        self._pieces = WordPieces(files.read(TOKENIZER), tokenizer, WINDOW, special=False)
        vocabulary_fits(self._pieces, len(table), tokenizer)
        self.dimension = int(table.shape[1])
        self.identity = f"static wordllama {files.fingerprint()} mean {WINDOW} tokens {self.dimension}"

    def encode(self, texts: Sequence[str]) -> Matrix:
        rows = [self._table[self._pieces.encode(text).ids].astype(np.float32).mean(axis=0) for text in texts]
        return normalised(rows, len(rows), self.dimension) if rows else np.empty((0, self.dimension), np.float32)


def static_files(model_dir: str | None) -> ModelFiles:
    """Of the directory that was named, or of the installed package. Raises `EmbedderUnavailable`."""
    path = Path(model_dir).expanduser() if model_dir is not None else installed(PACKAGE)
    if path is None:
        raise EmbedderUnavailable("wordllama is not installed: pip install 'warmgate[static]'")
    return ModelFiles(path)
