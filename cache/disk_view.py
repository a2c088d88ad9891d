"""The keys of a disk store in memory: a view of its rows, by which a miss is known without a look at the disk.

Written by the thread that owns the store, read by the event loop: one dictionary look-up, atomic under the interpreter
lock. It decides who has to go, because what was read when, and what ends next, is known here without an index in the
file. Of rows that were there before, or that others wrote, nobody knows how they were read: they come in the order in
which they were written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cache.eviction import Order, Part, Slot
from cache.invalidation import Invalidation
from cache.room import Room


class Row(Slot):
    """What is known of a row: its number, whose it is, and the end of its freshness (wall-clock seconds)."""

    __slots__ = ("expires_at", "seq", "tenant")

    def __init__(self, key: bytes, seq: int, expires_at: float, ends: float, size: int, tenant: str, part: Part):
        super().__init__(key, size, ends, part)
        self.seq, self.expires_at, self.tenant = seq, expires_at, tenant


class _Excess:
    """By how much a budget is exceeded."""

    def __init__(self, entries: float, size: float) -> None:
        self.entries, self.size = entries, size

    @property
    def any(self) -> bool:
        return self.entries > 0 or self.size > 0

    def change(self, entries: int, size: int) -> None:
        self.entries += entries
        self.size += size


class View:
    """Within the budgets of `room`; a row is of use for `grace` seconds after its end."""

    def __init__(self, room: Room[Row], grace: float = 0.0) -> None:
        self.room, self.grace = room, grace
        self.slots: dict[bytes, Row] = {}
        self._taken: list[tuple[Order[Row], Row]] = []
        """Victims, out of their orders."""

    def __len__(self) -> int:
        return len(self.slots)

    def add(self, key: bytes, seq: int, expires_at: float, size: int, tenant: str, namespace: str) -> None:
        """Note a row; an older one than is known of that key is ignored."""
        known = self.slots.get(key)
        uses = 0
        if known is not None:
            if known.seq >= seq:
                return
            uses = self.room.drop(known)
        ends = expires_at + self.grace if self.grace else expires_at  # one number less for every row
        row = Row(key, seq, expires_at, ends, size, tenant, self.room.part(namespace))
        self.slots[key] = row
        self.room.add(row, uses)

    def touch(self, key: bytes) -> None:
        """It was read."""
        row = self.slots.get(key)
        if row is not None:
            self.room.touch(row)

    def drop(self, key: bytes, seq: int | None = None) -> Row | None:
        """Forget a key, or only this row of it; what was known, None where nothing was."""
        row = self.slots.get(key)
        if row is None or (seq is not None and row.seq != seq):
            return None
        del self.slots[key]
        self.room.drop(row)
        return row

    def clear(self) -> None:
        self.slots.clear()
        self.room.clear()

    def covered(self, what: Invalidation, labelled: Iterable[bytes] = ()) -> list[bytes]:
        """The keys of what that covers, of which the labels are not known here: `labelled` are those that have one."""
        slots, keys, namespaces = self.slots, {*what.keys, *labelled}, set(what.namespaces)
        if not (what.everything or namespaces):
            rows = [slots[key] for key in keys if key in slots]
        else:
            rows = [row for row in slots.values() if what.everything or row.part.name in namespaces or row.key in keys]
        return [row.key for row in rows if what.tenant is None or row.tenant == what.tenant]

    # Who has to go

    def victims(
        self,
        now: float,
        leaving: Collection[Row] = (),
        coming: Iterable[tuple[Part, int]] = (),
        *,
        expired: int,
        most: int,
    ) -> list[Row]:
        """Rows to delete when those are gone and others, each of a namespace and so many bytes, are there: `expired` of
        what is over at most, and so many more that the budgets hold, `most` in all.

        They are taken out of the orders but stay known: `drop` them when they are deleted, else give them `back`.
        """
        room = self.room
        whole = _Excess(room.entries - room.max_size, room.bytes - room.max_bytes)
        parts = {part: _Excess(part.entries - part.max_size, part.bytes - part.max_bytes) for part in room.shared()}
        changes = [(row.part, -1, -row.size) for row in leaving] + [(part, 1, size) for part, size in coming]
        for part, entries, size in changes:
            whole.change(entries, size)
            if part in parts:
                parts[part].change(entries, size)
        chosen: dict[Row, None] = dict.fromkeys(leaving)
        most, expired = most + len(chosen), expired + len(chosen)

        def chooses(order: Order[Row], row: Row | None) -> bool:
            if row is None:
                return False
            self._taken.append((order, row))
            if row not in chosen:
                chosen[row] = None
                whole.change(-1, -row.size)
                if row.part in parts:
                    parts[row.part].change(-1, -row.size)
            return True

        while len(chosen) < expired and chooses(room.due, room.due.due(now)):
            pass
        for part, excess in parts.items():
            order = room.order_of(part)
            while excess.any and len(chosen) < most and chooses(order, order.pop()):
                pass
        while whole.any and len(chosen) < most:
            if not chooses(room.due, room.due.due(now)) and not chooses(room.order, room.order.pop()):
                break
        return [row for row in chosen if row not in leaving]

    def back(self) -> None:
        """None of the victims is gone."""
        while self._taken:
            order, row = self._taken.pop()
            order.back(row)

    def gone(self, victims: Iterable[Row]) -> list[Row]:
        """They are: those that were known still."""
        self._taken.clear()
        return [row for row in victims if self.drop(row.key, row.seq) is not None]
