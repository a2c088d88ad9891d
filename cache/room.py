"""What is kept within budgets: how much there is, who goes first, and whose time is up. Pure.

Theory of operation. Whoever keeps things gives each a `Slot` and tells the room of it: when it comes, is read, and
goes. The room holds two sums, entries and bytes, for the whole and for each namespace (`Part`), and two or three
orders: the one in which slots leave when there is no room (`cache.eviction`), the one in which their time ends, and for
a namespace that has a share of its own the first again, among its own only. A share bounds and does not reserve: what
is in it competes with all others for the whole as well. For one thread at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic

from cache.eviction import ORDERS, Order, Part, S, Ttl
from cache.level import Eviction, Share

EMPTY = 100
"""Namespaces with nothing in them whose counts are remembered. Clients may name them at will."""


class Room(Generic[S]):
    """What there is, what it takes, and who goes first.

    Raises ValueError for a budget that is negative and for an order that there is not.
    """

    def __init__(
        self, max_size: int, max_bytes: int, eviction: Eviction = "lru", shares: Mapping[str, Share] | None = None
    ) -> None:
        shares = shares or {}
        if eviction not in ORDERS:
            raise ValueError(f"no order of eviction is called {eviction!r}: there are {', '.join(ORDERS)}")
        for where, size, room in (
            ("", max_size, max_bytes),
            *((f" of {name!r}", *shares[name][:2]) for name in shares),
        ):
            at_least_0(f"max_size{where}", size)
            at_least_0(f"max_bytes{where}", room)
        for name, share in shares.items():
            at_least_0(f"ttl of {name!r}", share.ttl)
        self.max_size, self.max_bytes, self.eviction = max_size, max_bytes, eviction
        self.entries = self.bytes = 0
        self.due: Ttl[S] = Ttl()
        self.order: Order[S] = self.due if eviction == "ttl" else ORDERS[eviction]()
        self._orders: dict[str, Order[S]] = {name: ORDERS[eviction]() for name in shares}
        self._parts = {name: Part(name, share) for name, share in shares.items()}
        self._empty: OrderedDict[str, None] = OrderedDict()
        """Parts without a share in which nothing is, the longest empty first."""
        self._serial = 0

    def part(self, namespace: str) -> Part:
        """To be filled at once: an empty one is not known for ever."""
        part = self._parts.get(namespace)
        if part is None:
            part = self._parts[namespace] = Part(namespace)
            self._note_empty(part)
        return part

    def parts(self) -> list[Part]:
        """Of any thread."""
        return list(self._parts.values())

    def shared(self) -> list[Part]:
        """Those that have a share."""
        return [self._parts[name] for name in self._orders]

    def add(self, slot: S, uses: int = 0) -> None:
        """Which comes into being; `uses` as `drop` said of the one that it replaces."""
        part = slot.part
        self._serial += 1
        slot.serial, slot.there = self._serial, True
        self.entries += 1
        self.bytes += slot.size
        if not part.entries:
            self._parts[part.name] = part
            self._empty.pop(part.name, None)
        part.entries += 1
        part.bytes += slot.size
        self.due.add(slot, uses)
        if self.order is not self.due:
            self.order.add(slot, uses)
        if part.shared:
            self._orders[part.name].add(slot, uses)

    def drop(self, slot: S) -> int:
        """Which is gone: how often it was used, as far as that is counted."""
        part = slot.part
        slot.there = False
        self.entries -= 1
        self.bytes -= slot.size
        part.entries -= 1
        part.bytes -= slot.size
        if not part.entries:
            self._note_empty(part)
        self.due.discard(slot)
        if part.shared:
            self._orders[part.name].discard(slot)
        return 0 if self.order is self.due else self.order.discard(slot)

    def touch(self, slot: S) -> None:
        """It was read."""
        self.order.touch(slot)
        if slot.part.shared:
            self._orders[slot.part.name].touch(slot)

    def clear(self) -> None:
        """Everything is gone; what was counted stays."""
        for part in self._parts.values():
            part.entries = part.bytes = 0
            self._note_empty(part)
        self.entries = self.bytes = 0
        self.due = Ttl()
        self.order = self.due if self.eviction == "ttl" else ORDERS[self.eviction]()
        self._orders = {name: ORDERS[self.eviction]() for name in self._orders}

    # Who has to go

    def fits(self, part: Part, size: int) -> bool:
        """Whether one of so many bytes can be kept at all."""
        return self.max_size > 0 < part.max_size and size <= self.max_bytes and size <= part.max_bytes

    def first_out(self, part: Part, size: int) -> S | None:
        """Who has to go next, as `Order.pop`, before one more of so many bytes is kept in that part; None: nobody."""
        if part.shared and (part.entries >= part.max_size or part.bytes + size > part.max_bytes):
            return self._orders[part.name].pop()
        if self.entries >= self.max_size or self.bytes + size > self.max_bytes:
            return self.order.pop()
        return None

    def order_of(self, part: Part) -> Order[S]:
        """The order of its own of a part that has a share."""
        return self._orders[part.name]

    def _note_empty(self, part: Part) -> None:
        if part.shared:
            return
        self._empty[part.name] = None
        while len(self._empty) > EMPTY:
            self._parts.pop(self._empty.popitem(last=False)[0], None)


def at_least_0(name: str, value: float | None) -> None:
    """Raises ValueError for a number below, and for one that is none."""
    if value is not None and not value >= 0:
        raise ValueError(f"{name} has to be 0 or more, not {value}")
