"""The dialect of OpenAI's embeddings, as spoken by OpenAI and by everybody who copied it (read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.body import decoded, mapping
from adapters.errors import Refused, Unfoldable
from adapters.openai_chat import OPENAI_CHAT
from adapters.question import Question
from adapters.sse import Frame
from adapters.usage import Usage, count
from adapters.vocabulary import Dialect

MOST_ITEMS = 2048
"""Inputs of one request (OpenAI, API reference of embeddings, read 2026-11)."""

WANTED = "`input` must be a string, an array of strings, an array of token ids or an array of such arrays, none empty"


class OpenAIEmbeddings:
    """`adapters.vocabulary.Dialect`, embeddings. There are no streams of them."""

    name = "openai-embeddings"
    events: frozenset[str] = frozenset()

    # Errors have one form on all of OpenAI's routes.
    error = staticmethod(OPENAI_CHAT.error)
    error_frame = staticmethod(OPENAI_CHAT.error_frame)
    is_end = staticmethod(OPENAI_CHAT.is_end)
    is_error = staticmethod(OPENAI_CHAT.is_error)

    def parse(self, raw: bytes) -> dict[str, Any]:
        """Checks what the proxy itself reads; every other member is the provider's to judge."""
        body = decoded(raw)
        model, encoding = body.get("model"), body.get("encoding_format")
        if type(model) is not str or not model:
            raise Refused(400, "`model` must be a non-empty string", param="model")
        _check_input(body.get("input"))
        if encoding is not None and type(encoding) is not str:
            raise Refused(400, "`encoding_format` must be a string", param="encoding_format")
        return body

    def stateful(self, body: Mapping[str, Any]) -> str:
        return ""

    def question(self, body: Mapping[str, Any]) -> Question:
        """None: a vector is one of this very text."""
        return Question(exact="embeddings")

    def wants_stream(self, body: Mapping[str, Any]) -> bool:
        return False

    def wants_usage(self, body: Mapping[str, Any]) -> bool:
        return False

    def fold(self, frames: Sequence[Frame]) -> dict[str, Any]:
        raise Unfoldable("embeddings do not come as a stream")

    def unfold(self, message: Mapping[str, Any], *, usage: bool) -> list[Frame]:
        raise Unfoldable("embeddings do not come as a stream")

    def usage(self, message: Mapping[str, Any]) -> Usage | None:
        """None where the counts are absent or no counts. Some providers give the total only, which is the same."""
        usage = mapping(message.get("usage"))
        if not any(type(usage.get(name)) is int for name in ("prompt_tokens", "total_tokens")):
            return None
        return Usage(uncached=count(usage, "prompt_tokens") or count(usage, "total_tokens"))

    def stream_usage(self, frames: Sequence[Frame]) -> Usage | None:
        return None

    def is_usage_only(self, frame: Frame) -> bool:
        return False

    def objection(self, message: Mapping[str, Any]) -> str:
        """How many embeddings there have to be, only who has seen the request can tell."""
        if message.get("error") is not None:
            return "error"
        data = message.get("data")
        if not isinstance(data, list) or not data:
            return "no embeddings"
        indices: list[Any] = [mapping(item).get("index") for item in data]
        if set(map(type, indices)) != {int} or sorted(indices) != list(range(len(indices))):
            return "embeddings are not numbered"
        return "" if all(_is_vector(item.get("embedding")) for item in data) else "no vector"

    def is_content(self, frame: Frame) -> bool:
        return False

    def frames_objection(self, frames: Sequence[Frame]) -> str:
        return "a stream"

    def finish(self, message: Mapping[str, Any]) -> str:
        return ""

    def plain_text(self, message: Mapping[str, Any]) -> str | None:
        return None


def _is_vector(value: Any) -> bool:
    """Numbers, or the base64 of some."""
    if isinstance(value, list):
        return bool(value) and set(map(type, value)) <= {float, int}
    return isinstance(value, str) and bool(value)


def _check_input(given: Any) -> None:
    if type(given) is str and given:
        return
    if type(given) is not list or not given:
        raise Refused(400, WANTED, param="input")
    kind = type(given[0])
    if kind is int and set(map(type, given)) == {int}:
        return
    if len(given) > MOST_ITEMS:
        raise Refused(400, f"`input` must not have more than {MOST_ITEMS} items", param="input")
    for place, item in enumerate(given):
        tokens = kind is list and type(item) is list and set(map(type, item)) == {int}
        if not tokens and not (kind is str and type(item) is str and item):
            raise Refused(400, WANTED, param=f"input[{place}]")


OPENAI_EMBEDDINGS: Dialect = OpenAIEmbeddings()
