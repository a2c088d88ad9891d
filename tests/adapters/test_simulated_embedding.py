import base64
import math
import struct
from typing import Any

import pytest

from adapters.simulated_embedding import DIMENSIONS, embeddings, objection


def ask(given: Any = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "sim-embedding", "input": given, **more}


def vectors(body: dict[str, Any], seed: int = 0) -> list[list[float]]:
    assert objection(body) is None
    return [item["embedding"] for item in embeddings(body, seed)["data"]]


def test_vectors_are_of_unit_length_and_follow_from_seed_model_and_input() -> None:
    first, second, again = vectors(ask(["hello", "world", "hello"]))
    assert len(first) == DIMENSIONS
    assert math.isclose(math.hypot(*first), 1)
    assert first == again
    assert abs(sum(a * b for a, b in zip(first, second, strict=True))) < 0.5
    assert vectors(ask(), seed=1)[0] != first
    assert vectors(ask(model="other"))[0] != first


def test_base64_holds_the_same_numbers_as_32_bit_floats() -> None:
    (plain,) = vectors(ask(dimensions=16))
    (packed,) = (item["embedding"] for item in embeddings(ask(dimensions=16, encoding_format="base64"), 0)["data"])
    assert struct.unpack("<16f", base64.b64decode(packed)) == pytest.approx(plain, abs=1e-7)


def test_tokens_count_as_themselves() -> None:
    answer = embeddings(ask([[1, 2, 3], [4]]), 0)
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert [item["index"] for item in answer["data"]] == [0, 1]
    assert len(embeddings(ask([1, 2, 3]), 0)["data"]) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        (ask(None), "input"),
        (ask(""), "input"),
        (ask([]), "input"),
        (ask([[]]), "input"),
        (ask(["x", 1]), "input"),
        (ask(dimensions=0), "dimensions"),
        (ask(encoding_format="hex"), "encoding_format"),
    ],
)
def test_what_a_provider_would_refuse(body: dict[str, Any], param: str) -> None:
    refused = objection(body)
    assert refused is not None
    assert refused[1] == param
