"""L1: answers in the memory of this process, each until its time is up or others need its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adapters.vocabulary import Clock
from cache.entry import Entry
from cache.eviction import Part, Slot
from cache.invalidation import Invalidation
from cache.level import Evicted, Eviction, Share
from cache.room import Room, at_least_0


class _Elapsed:
    """Seconds that have passed, by a clock that may be set back: such a step counts as no time at all.

    Taking the latest time seen instead would keep everything fresh until the clock has caught up again.
    """

    __slots__ = ("_clock", "_last", "behind")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock()
        self.behind = 0.0
        """By how much the clock was set back in all."""

    def __call__(self) -> float:
        now = self._clock()
        if now < self._last:
            self.behind += self._last - now
        self._last = now
        return now + self.behind


class _Kept(Slot):
    """An entry; `fresh` until then, in seconds that have passed."""

    __slots__ = ("entry", "fresh")

    def __init__(self, entry: Entry, size: int, fresh: float, ends: float, part: Part) -> None:
        super().__init__(entry.key, size, ends, part)
        self.entry, self.fresh = entry, fresh


class Memory:
    """Entries within two budgets, one in entries and one in bytes (`Entry.size`), for at most `ttl` seconds each and
    `grace` seconds more.

    What is in its grace is given as well, with an end that is past: who asks looks whether it is `fresh`. It counts as
    a miss, and not as read. `evicted` is given what is dropped for want of room before its own end; not what is
    replaced, deleted or over. Raises ValueError for numbers below 0 and an order that there is not.
    """

    def __init__(
        self,
        max_size: int,
        max_bytes: int,
        ttl: float,
        clock: Clock,
        *,
        eviction: Eviction = "lru",
        shares: Mapping[str, Share] | None = None,
        grace: float = 0.0,
        evicted: Evicted | None = None,
    ) -> None:
        at_least_0("ttl", ttl)
        at_least_0("grace", grace)
        self.ttl, self.grace = ttl, grace
        self.evicted = evicted
        self.hits = self.misses = self.evictions = self._expirations = 0
        self._kept: dict[bytes, _Kept] = {}
        self._room: Room[_Kept] = Room(max_size, max_bytes, eviction, shares)
        self._elapsed = _Elapsed(clock)

    # Reading

    def get(self, key: bytes) -> Entry | None:
        """The entry, None where there is none or its time is up."""
        hits = self.hits
        entry = self.peek(key)
        if self.hits == hits:
            self.misses += 1
            slot = self._kept.get(key)
            if slot is not None:
                slot.part.misses += 1
        return entry

    def holds(self, key: bytes) -> bool:
        """Whether it is there; asking changes nothing and counts as nothing."""
        slot = self._kept.get(key)
        return slot is not None and self._elapsed() < slot.ends

    def peek(self, key: bytes) -> Entry | None:
        """As `get`, but a miss is not counted: for whoever will ask again."""
        slot = self._kept.get(key)
        if slot is None:
            return None
        now = self._elapsed()
        if now >= slot.fresh:
            return self._stale(slot, now)
        self.hits += 1
        slot.part.hits += 1
        self._room.touch(slot)
        return slot.entry

    def look(self, key: bytes) -> Entry | None:
        """As `get`, but nothing is counted, and it is not the one used last: for whoever only wants to know."""
        slot = self._kept.get(key)
        if slot is None:
            return None
        now = self._elapsed()
        return slot.entry if now < slot.fresh else self._stale(slot, now)

    def held(self) -> list[bytes]:
        """The keys of all that there are."""
        self._expire(self._elapsed())
        return list(self._kept)

    def _stale(self, slot: _Kept, now: float) -> Entry | None:
        if now >= slot.ends:
            return None
        end = slot.fresh - self._elapsed.behind
        return slot.entry if slot.entry.expires_at <= end else replace(slot.entry, expires_at=end)

    # Writing

    def put(self, entry: Entry) -> bool:
        """Whether it is kept: one that exceeds a budget by itself, or is expired, is not, nor is what it replaces."""
        room, key, size = self._room, entry.key, entry.size
        now = self._elapsed()
        self._expire(now)
        part = room.part(entry.namespace)
        fresh = min(now + (self.ttl if part.ttl is None else part.ttl), entry.expires_at + self._elapsed.behind)
        old = self._kept.pop(key, None)
        uses = 0 if old is None else room.drop(old)
        if not now < fresh or not room.fits(part, size):
            return False
        dropped: list[Entry] = []
        while (first := room.first_out(part, size)) is not None:
            self._evict(first, now, dropped)
        ends = fresh + self.grace if self.grace else fresh  # one number less for every entry
        slot = self._kept[key] = _Kept(entry, size, fresh, ends, part)
        room.add(slot, uses)
        self._tell(dropped)
        return True

    def delete(self, key: bytes) -> bool:
        """Whether there was one."""
        self._expire(self._elapsed())
        slot = self._kept.pop(key, None)
        if slot is None:
            return False
        self._room.drop(slot)
        return True

    def invalidate(self, what: Invalidation) -> set[bytes]:
        """The keys of what it covers, which is gone. Looks at all there is, but where only keys are named."""
        self._expire(self._elapsed())
        kept, keys, labels, namespaces = self._kept, set(what.keys), set(what.labels), set(what.namespaces)
        if not (what.everything or labels or namespaces):
            slots = [kept[key] for key in keys if key in kept]
        else:
            slots = [
                slot
                for key, slot in kept.items()
                if what.everything
                or slot.part.name in namespaces
                or key in keys
                or (labels and not labels.isdisjoint(slot.entry.labels))
            ]
        gone = [slot for slot in slots if what.tenant is None or slot.entry.tenant == what.tenant]
        for slot in gone:
            del kept[slot.key]
            self._room.drop(slot)
        return {slot.key for slot in gone}

    def clear(self) -> int:
        """How many there were."""
        count = len(self)
        self._kept.clear()
        self._room.clear()
        return count

    def resize(self, max_size: int) -> int:
        """From now on so many entries; how many had to go. Raises ValueError for a number below 0."""
        at_least_0("max_size", max_size)
        now = self._elapsed()
        self._expire(now)
        self._room.max_size = max_size
        dropped: list[Entry] = []
        before = self.evictions
        while self._room.entries > max_size and (first := self._room.order.pop()) is not None:
            self._evict(first, now, dropped)
        self._tell(dropped)
        return self.evictions - before

    def _evict(self, slot: _Kept, now: float, dropped: list[Entry]) -> None:
        del self._kept[slot.key]
        self._room.drop(slot)
        self.evictions += 1
        slot.part.evictions += 1
        if now < slot.entry.expires_at + self._elapsed.behind:
            dropped.append(slot.entry)

    def _tell(self, dropped: list[Entry]) -> None:
        if dropped and self.evicted is not None:
            self.evicted(dropped)

    def _expire(self, now: float) -> None:
        while (slot := self._room.due.due(now)) is not None:
            del self._kept[slot.key]
            self._room.drop(slot)
            self._expirations += 1

    # How much there is

    @property
    def max_size(self) -> int:
        return self._room.max_size

    @property
    def max_bytes(self) -> int:
        return self._room.max_bytes

    def __len__(self) -> int:
        self._expire(self._elapsed())
        return len(self._kept)

    @property
    def bytes(self) -> int:
        self._expire(self._elapsed())
        return self._room.bytes

    @property
    def expirations(self) -> int:
        self._expire(self._elapsed())
        return self._expirations

    def namespaces(self) -> dict[str, dict[str, int]]:
        """Of each: entries, bytes, hits, evictions, and of the misses those that found one whose time was up; of what
        was never there nobody knows the namespace. Of those with nothing in them only the latest are remembered."""
        self._expire(self._elapsed())
        return {part.name: part.told() for part in self._room.parts()}

    def stats(self) -> dict[str, int]:
        return {
            "entries": len(self),
            "bytes": self.bytes,
            "hits": self.hits,
            "misses": self.misses,
            "evictions": self.evictions,
            "expirations": self.expirations,
            "errors": 0,
        }
