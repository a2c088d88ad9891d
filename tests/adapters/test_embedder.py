"""Vectors that may be compared: finite, of length 1, of the right number and dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from adapters.embedder import ROUNDING, normalised
from adapters.errors import EmbeddingError


@given(arrays(np.float64, (3, 4), elements=st.floats(-1e30, 1e30)))
def test_every_vector_has_length_1_or_none_is_given(vectors: Any) -> None:
    try:
        made = normalised(vectors, 3, 4)
    except EmbeddingError:
        assert not np.linalg.norm(vectors.astype(np.float32).astype(np.float64), axis=1).all()
        return
    assert made.dtype == np.float32
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=ROUNDING)


def test_directions_stay() -> None:
    assert normalised([[3.0, 4.0], [-2e-20, 0.0]], 2, 2).tolist() == [
        pytest.approx([0.6, 0.8]),
        pytest.approx([-1.0, 0.0]),
    ]


BAD: list[Any] = [
    [[0.0, 0.0]],
    [[float("nan"), 1.0]],
    [[float("inf"), 1.0]],
    [[1e300, 1.0]],
    [[10**400, 1]],
    [[1.0, 0.0], [0.0, 1.0]],
    [[1.0, 0.0, 0.0]],
    [[1.0], [1.0, 0.0]],
    [["one", "two"]],
    [[None, 1.0]],
    [{"a": 1}],
    None,
    "text",
    [],
]


@pytest.mark.parametrize("vectors", BAD, ids=lambda value: repr(value)[:30])
def test_what_is_no_such_vector_is_refused(vectors: Any) -> None:
    with pytest.raises(EmbeddingError):
        normalised(vectors, 1, 2)
