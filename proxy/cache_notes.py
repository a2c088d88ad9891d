"""What the doors of the cache want to know of earlier requests: a sink of events, in memory only."""

from __future__ import annotations

from typing import NamedTuple

from cachetools import LRUCache

from cache.recent import Recent
from cache.semantic_parts import route_of
from proxy.events import Event

ANSWERED = frozenset({"upstream", "l1", "l2", "semantic", "collapsed"})
SERVED = 10_000
"""Entries of the semantic cache of which it is known how they were served last."""


class Served(NamedTuple):
    route: str
    similarity: float | None
    score: float | None


class Notes:
    """`recent`: requests that were answered, whatever by: the next one may be held against what is in the cache as well
    as against what was missed. `served`: entries of the semantic cache by number, as they were served last."""

    def __init__(self, recent: Recent, most: int = SERVED) -> None:
        self.recent = recent
        self.served: LRUCache[int, Served] = LRUCache(most)

    def note(self, event: Event) -> None:
        """A request that a provider refused, and one that nobody counts a key for, is not remembered."""
        call, trace = event.call, event.trace
        if call is None or not call.key or call.dialect is None or call.warmup is not None:
            return
        if event.status >= 400 or event.source not in ANSWERED:
            return
        self.recent.note(call, event.at, trace.refused_to_store)
        near = trace.nearness
        if near is not None and near.entry and event.source == "semantic":
            self.served[near.entry] = Served(route_of(call), near.similarity, near.score)
