"""What the levels below memory have in common, whatever they are made of: a local disk, a Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from cache.entry import Entry
from cache.invalidation import Invalidation

Eviction = Literal["lru", "lfu", "fifo", "ttl"]
"""Who goes first when a level is full: the least recently read, the least often read, the first kept, the next to
expire."""

Valid = Callable[[], bool]
"""Asked where a write can't be overtaken any more (in the transaction): False, and nothing is written."""

Evicted = Callable[[list[Entry]], None]
"""Is given what a level drops for want of room while it is fresh. Called on the event loop."""


def always() -> bool:
    return True


class Share(NamedTuple):
    """What one namespace may take of a level. Without one it competes with all others for the whole."""

    max_size: int | None = None
    """Entries."""
    max_bytes: int | None = None
    ttl: float | None = None
    """Seconds, in place of the level's."""


class Level(Protocol):
    """Nothing here raises what a disk or a network does, nor takes longer than its patience: then `get` is None, `put`
    False. An entry is kept until `min(now + ttl, entry.expires_at) + grace`; who asks looks whether it is fresh."""

    name: str
    """`l2` or `l3`."""
    ttl: float

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    def might_have(self, key: bytes) -> bool:
        """Known at once; False is certain, but for what others wrote a moment ago."""

    async def get(self, key: bytes) -> Entry | None: ...

    async def look(self, key: bytes) -> Entry | None:
        """As `get`, but nothing is counted, and it does not count as read."""

    async def put(self, entry: Entry, valid: Valid = always, *, only_new: bool = False) -> bool:
        """True once it is safe there. `only_new`: where there is one already it stays, and that is True as well."""

    async def delete(self, key: bytes) -> bool:
        """Whether there was one, and it is gone for everybody."""

    async def invalidate(self, what: Invalidation) -> set[bytes] | None:
        """Removes what that covers: the keys; None where it could not be done. Takes as long as it takes."""

    def stats(self) -> dict[str, int]:
        """entries, bytes, hits, misses, evictions, expirations, errors, and more of its own."""
