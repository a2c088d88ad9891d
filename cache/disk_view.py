"""The keys of a disk store in memory: a view of its rows, by which a miss is known without a look at the disk.

Written by the thread that owns the store, read by the event loop: one dictionary look-up, atomic under the interpreter
lock. It decides who has to go, because what is nearest to its expiry is known here without an index in the file.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import NamedTuple


class Slot(NamedTuple):
    """What is known of a row: its number, its end (wall-clock seconds) and its bytes as the budgets count them."""

    seq: int
    expires_at: float
    size: int


Due = tuple[float, int, bytes]
"""`expires_at, seq, key`: the order in which rows leave."""


class View:
    def __init__(self) -> None:
        self.slots: dict[bytes, Slot] = {}
        self.bytes = 0
        self._due: list[Due] = []

    def __len__(self) -> int:
        return len(self.slots)

    def add(self, key: bytes, slot: Slot) -> None:
        """Note a row; an older one than is known of that key is ignored."""
        known = self.slots.get(key)
        if known is not None:
            if known.seq >= slot.seq:
                return
            self.bytes -= known.size
        self.slots[key] = slot
        self.bytes += slot.size
        heappush(self._due, (slot.expires_at, slot.seq, key))
        if len(self._due) > 2 * len(self.slots) + 64:
            self._due = [(slot.expires_at, slot.seq, key) for key, slot in self.slots.items()]
            heapify(self._due)

    def drop(self, key: bytes, seq: int | None = None) -> Slot | None:
        """Forget a key, or only this row of it; what was known, None where nothing was."""
        slot = self.slots.get(key)
        if slot is None or (seq is not None and slot.seq != seq):
            return None
        del self.slots[key]
        self.bytes -= slot.size
        return slot

    def clear(self) -> None:
        self.slots.clear()
        self._due.clear()
        self.bytes = 0

    def victims(self, now: float, *, entries: int, size: int, expired: int, most: int) -> list[Due]:
        """Rows to delete, the nearest to expiry first: `expired` of those that are over at most, and while there are
        `entries` or `size` (bytes) too many also others, `most` in all.

        They are taken out of the order but stay known: `drop` them when they are deleted, else give them `back`.
        """
        chosen: list[Due] = []
        while self._due and len(chosen) < most:
            due = expires_at, seq, key = self._due[0]
            slot = self.slots.get(key)
            if slot is not None and slot.seq == seq:
                over = expires_at <= now and len(chosen) < expired
                if not over and entries <= 0 and size <= 0:
                    break
                entries -= 1
                size -= slot.size
                chosen.append(due)
            heappop(self._due)
        return chosen

    def back(self, chosen: list[Due]) -> None:
        for due in chosen:
            heappush(self._due, due)
