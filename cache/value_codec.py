"""Values of an application as bytes and back: bytes, text, or anything that JSON can say, each given back as its kind.
Pure."""

from __future__ import annotations

import json
from typing import Any

from adapters.vocabulary import Headers

BYTES, TEXT, JSON = "application/octet-stream", "text/plain; charset=utf-8", "application/json"

TYPE_LINE = "Content-Type"


def encoded(value: Any) -> tuple[str, bytes]:
    """Its content type, and its bytes. Raises TypeError for what would not come back as it is: objects, tuples, sets,
    numbers that are none, keys that are no text."""
    if isinstance(value, bytes):
        return BYTES, value
    if isinstance(value, str):
        return TEXT, value.encode(errors="surrogatepass")
    told = "a value is bytes, a text, or anything that JSON can say"
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        same = bool(json.loads(text) == value)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{told}: {error}") from None
    if not same:
        raise TypeError(
            "a value is bytes, a text, or anything that JSON can say: lists instead of tuples, texts as keys"
        )
    return JSON, text.encode()


def decoded(headers: Headers, body: bytes) -> Any:
    """The value; bytes where they are of a kind that this program did not write, or not what they claim to be."""
    kind = next((value for name, value in headers if name.lower() == "content-type"), BYTES)
    try:
        if kind == TEXT:
            return body.decode(errors="surrogatepass")
        if kind.partition(";")[0].strip().lower() == JSON:
            return json.loads(body)
    except (ValueError, RecursionError):
        return body
    return body
