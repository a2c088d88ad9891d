"""A text as tokens, whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.embedder import EmbedderUnavailable
from adapters.errors import EmbeddingError
from adapters.wordpieces import MOST_TOKENS, WASTE, WordPieces, filled, passes, vocabulary_fits, window_of
from tests.adapters import tiny_bert

RAW = json.dumps(tiny_bert.TOKENIZER).encode()
QUESTION = "How do I reset my password?"


def pieces(window: int | None = 12, **more: bool) -> WordPieces:
    return WordPieces(RAW, "tokenizer.json", window, **more)


def test_a_text_and_a_pair() -> None:
    assert pieces().encode(QUESTION) == ([2, 4, 5, 6, 7, 8, 9, 10, 14, 3], [0] * 10)
    assert pieces().pair("turn on", "turn off") == ([2, 11, 12, 3, 11, 13, 3], [0, 0, 0, 0, 1, 1, 1])


def test_the_file_s_own_truncation_is_not_followed() -> None:
    assert tiny_bert.TOKENIZER["truncation"]
    assert len(pieces().encode(QUESTION).ids) == 10


def test_a_text_that_fits_and_one_that_does_not() -> None:
    assert len(pieces(window=10).encode(QUESTION).ids) == 10
    with pytest.raises(EmbeddingError, match="too long"):
        pieces(window=9).encode(QUESTION)
    with pytest.raises(EmbeddingError, match="too long"):
        pieces(window=6).pair("turn on", "turn off")


def test_100_kb_are_not_even_read() -> None:
    with pytest.raises(EmbeddingError, match="too long"):
        pieces().encode(" " * 100_000)
    with pytest.raises(EmbeddingError, match="too long"):
        pieces().pair("turn on", " " * 100_000)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u0000", "\u200b \u200e"])
def test_a_text_without_a_word_has_no_vector(text: str) -> None:
    with pytest.raises(EmbeddingError, match="nothing to embed"):
        pieces().encode(text)


@pytest.mark.parametrize("text", ["turn on 🦄", "turn on " + "o" * 101, "off [UNK]"])
def test_what_the_vocabulary_has_no_piece_for_is_refused(text: str) -> None:
    with pytest.raises(EmbeddingError, match="unknown words"):
        pieces(window=100).encode(text)
    with pytest.raises(EmbeddingError, match="unknown words"):
        pieces(window=100).pair("turn on", text)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(EmbeddingError, match="no Unicode text"):
        pieces().encode("turn \ud800 on")


def test_without_the_tokens_that_a_model_adds() -> None:
    assert pieces(special=False).encode("turn on").ids == [11, 12]
    with pytest.raises(EmbeddingError, match="nothing to embed"):
        pieces(special=False).encode(" ")


def test_letters_made_small_before() -> None:
    keeps_case = json.loads(RAW)
    keeps_case["normalizer"] = None
    raw = json.dumps(keeps_case).encode()
    assert WordPieces(raw, "", 12, lower=True).encode("TURN on").ids == [2, 11, 12, 3]
    with pytest.raises(EmbeddingError, match="unknown words"):
        WordPieces(raw, "", 12).encode("TURN on")


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff\xfe", RAW[:-200], b'{"model": 3}'])
def test_a_damaged_tokenizer_is_an_error_at_start(raw: bytes) -> None:
    with pytest.raises(EmbedderUnavailable, match=r"somewhere/tokenizer\.json: "):
        WordPieces(raw, "somewhere/tokenizer.json", 12)


def test_a_tokenizer_of_another_model() -> None:
    vocabulary_fits(pieces(), 15, "t.json")
    with pytest.raises(EmbedderUnavailable, match="15 words, its model 14"):
        vocabulary_fits(pieces(), 14, "t.json")


def test_the_window_is_the_smallest_that_is_said() -> None:
    assert window_of(256, None, 512, default=8) == 256
    assert window_of(10**30, 512, default=8) == 512
    assert window_of(None, "512", 1e30, True, -1, default=8) == 8


@given(st.lists(st.integers(2, 256), max_size=80))
def test_passes_hold_every_text_once_with_little_padding(lengths: list[int]) -> None:
    groups = passes(lengths)
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[place] for place in group)
        assert sum(longest - lengths[place] for place in group) <= WASTE
        assert len(group) == 1 or longest * len(group) <= MOST_TOKENS


def test_texts_of_one_length_go_together() -> None:
    assert passes([14] * 32) == [list(range(32))]
    assert passes([]) == []
    assert passes([5, 200, 6, 200]) == [[0, 2], [1, 3]]
    assert len(passes([256] * 32)) == 2


def test_short_rows_are_filled_up() -> None:
    matrix = filled([[1, 2, 3], [4]])
    assert matrix.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert matrix.dtype == np.int64
