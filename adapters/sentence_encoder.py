"""Vectors by the library `sentence-transformers`, with any of its models. Written for version 6.2 (2026-11).

It brings torch with it: gigabytes on disk, seconds to import, and several times the time of a text that ONNX Runtime
takes. It is for models that nothing else here can run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.embedder import EmbedderUnavailable, Matrix, normalised
from adapters.errors import EmbeddingError
from adapters.extras import attempted, library
from adapters.model_files import ModelFiles

EXTRA = "sentence-transformers"

COUNTED = (".json", ".txt", ".model", ".safetensors", ".bin", ".py")
"""Files that vectors depend on, by how their names end."""

CHARACTERS = 40
"""For each token of the window, as in `wordpieces`."""


def weighed(files: ModelFiles, sha256: str | None) -> str:
    """The fingerprint of all files of a model. Raises `EmbedderUnavailable`."""
    for path in sorted(files.path.rglob("*")):
        name = path.relative_to(files.path).as_posix()
        if path.suffix in COUNTED and path.is_file() and not name.startswith(("onnx/", "openvino/", ".")):
            files.read(name, sha256 if name == "model.safetensors" else None)
    if not files.digests:
        raise EmbedderUnavailable(f"{files.path}: no model in it")
    if sha256 is not None and "model.safetensors" not in files.digests:
        raise EmbedderUnavailable(f"{files.path}: `sha256` is that of a model.safetensors, which it has not")
    return files.fingerprint()


class SentenceEncoder:
    """`adapters.embedder.Encoder`."""

    def __init__(
        self, files: ModelFiles, model: str, *, sha256: str | None = None, prefix: str | None = None, size: int = 32
    ) -> None:
        """`prefix`: None for the model's own, where it has one. `size`: texts that go through the model together.
        Raises `EmbedderUnavailable`."""
        library_ = library("sentence_transformers", EXTRA)
        fingerprint = weighed(files, sha256)
        where = str(files.path)
        self._model: Any = attempted(
            lambda: library_.SentenceTransformer(where, local_files_only=True, trust_remote_code=False), where
        )
        usual = attempted(lambda: self._model.prompts.get(self._model.default_prompt_name), where)
        self._prefix: str = str(usual or "") if prefix is None else prefix
        self._size = size
        window = self._model.max_seq_length
        self.window = window if type(window) is int and window > 0 else None
        dimension = self._model.get_embedding_dimension()
        if type(dimension) is not int or dimension < 1:
            raise EmbedderUnavailable(
                f"{where}: sentence-transformers does not say how many dimensions its vectors have"
            )
        self.dimension: int = dimension
        attempted(lambda: self._made(["a question"]), where)
        self.identity = f"sentence-transformers {model} {fingerprint} {self.window} tokens {dimension} {self._prefix!r}"

    def encode(self, texts: Sequence[str]) -> Matrix:
        for text in texts:
            self._check(text)
        return self._made(list(texts))

    def _made(self, texts: list[str]) -> Matrix:
        made = self._model.encode(
            texts,
            prompt=self._prefix,
            batch_size=self._size,
            convert_to_numpy=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return normalised(made, len(texts), self.dimension)

    def _check(self, text: str) -> None:
        """What the library would cut silently is refused."""
        if not text.strip():
            raise EmbeddingError("nothing to embed")
        if self.window is None:
            return
        if len(text) > CHARACTERS * self.window:
            raise EmbeddingError("too long")
        ids = self._model.tokenizer(self._prefix + text, truncation=False)["input_ids"]
        if len(ids) > self.window:
            raise EmbeddingError("too long")
        unknown = getattr(self._model.tokenizer, "unk_token_id", None)
        if unknown is not None and unknown in ids:
            raise EmbeddingError("unknown words")
