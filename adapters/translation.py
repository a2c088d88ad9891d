"""Between the dialect that a client speaks and the one that a provider speaks: what every translation has to offer.

A translation is a set of pure functions: equal arguments, equal bytes. That is what keeps a provider's prompt cache
alive behind one, because the next turn of a conversation must render its earlier turns to the very bytes of before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from adapters.sse import Frame
from adapters.vocabulary import Dialect, Sent


class Terms(NamedTuple):
    """What the configuration says of an upstream that is spoken to in translation."""

    model: str
    """The model's name at the provider."""
    version: str = "2026-10-21"
    """`anthropic-version`: from 2026-10-21 on sampling parameters are an error (Anthropic, read 2026-11)."""
    max_tokens: int | None = None
    """Where the client names no limit and the provider demands one; None: the most that the model can."""
    strict: bool = False
    """Whether a parameter that has no equivalent is an error instead of a warning."""
    reasoning: bool = False
    """Whether thinking is shown to clients of chat completions as `reasoning_content`."""


class Turned(Protocol):
    """The stream of one answer on its way into the other dialect; a state machine."""

    def feed(self, frame: Frame) -> list[Frame]:
        """The client's events for this event of the provider; often one, sometimes none. The provider's terminal event
        gives the client's terminal events, its error event the client's. Events that nobody knows give nothing."""


class Translation(Protocol):
    client: Dialect
    provider: Dialect

    def request(self, body: Mapping[str, Any], terms: Terms) -> Sent:
        """Raises `Refused` (400, with `param`) for what can't be said to this provider and may not be left out."""

    def answer(self, message: Mapping[str, Any], terms: Terms, now: float) -> dict[str, Any]:
        """The whole answer in the client's dialect; `now` in epoch seconds, for answers that carry their time. Raises
        `Unfoldable` where the message is no answer."""

    def stream(self, terms: Terms, now: float) -> Turned: ...

    def error(self, status: int, body: bytes, request_id: str) -> tuple[int, bytes]:
        """Status and JSON body that the client is told; `body` may be anything, also no JSON."""
