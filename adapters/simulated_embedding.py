"""Embeddings of the simulated provider: unit vectors that follow from the seed, the model and the input."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Mapping
from typing import Any

from adapters.tokens import estimate

DIMENSIONS = 256
"""Of a vector where the request does not say."""

MOST = 3072
"""Dimensions that can be asked for."""


def objection(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why a provider would answer 400, and the parameter at fault; None where it would not."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        return "you must provide a model parameter", "model"
    if _inputs(body) is None:
        return "Invalid 'input': expected a string, an array of strings or arrays of tokens, none of it empty", "input"
    dimensions = body.get("dimensions")
    if dimensions is not None and (type(dimensions) is not int or not 1 <= dimensions <= MOST):
        return f"Invalid 'dimensions': expected an integer of 1 to {MOST}", "dimensions"
    if body.get("encoding_format") not in (None, "float", "base64"):
        return "Invalid 'encoding_format': expected 'float' or 'base64'", "encoding_format"
    return None


def embeddings(body: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The answer to a request without `objection`; base64 holds little-endian 32-bit floats, as OpenAI's does."""
    size = body.get("dimensions") or DIMENSIONS
    inputs = _inputs(body) or []
    vectors = [vector(f"{seed}:{body['model']}:{text}", size) for text in inputs]
    encoded: list[Any] = vectors
    if body.get("encoding_format") == "base64":
        encoded = [base64.b64encode(struct.pack(f"<{size}f", *values)).decode() for values in vectors]
    tokens = sum(len(text) if isinstance(text, tuple) else estimate(text) for text in inputs)
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": place, "embedding": each} for place, each in enumerate(encoded)],
        "model": body["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def vector(text: str, size: int) -> list[float]:
    """A point on the unit sphere; different texts have nothing to do with each other, however alike they are."""
    drawn = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(4 * size)
    values = [number / 2**31 - 1 + 2**-32 for (number,) in struct.iter_unpack("<I", drawn)]
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values]


def _inputs(body: Mapping[str, Any]) -> list[str | tuple[int, ...]] | None:
    """Each input as a text or as its tokens; None where there are none or one is neither."""
    given = body.get("input")
    if isinstance(given, str) or (isinstance(given, list) and given and all(type(item) is int for item in given)):
        given = [given]
    if not isinstance(given, list) or not given:
        return None
    inputs: list[str | tuple[int, ...]] = []
    for item in given:
        if isinstance(item, str) and item:
            inputs.append(item)
        elif isinstance(item, list) and item and all(type(token) is int for token in item):
            inputs.append(tuple(item))
        else:
            return None
    return inputs
