"""What the semantic cache stands on, and the values that pass through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from adapters.embedder import Matrix
from adapters.vocabulary import Call
from cache.audit import Records
from cache.decide import NEAR
from cache.entry import Entry
from cache.freshness import SECONDS
from cache.level import Valid, always
from cache.near import Kept, Near
from cache.scope import MARKERS
from cache.verdict import Verdict


class Store(Records, Protocol):
    def holds(self, scope: bytes) -> int: ...
    async def near(self, scope: bytes, vector: Matrix, k: int) -> list[Near]: ...
    async def put(self, kept: Kept, valid: Valid = always) -> int: ...


class Marks(Protocol):
    """What was invalidated when: the levels know."""

    def mark(self) -> int: ...

    def valid(self, entry: Entry, mark: int) -> Valid:
        """Asked in the transaction that keeps an entry whose making began at that mark."""

    def serves(self, entry: Entry, mark: int) -> bool:
        """Whether nothing that is known speaks against what was read from that mark on."""


class Options(NamedTuple):
    mode: str = "shadow"
    """`off`, `shadow`, `on`; a route may say otherwise."""
    candidates: int = NEAR
    markers: Sequence[str] = MARKERS
    """Of context that is personal or was retrieved; a request that holds one is exact only."""
    ttl: Mapping[str, float] = SECONDS
    """Seconds by category of question."""


class Asked(NamedTuple):
    """What is asked, and where an answer may be looked for."""

    text: str
    scope: bytes
    route: str


class Found(NamedTuple):
    vector: Matrix | None = None
    verdict: Verdict | None = None
    """None where nothing was looked for, or it failed."""
    why: str = ""
    seconds: float = 0.0
    spent: float = 0.0


NOTHING = Found()


def route_of(call: Call) -> str:
    """What reports tell apart, and what the breaker opens: the endpoint and the model."""
    return f"{call.target.partition('?')[0].strip('/')} {call.model}"
