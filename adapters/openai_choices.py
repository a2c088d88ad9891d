"""Several chat completions as one with as many choices: whole answers, and streams while they come.

What an answer says of itself (`id`, `created`, `model`, ...) is the first one's; choices are numbered anew. Usage is
the sum: a provider that has no `n` reads, and bills, the prompt once for each answer, so that `prompt_tokens` counts it
as often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters.errors import Unfoldable
from adapters.openai_fold import DONE
from adapters.sse import Frame, frame_of

ITSELF = ("id", "created", "model", "system_fingerprint", "service_tier")
"""Members by which the chunks of one stream are known to belong together."""

_encode = msgspec.json.Encoder().encode


def merged(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The one answer that these make; raises `Unfoldable` where one of them has no choices."""
    choices: list[dict[str, Any]] = []
    for message in messages:
        found = message.get("choices")
        if not isinstance(found, list) or not found or not all(isinstance(choice, dict) for choice in found):
            raise Unfoldable("an answer has no choices")
        choices += [{**choice, "index": len(choices) + place} for place, choice in enumerate(found)]
    whole = {**messages[0], "choices": choices}
    usage = summed([message.get("usage") for message in messages])
    return whole | {"usage": usage} if "usage" in whole or usage is not None else whole


def summed(usages: Sequence[Any]) -> dict[str, Any] | None:
    """Counts added up, at every depth; None where one of the answers does not tell, because the sum would not be one.
    What is no count is the first one's that has it."""
    if not usages or not all(isinstance(usage, dict) and usage for usage in usages):
        return None
    total: dict[str, Any] = {}
    for usage in usages:
        total = _added(total, usage)
    return total


def _added(total: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(total)
    for name, value in more.items():
        seen = result.get(name)
        if seen is None:
            result[name] = value
        elif isinstance(seen, dict) and isinstance(value, dict):
            result[name] = _added(seen, value)
        elif _number(seen) and _number(value):
            result[name] = seen + value
    return result


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Merger:
    """One stream made of `count` streams: a state machine. Its terminal event comes when all have sent theirs."""

    def __init__(self, count: int) -> None:
        self._open = set(range(count))
        self._usages: list[Any] = [None] * count
        self._itself: dict[str, Any] = {}
        self._indices: dict[tuple[int, int], int] = {}
        self._taken: set[int] = set()
        self._count = count

    def feed(self, place: int, frame: Frame) -> list[Frame]:
        """The events for the client; those that carry nothing but usage are kept back for the sum at the end."""
        data = frame.data
        if data == b"[DONE]":
            return self._end(place)
        try:
            chunk = frame.json() if data else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            chunk = None
        if not isinstance(chunk, dict) or chunk.get("error") is not None:
            return [frame]  # a comment, an error, or what nobody can read: not ours to change
        if not self._itself and chunk.get("id"):
            self._itself = {name: chunk[name] for name in ITSELF if name in chunk}
        if isinstance(chunk.get("usage"), dict):
            self._usages[place] = chunk["usage"]
            if chunk.get("choices") == []:
                return []
            chunk = {**chunk, "usage": None}
        return [self._renamed(place, chunk)]

    def _renamed(self, place: int, chunk: dict[str, Any]) -> Frame:
        ours = {name: value for name, value in self._itself.items() if name in chunk}
        choices = chunk.get("choices")
        if isinstance(choices, list):
            ours["choices"] = [
                {**choice, "index": self._index(place, choice.get("index"))} if isinstance(choice, dict) else choice
                for choice in choices
            ]
        try:
            return frame_of(_encode(chunk | ours))
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            raise Unfoldable("an event can't be encoded") from error

    def _index(self, place: int, index: Any) -> int:
        """The first choice of each answer has the answer's own place; more of them, which nobody asked for, come
        behind."""
        known = (place, index if type(index) is int else 0)
        if known not in self._indices:
            free = place if place not in self._taken else max(self._count, *(taken + 1 for taken in self._taken))
            self._indices[known] = free
            self._taken.add(free)
        return self._indices[known]

    def _end(self, place: int) -> list[Frame]:
        if place not in self._open:
            return []
        self._open.discard(place)
        if self._open:
            return []
        usage = summed(self._usages)
        if usage is None:
            return [DONE]
        told = {"object": "chat.completion.chunk", **self._itself, "choices": [], "usage": usage}
        return [frame_of(_encode(told)), DONE]


class OpenAIChoices:
    """`warming.several.Joining`, chat completions."""

    merged = staticmethod(merged)
    stream = Merger


OPENAI_CHOICES = OpenAIChoices()
