"""What replicas tell each other, as the rest of the cache sees it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from cache.invalidation import Invalidation


class Reached(NamedTuple):
    """How far an invalidation has come."""

    complete: bool
    """No replica serves any more what it covers."""
    missing: tuple[str, ...] = ()
    """Replicas that have not confirmed it, and may still serve for the rest of their lease."""
    why: str = ""


class Replicas(Protocol):
    """The other replicas. Nothing here raises what a network does."""

    @property
    def trusted(self) -> bool:
        """False while this replica may have missed an invalidation that others count as done: its lease is over, and it
        has not caught up. Then nothing of its own levels is served. Asked before every look; costs next to nothing."""

    async def publish(self, what: Invalidation) -> Reached:
        """Tells all others, and waits until they have confirmed, are known to be gone, or have no time left."""


class Nobody:
    """For a process without replicas."""

    trusted = True

    async def publish(self, what: Invalidation) -> Reached:
        return Reached(complete=True)
