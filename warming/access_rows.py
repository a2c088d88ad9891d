"""The rows in which accesses are tracked: columns, and a dictionary for each user and namespace that names the rows.

A key takes about 105 bytes, and those of its own object where nobody else has it (measured; an entry of 1 kB counts as
1,724). When all rows are taken, the least valuable 64th goes at
once, so that what the choice costs is spread over as many new keys.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warming.scores import HOURS

Key = str | bytes

LONGEST = 1024
"""Bytes or characters of a key, a namespace or a user; longer ones are not tracked."""

GROWTH = 1024
"""Rows that are made together."""

HOUR_MOST, UNSAVED_MOST = 0xF, 0xFFFF
"""Where the counters of a row end: those of the hours are all halved then, the other stays."""

PACKED = HOURS // 2
"""Bytes of the hours of a row, two counters in each: they say where in the day the accesses are, not how many."""


class Ident(NamedTuple):
    user: str
    namespace: str
    key: Key


class Group:
    """The rows of one user in one namespace."""

    __slots__ = ("name", "number", "slots")

    def __init__(self, user: str, namespace: str, number: int) -> None:
        self.name, self.number = (user, namespace), number
        self.slots: dict[Key, int] = {}


class Rows:
    """For one thread. Times are seconds of a clock that never goes back."""

    def __init__(self, most: int, half_life: float, *, hourly: bool) -> None:
        """`half_life`: seconds after which an access counts half. `hourly`: whether the hours of accesses are kept."""
        self.most, self.half_life, self.hourly = most, half_life, hourly
        self.refused = self.dropped = 0
        self.groups: dict[tuple[str, str], Group] = {}
        self.weight, self.last = array("f"), array("d")
        """Accesses, decayed to the last one, and when that was."""
        self.unsaved = array("H")
        """Accesses that no file knows of."""
        self.warmed = bytearray()
        """1 from when it was warmed to its next access."""
        self._hours = bytearray()
        self._keys: list[Key | None] = []
        self._in = array("I")
        self._numbered: list[Group | None] = []
        self._free: list[int] = []
        self._unnumbered: list[int] = []

    def __len__(self) -> int:
        return len(self._keys) - len(self._free)

    def find(self, ident: Ident) -> int:
        """-1 where there is none."""
        group = self.groups.get((ident.user, ident.namespace))
        return group.slots.get(ident.key, -1) if group is not None else -1

    def slot(self, user: str, namespace: str, key: Key, now: float) -> int:
        """The row of a key, an empty one where it is new; -1 where it can't be tracked, of whatever type it may be."""
        name = (user, namespace)
        try:
            group = self.groups.get(name)
            slot = group.slots.get(key, -1) if group is not None else -1
        except TypeError:  # not hashable
            self.refused += 1
            return -1
        if slot >= 0:
            return slot
        if not isinstance(key, str | bytes) or len(key) > LONGEST or (group is None and not _sound(name)):
            self.refused += 1
            return -1
        if not self._free:
            self._make_room()
        group = self.groups.get(name) or self._begun(user, namespace)  # asked again: its last key may have gone
        slot = self._free.pop()
        group.slots[key] = slot
        self._keys[slot], self._in[slot] = key, group.number
        self.last[slot] = now
        return slot

    def ident(self, slot: int) -> Ident:
        group, key = self._of(slot)
        return Ident(*group.name, key)

    def groups_of(self, namespace: str | None, user: str | None) -> list[Group]:
        """Those of a namespace and of a user; None: of all."""
        return [
            group
            for (whose, where), group in self.groups.items()
            if (namespace is None or where == namespace) and (user is None or whose == user)
        ]

    def count(self, slot: int, hour: int) -> None:
        """One more access in that hour of the day."""
        at, one = slot * PACKED + (hour >> 1), 0x10 if hour & 1 else 1
        if self._hours[at] & (HOUR_MOST * one) == HOUR_MOST * one:
            row = slice(slot * PACKED, (slot + 1) * PACKED)
            self._hours[row] = bytes(each >> 1 & 0x77 for each in self._hours[row])
        self._hours[at] += one

    def set_hours(self, slot: int, hours: Sequence[int]) -> None:
        """24 counts, halved until they fit."""
        while max(hours) > HOUR_MOST:
            hours = [each >> 1 for each in hours]
        row = slice(slot * PACKED, (slot + 1) * PACKED)
        self._hours[row] = bytes(low | high << 4 for low, high in zip(hours[::2], hours[1::2], strict=True))

    def hours(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """(slots, 24) counts, 15 at most."""
        if not self.hourly:
            return np.zeros((len(slots), HOURS), np.int64)
        packed = np.frombuffer(self._hours, np.uint8).reshape(-1, PACKED)[slots]
        return np.stack((packed & HOUR_MOST, packed >> 4), axis=2).reshape(-1, HOURS).astype(np.int64)

    def _make_room(self) -> None:
        have = len(self._keys)
        more = min(GROWTH, self.most - have)
        if more > 0:
            for column in (self.weight, self.last, self.unsaved, self._in):
                column.frombytes(bytes(more * column.itemsize))
            self._hours.extend(bytes(more * PACKED if self.hourly else 0))
            self.warmed.extend(bytes(more))
            self._keys.extend([None] * more)
            self._free.extend(range(have + more - 1, have - 1, -1))
            return
        weights, last = np.frombuffer(self.weight, np.float32), np.frombuffer(self.last, np.float64)
        with np.errstate(divide="ignore"):
            worth = np.log2(weights) + last / self.half_life  # less a term that is common to all
        most = max(1, have // 64)
        gone = np.argpartition(worth, most - 1)[:most]
        weights[gone] = 0.0
        np.frombuffer(self.unsaved, np.uint16)[gone] = 0
        np.frombuffer(self.warmed, np.uint8)[gone] = 0
        if self.hourly:
            np.frombuffer(self._hours, np.uint8).reshape(-1, PACKED)[gone] = 0
        for slot in gone.tolist():
            self._forget(slot)
        self.dropped += most

    def _forget(self, slot: int) -> None:
        group, key = self._of(slot)
        del group.slots[key]
        if not group.slots:
            del self.groups[group.name]
            self._numbered[group.number] = None
            self._unnumbered.append(group.number)
        self._keys[slot] = None
        self._free.append(slot)

    def _begun(self, user: str, namespace: str) -> Group:
        if not self._unnumbered:
            self._unnumbered.append(len(self._numbered))
            self._numbered.append(None)
        number = self._unnumbered.pop()
        group = self._numbered[number] = self.groups[user, namespace] = Group(user, namespace, number)
        return group

    def _of(self, slot: int) -> tuple[Group, Key]:
        group, key = self._numbered[self._in[slot]], self._keys[slot]
        assert group is not None
        assert key is not None
        return group, key


def _sound(name: tuple[object, ...]) -> bool:
    return all(isinstance(each, str) and len(each) <= LONGEST for each in name)
