"""Texts as the token ids of a model, whole or not at all.

A text that is longer than a model's window would be cut, and a word that its vocabulary has no piece for becomes the
same token as any other: both would give different texts one vector. They are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adapters.embedder import EmbedderUnavailable
from adapters.errors import EmbeddingError
from adapters.extras import attempted, library

Ids = list[int]
Integers = "np.ndarray[Any, np.dtype[np.int64]]"

CHARACTERS = 40
"""For each token of the window: what is longer is not even looked at. English has four or five to a token; only white
space and words that no vocabulary has take more."""

WASTE = 16
"""Tokens of padding that a pass may have: one more pass costs about as much, for the weights are read again (measured
2026-11 with all-MiniLM-L6-v2)."""

MOST_TOKENS = 4096
"""Of a pass, so that its intermediate results stay below 100 MB in a model of the usual size."""


class Encoded(NamedTuple):
    ids: Ids
    kinds: Ids
    """0 for the first text of a pair, 1 for the second."""


class WordPieces:
    """The tokenizer of a model. Raises `EmbeddingError` for texts that it can't give whole."""

    def __init__(
        self, raw: bytes, where: str, window: int | None, *, special: bool = True, lower: bool = False
    ) -> None:
        """`raw`: a `tokenizer.json`. `window`: most tokens of a text, those among them that the model adds
        (`special`)."""
        tokenizers = library("tokenizers", "onnx")
        self._tokenizer = attempted(lambda: tokenizers.Tokenizer.from_buffer(raw), where)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._window, self._special, self._lower = window, special, lower
        self._added = self._tokenizer.num_special_tokens_to_add(False) if special else 0
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        self._unknown = self._tokenizer.token_to_id(unknown) if isinstance(unknown, str) else None
        self.vocabulary: int = self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> Encoded:
        self._check_length(len(text))
        read = self._read(text, None)
        if len(read.ids) <= self._added:
            raise EmbeddingError("nothing to embed")
        return read

    def pair(self, first: str, second: str) -> Encoded:
        self._check_length(len(first) + len(second))
        return self._read(first, second)

    def _check_length(self, characters: int) -> None:
        if self._window is not None and characters > CHARACTERS * self._window:
            raise EmbeddingError("too long")

    def _read(self, first: str, second: str | None) -> Encoded:
        if self._lower:
            first, second = first.lower(), second and second.lower()
        try:
            read = self._tokenizer.encode(first, second, add_special_tokens=self._special)
        except (TypeError, UnicodeEncodeError) as error:  # half of a surrogate pair, which JSON may hold
            raise EmbeddingError("no Unicode text") from error
        if self._window is not None and len(read.ids) > self._window:
            raise EmbeddingError("too long")
        if self._unknown is not None and self._unknown in read.ids:
            raise EmbeddingError("unknown words")
        return Encoded(read.ids, read.type_ids)


def window_of(*said: object, default: int) -> int:
    """Tokens: the fewest of what a model's files say, for that is what it was trained and made for."""
    return min([value for value in said if type(value) is int and value > 2], default=default)


def passes(lengths: Sequence[int]) -> list[list[int]]:
    """Which texts go through the model together, by their places: those of like length, so that little is padding."""
    groups: list[list[int]] = []
    longest = waste = 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[place]
        waste += (length - longest) * len(groups[-1]) if groups else 0
        if not groups or waste > WASTE or length * (len(groups[-1]) + 1) > MOST_TOKENS:
            groups.append([])
            waste = 0
        groups[-1].append(place)
        longest = length
    return groups


def filled(rows: Sequence[Ids], padding: int = 0) -> Any:
    """(rows, tokens), int64; short rows are filled up at their ends."""
    matrix = np.full((len(rows), max(map(len, rows))), padding, np.int64)
    for place, row in enumerate(rows):
        matrix[place, : len(row)] = row
    return matrix


def vocabulary_fits(pieces: WordPieces, words: int, where: str) -> None:
    """Raises `EmbedderUnavailable` where the tokenizer gives ids that the model has no vector for."""
    if pieces.vocabulary > words:
        raise EmbedderUnavailable(f"{where}: its tokenizer has {pieces.vocabulary} words, its model {words}")
