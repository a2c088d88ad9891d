"""Hits and misses, in all and by namespace. Pure."""

from __future__ import annotations

from typing import Any

from cachetools import LRUCache

COUNTED = 1000
"""Namespaces that are counted apart: those asked for last."""


class Tallies:
    def __init__(self, counted: int = COUNTED) -> None:
        self.hits = self.misses = 0
        self._within: LRUCache[str, list[int]] = LRUCache(counted)

    def count(self, namespace: str, *, hit: bool) -> None:
        counts = self._within.get(namespace)
        if counts is None:
            counts = self._within[namespace] = [0, 0]
        counts[not hit] += 1
        self.hits += hit
        self.misses += not hit

    @property
    def hit_rate(self) -> float:
        return rate(self.hits, self.misses)

    def namespaces(self) -> dict[str, dict[str, Any]]:
        return {
            name: {"hits": hits, "misses": misses, "hit_rate": rate(hits, misses)}
            for name, (hits, misses) in self._within.items()
        }


def rate(hits: int, misses: int) -> float:
    """A part of 1; 0 where nobody asked."""
    return hits / (hits + misses) if hits + misses else 0.0
