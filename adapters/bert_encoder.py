"""Vectors by a BERT-like encoder under ONNX Runtime: the default embedder. Runs in whatever thread calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.bert_files import Pooling, described, network, wordpieces
from adapters.embedder import Matrix, normalised
from adapters.extras import attempted
from adapters.model_files import ModelFiles
from adapters.wordpieces import Ids, filled, passes


class BertEncoder:
    """`adapters.embedder.Encoder`."""

    def __init__(
        self,
        files: ModelFiles,
        model: str,
        *,
        sha256: str | None = None,
        pooling: Pooling = "mean",
        prefix: str = "",
        quantised: bool = False,
        threads: int = 1,
    ) -> None:
        """`model`: its name, for the identity. `sha256`: of the file with the weights. `pooling`: where the files do
        not say. `prefix`: stands before each text. `quantised`: weights of seven bits, twice as fast, less exact.
        Raises `EmbedderUnavailable`."""
        says = described(files, pooling)
        head = says.pooling
        self._network = network(files, head, sha256=sha256, quantised=quantised, threads=threads)
        self._pieces = wordpieces(files, says.window, self._network.words, lower=says.lower)
        self._pooling, self._prefix, self.window = says.pooling, prefix, says.window
        # Tried on a token that every model has: weights that are no numbers are seen now and not with each question.
        tried = attempted(lambda: self._vectors([[0]]), str(files.path))
        self.dimension: int = tried.shape[1]
        attempted(lambda: normalised(tried, 1, self.dimension), str(files.path))
        self.identity = (
            f"onnx {model} {files.fingerprint()} {says.pooling} {says.window} tokens"
            f"{' quantised' if quantised else ''} {self.dimension} {prefix!r}"
        )

    def encode(self, texts: Sequence[str]) -> Matrix:
        rows = [self._pieces.encode(self._prefix + text).ids for text in texts]
        vectors = np.empty((len(rows), self.dimension), np.float32)
        for places in passes([len(row) for row in rows]):
            vectors[places] = self._vectors([rows[place] for place in places])
        return normalised(vectors, len(rows), self.dimension)

    def _vectors(self, rows: Sequence[Ids]) -> Any:
        """(rows, dimension)"""
        ids, real = filled(rows), filled([[1] * len(row) for row in rows])
        feeds = {"input_ids": ids, "attention_mask": real, "token_type_ids": np.zeros_like(ids)}
        made = self._network.session.run(self._network.output, feeds)
        if self._network.built:
            return made
        if self._pooling == "cls":
            return made[:, 0]
        weight = real[:, :, None].astype(np.float32)
        return (made * weight).sum(axis=1) / weight.sum(axis=1)
