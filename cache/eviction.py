"""Who goes first when something is full: the orders `lru`, `lfu`, `fifo` and `ttl`. Pure; the same for memory and disk.

An order knows slots, not what is kept in them. It gives its first away (`pop`), which then either leaves (`discard`) or
comes `back`, where it could not be dropped after all: a disk may refuse. Each of these takes constant time, or that of
a heap. `cache.room` keeps the orders, the sums and the budgets together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Generic, Protocol, TypeVar

from cache.level import Eviction, Share

FAVOUR = 16
"""Uses that count at most where the least often used goes first. Every one of them keeps an entry that nobody reads any
more for about one exchange of the whole content. On a Zipf sequence (0.9; 20,000 keys, 1,000 places) 16 hit 0.528 of
the time, without a bound 0.529, with 4 it is 0.509; where all popularities change every 25,000 requests 0.489, 0.476
and 0.497."""


class Part:
    """A namespace: what it holds, and what it may hold."""

    __slots__ = ("bytes", "entries", "evictions", "hits", "max_bytes", "max_size", "misses", "name", "shared", "ttl")

    def __init__(self, name: str, share: Share | None = None) -> None:
        self.name, self.shared = name, share is not None
        size, room, ttl = share or Share()
        self.max_size: float = inf if size is None else size
        self.max_bytes: float = inf if room is None else room
        self.ttl = ttl
        self.entries = self.bytes = self.hits = self.misses = self.evictions = 0

    def told(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("entries", "bytes", "hits", "misses", "evictions")}


class Slot:
    """One thing that is kept. Two are never equal."""

    __slots__ = ("ends", "key", "part", "serial", "size", "there")

    def __init__(self, key: bytes, size: int, ends: float, part: Part) -> None:
        self.key, self.size, self.part = key, size, part
        self.ends = ends
        """Seconds; it is of no use from then on."""
        self.there = False
        """Whether a room knows it; `serial` is its place in the sequence of all that came."""
        self.serial = 0


S = TypeVar("S", bound=Slot)


class Order(Protocol[S]):
    """The sequence in which slots leave."""

    def add(self, slot: S, uses: int) -> None:
        """As the latest; `uses` is what `discard` said of the one that it replaces."""

    def touch(self, slot: S) -> None:
        """It was read."""

    def discard(self, slot: S) -> int:
        """It is gone: how often it was used, as far as that is counted."""

    def pop(self) -> S | None:
        """The first, which is out of the order until it is `discard`ed or comes `back`."""

    def back(self, slot: S) -> None:
        """As it was before `pop`. Several come back in the reverse order."""


class Fifo(Generic[S]):
    """The first that was kept; one that was replaced is kept anew."""

    def __init__(self) -> None:
        self._slots: OrderedDict[S, None] = OrderedDict()

    def add(self, slot: S, uses: int) -> None:
        self._slots[slot] = None

    def touch(self, slot: S) -> None:
        return

    def discard(self, slot: S) -> int:
        self._slots.pop(slot, None)
        return 0

    def pop(self) -> S | None:
        return self._slots.popitem(last=False)[0] if self._slots else None

    def back(self, slot: S) -> None:
        self._slots[slot] = None
        self._slots.move_to_end(slot, last=False)


class Lru(Fifo[S]):
    """The least recently read."""

    def __init__(self) -> None:
        super().__init__()
        self.touch = self._slots.move_to_end  # type: ignore[assignment]  # a frame less for every hit


class Lfu(Generic[S]):
    """The least often read, of those the least recently; an entry that was replaced keeps its standing.

    Ageing as in LFU-DA (Arlitt, Cherkasova, Dilley, Friedrich, Jin: Evaluating content management techniques for Web
    proxy caches, 2000): a slot's rank is its uses and the age of the whole, which is the rank of the last one that
    left. So what comes today stands above what was as popular long ago. Uses count up to `FAVOUR`.
    """

    def __init__(self, favour: int = FAVOUR) -> None:
        self._favour = favour
        self._standing: dict[S, tuple[int, int]] = {}
        """Uses and rank."""
        self._ranks: dict[int, OrderedDict[S, None]] = {}
        self._lowest: list[int] = []
        """A heap of ranks, some of them empty by now."""
        self._age = 0

    def add(self, slot: S, uses: int) -> None:
        uses = min(uses + 1, self._favour)
        rank = uses + self._age
        self._standing[slot] = uses, rank
        self._rank(rank)[slot] = None

    def touch(self, slot: S) -> None:
        self.add(slot, self._take(slot))

    def discard(self, slot: S) -> int:
        uses = self._take(slot)
        del self._standing[slot]
        return uses

    def pop(self) -> S | None:
        while self._lowest and self._lowest[0] not in self._ranks:
            heappop(self._lowest)
        if not self._lowest:
            return None
        rank = self._lowest[0]
        slot = next(iter(self._ranks[rank]))
        self._take(slot)
        self._age = max(self._age, rank)
        return slot

    def back(self, slot: S) -> None:
        slots = self._rank(self._standing[slot][1])
        slots[slot] = None
        slots.move_to_end(slot, last=False)

    def _take(self, slot: S) -> int:
        uses, rank = self._standing[slot]
        slots = self._ranks.get(rank)
        if slots is not None:
            slots.pop(slot, None)
            if not slots:
                del self._ranks[rank]
        return uses

    def _rank(self, rank: int) -> OrderedDict[S, None]:
        slots = self._ranks.get(rank)
        if slots is None:
            slots = self._ranks[rank] = OrderedDict()
            heappush(self._lowest, rank)
            if len(self._lowest) > 2 * len(self._ranks) + 64:
                self._lowest = list(self._ranks)
                heapify(self._lowest)
        return slots


class Ttl(Generic[S]):
    """The next to expire, of those the one that came first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, S]] = []
        """Some of them are gone by now."""
        self._count = 0

    def add(self, slot: S, uses: int) -> None:
        self._count += 1
        self.back(slot)
        if len(self._heap) > 2 * self._count + 64:
            self._heap = [item for item in self._heap if item[2].there]
            heapify(self._heap)

    def touch(self, slot: S) -> None:
        return

    def discard(self, slot: S) -> int:
        self._count -= 1
        return 0

    def pop(self) -> S | None:
        heap = self._heap
        while heap:
            slot = heappop(heap)[2]
            if slot.there:
                return slot
        return None

    def due(self, now: float) -> S | None:
        """The first, if its time is up: as `pop`."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            slot = heappop(heap)[2]
            if slot.there:
                return slot
        return None

    def back(self, slot: S) -> None:
        heappush(self._heap, (slot.ends, slot.serial, slot))


ORDERS: Mapping[Eviction, Callable[[], Order[Any]]] = {"lru": Lru, "lfu": Lfu, "fifo": Fifo, "ttl": Ttl}
