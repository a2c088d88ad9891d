"""How likely two texts ask the same: a cross-encoder, which reads both together. Slower than vectors, and optional.

Its score is the sigmoid of the model's one logit (what sentence-transformers' `CrossEncoder` does by default for models
with one label; its documentation, read 2026-11). It is a number between 0 and 1, not yet a probability: that takes a
calibration on pairs whose answer is known.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from adapters.bert_files import WINDOW, network, wordpieces
from adapters.embedder import Embedded, EmbedderUnavailable, Matrix
from adapters.embedding_batches import Batches, Limits
from adapters.errors import EmbeddingError
from adapters.extras import attempted, library
from adapters.model_files import ModelFiles, find
from adapters.sentence_encoder import CHARACTERS, EXTRA, weighed
from adapters.wordpieces import Encoded, filled, passes, window_of

Pair = tuple[str, str]


class ScorerSpec(NamedTuple):
    """A cross-encoder's settings."""

    model: str
    kind: Literal["onnx", "sentence-transformers"] = "onnx"
    model_dir: str | None = None
    sha256: str | None = None
    """Of the file with its weights."""
    fetch: bool = False
    threads: int = 1
    limits: Limits = Limits(size=16)


class Scorer(Protocol):
    """A model in this process. Called by one thread."""

    identity: str

    def scores(self, pairs: Sequence[Pair]) -> Matrix:
        """(pairs,), 0 to 1. Raises `EmbeddingError` for a pair that the model can't read whole."""


class CrossEncoder:
    """`Scorer`: a BERT with a classifier, or an exported model, under ONNX Runtime."""

    def __init__(self, files: ModelFiles, model: str, *, sha256: str | None = None, threads: int = 1) -> None:
        """Raises `EmbedderUnavailable`."""
        config = files.members("config.json")
        window = window_of(
            files.members("tokenizer_config.json").get("model_max_length"),
            config.get("max_position_embeddings"),
            default=WINDOW,
        )
        self._network = network(files, "classifier", sha256=sha256, quantised=False, threads=threads)
        self._pieces = wordpieces(files, window, self._network.words)
        labels = attempted(lambda: self._run([Encoded([0, 0], [0, 1])]).shape[1], str(files.path))
        if labels != 1:
            raise EmbedderUnavailable(f"{files.path}: {labels} labels; a pair's score is the sigmoid of one")
        self.identity = f"onnx {model} {files.fingerprint()} {window} tokens"

    def scores(self, pairs: Sequence[Pair]) -> Matrix:
        rows = [self._pieces.pair(*pair) for pair in pairs]
        logits = np.empty(len(rows), np.float32)
        for places in passes([len(row.ids) for row in rows]):
            logits[places] = self._run([rows[place] for place in places])[:, 0]
        return sigmoid(logits)

    def _run(self, rows: Sequence[Encoded]) -> Any:
        """(rows, labels)"""
        feeds = {
            "input_ids": filled([row.ids for row in rows]),
            "attention_mask": filled([[1] * len(row.ids) for row in rows]),
            "token_type_ids": filled([row.kinds for row in rows]),
        }
        return self._network.session.run(self._network.output, feeds)


class SentenceCrossEncoder:
    """`Scorer` by the library `sentence-transformers` (written for version 6.2, 2026-11)."""

    def __init__(self, files: ModelFiles, model: str, *, sha256: str | None = None) -> None:
        """Raises `EmbedderUnavailable`."""
        library_ = library("sentence_transformers", EXTRA)
        torch = library("torch", EXTRA)
        fingerprint = weighed(files, sha256)
        where = str(files.path)
        self._model: Any = attempted(lambda: library_.CrossEncoder(where, local_files_only=True), where)
        if self._model.num_labels != 1:
            raise EmbedderUnavailable(f"{where}: {self._model.num_labels} labels; a pair's score is the sigmoid of one")
        self._plain = torch.nn.Identity()
        window = self._model.max_seq_length
        self._window = window if type(window) is int and window > 0 else WINDOW
        self.identity = f"sentence-transformers {model} {fingerprint} {self._window} tokens"

    def scores(self, pairs: Sequence[Pair]) -> Matrix:
        for first, second in pairs:
            if len(first) + len(second) > CHARACTERS * self._window:
                raise EmbeddingError("too long")
            if len(self._model.tokenizer(first, second, truncation=False)["input_ids"]) > self._window:
                raise EmbeddingError("too long")
        logits = self._model.predict(
            list(pairs), activation_fn=self._plain, convert_to_numpy=True, show_progress_bar=False
        )
        return sigmoid(np.asarray(logits, np.float32).reshape(len(pairs)))


class PairScorer:
    """A scorer in a thread of its own: pairs that come while it is busy go together."""

    def __init__(self, scorer: Scorer, limits: Limits) -> None:
        self.identity = scorer.identity
        self._scorer = scorer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="warmgate-scorer")
        self._batches: Batches[Pair] = Batches(self._compute, limits, lambda pair: len(pair[0]) + len(pair[1]))

    async def score(self, pairs: Sequence[Pair]) -> list[float]:
        """One for each pair, 0 to 1, in their order. Raises `EmbeddingError`: what the model says of a pair, `timeout`,
        `busy`, `closed`."""
        rows, _ = await self._batches.ask(pairs)
        return [float(row[0]) for row in rows]

    async def _compute(self, pairs: list[Pair]) -> Embedded:
        loop = asyncio.get_running_loop()
        scores = await loop.run_in_executor(self._thread, self._scorer.scores, pairs)
        if not np.isfinite(scores).all():
            raise EmbeddingError("a score that is not finite")
        return Embedded(scores[:, None])

    async def close(self) -> None:
        ended = await self._batches.close()
        self._thread.shutdown(wait=ended, cancel_futures=True)


def sigmoid(logits: Any) -> Matrix:
    scores: Matrix = (1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -60.0, 60.0)))).astype(np.float32)
    return scores


def scorer_of(spec: ScorerSpec, environ: Mapping[str, str] = os.environ) -> PairScorer:
    """The scorer, loaded. Raises `EmbedderUnavailable`."""
    files = ModelFiles(find(spec.model, model_dir=spec.model_dir, fetch=spec.fetch, environ=environ))
    scorer: Scorer
    if spec.kind == "sentence-transformers":
        scorer = SentenceCrossEncoder(files, spec.model, sha256=spec.sha256)
    else:
        scorer = CrossEncoder(files, spec.model, sha256=spec.sha256, threads=spec.threads)
    return PairScorer(scorer, spec.limits)
