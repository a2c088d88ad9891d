"""What the cache keeps: one complete answer and the facts a hit has to tell about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from adapters.usage import Usage
from adapters.vocabulary import Headers

OVERHEAD = 700
"""Bytes that an entry takes in memory beside its body (measured: objects, key, table slots)."""

KEPT_HEADERS = frozenset({"content-type", "x-request-id", "openai-version", "openai-model"})
"""The only response headers that are stored. Everything else describes one exchange (dates, rate limits, cookies,
hop-by-hop lines) and would be untrue on a hit."""


class Shape(Enum):
    MESSAGE = "message"
    """The whole answer as JSON; serves whole and streaming requests."""
    FRAMES = "frames"
    """Event bytes as they came, where they don't fold without loss; serves streaming requests only."""
    ITEM = "item"
    """What the answer to a batch said of one input (`adapters.embeddings.Part`); serves batches only."""
    VALUE = "value"
    """What an application keeps itself, in its own form; serves no request of a model."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored answer. Times are wall-clock seconds, `cost` is US dollars (None: price unknown)."""

    key: bytes
    tenant: str
    namespace: str
    model: str
    shape: Shape
    status: int
    headers: Headers
    body: bytes
    with_usage: bool
    """False where the answer came as a stream whose client had not asked for usage: such an entry can't answer a
    request that must carry usage."""
    usage: Usage | None
    cost: float | None
    stored_at: float
    expires_at: float
    """The end of its freshness. A level may keep it longer, as stale."""
    labels: tuple[str, ...] = ()
    """Its tags and all that it depends on (`cache.labels`)."""
    took: float = 0.0
    """Seconds that its making took; 0: not known."""

    @property
    def size(self) -> int:
        """Bytes of memory, as the byte budgets count them."""
        return len(self.body) + OVERHEAD + (sum(map(len, self.labels)) if self.labels else 0)

    def fresh(self, now: float) -> bool:
        return now < self.expires_at

    def serves(self, *, stream: bool, wants_usage: bool) -> bool:
        """Whether this entry can answer a request of that form exactly as the upstream would."""
        if self.shape is Shape.ITEM or self.shape is Shape.VALUE:
            return False
        if self.shape is Shape.FRAMES:
            return stream and wants_usage == self.with_usage
        return self.with_usage or not wants_usage
