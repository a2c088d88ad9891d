"""What was accessed how often, when last, and at which hours: the memory of the warming of answers. Bounded.

An access allocates nothing but for a key that is new. No value and no text of a request is ever kept, only keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from itertools import chain
from math import exp2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.vocabulary import Clock
from warming.access_rows import UNSAVED_MOST, Group, Ident, Key, Rows
from warming.scores import HOURS, Facts, Numbers

QUARTER = 900.0
"""Seconds, counted from 1970, in which the hour of the day stays the same in every time zone."""


class Candidate(NamedTuple):
    ident: Ident
    score: float
    """0 to 1."""


class Pattern(NamedTuple):
    """One row, as it is told to a file and heard from one."""

    ident: Ident
    weight: float
    """Accesses, decayed to `last`."""
    last: float
    """Wall-clock seconds."""
    hours: tuple[int, ...]
    """24 counts."""


class AccessPatterns:
    """For one thread. Whatever the clock does: a step back counts as no time at all."""

    def __init__(
        self,
        clock: Clock,
        *,
        max_keys: int = 10_000,
        half_life: float = 6 * 3600.0,
        hourly: bool = True,
        users: bool = True,
        timezone: tzinfo = UTC,
    ) -> None:
        """`clock`: wall time. `half_life`: seconds after which an access counts half. `hourly`, `users`: whether the
        hours of accesses are kept, and whether users are kept apart."""
        self.rows = Rows(max_keys, half_life, hourly=hourly)
        self.users = users
        self.hits = self.misses = self.used = 0
        self._clock, self._timezone = clock, timezone
        self._now, self._behind = clock(), 0.0
        self._quarter, self._hour = -1.0, 0

    def __len__(self) -> int:
        return len(self.rows)

    def note(self, key: Key, namespace: str = "default", hit: bool = True, user: str | None = None) -> None:
        """An access. One that can't be tracked is counted and forgotten: keys of any type are taken."""
        if hit:
            self.hits += 1
        else:
            self.misses += 1
        rows, now = self.rows, self.now()
        slot = rows.slot(user or "" if self.users else "", namespace, key, now)
        if slot < 0:
            return
        rows.weight[slot] = rows.weight[slot] * exp2((rows.last[slot] - now) / rows.half_life) + 1.0
        rows.last[slot] = now
        if rows.unsaved[slot] < UNSAVED_MOST:
            rows.unsaved[slot] += 1
        if rows.warmed[slot]:
            rows.warmed[slot] = 0
            self.used += bool(hit)
        if rows.hourly:
            rows.count(slot, self.hour())

    def now(self) -> float:
        """Seconds, by a clock that never goes back."""
        now = self._clock()
        if now < self._now:
            self._behind += self._now - now
        self._now = now
        return now + self._behind

    def hour(self) -> int:
        """Of the day, on the wall, when `now` was asked last."""
        quarter = self._now // QUARTER
        if quarter != self._quarter:
            self._quarter, self._hour = quarter, self._hour_of(self._now)
        return self._hour

    def warmed(self, ident: Ident) -> None:
        """It was brought to the front; the next access tells whether that was of use (`used`)."""
        slot = self.rows.find(ident)
        if slot >= 0:
            self.rows.warmed[slot] = 1

    def top(
        self,
        most: int,
        scored: Callable[[Facts], Numbers],
        *,
        hourly: bool = False,
        namespace: str | None = None,
        user: str | None = None,
        together: bool = False,
    ) -> list[Candidate]:
        """The best, best first. `hourly`: whether `scored` looks at hours. None: of all namespaces, of all users.
        `together`: what several users accessed is one candidate, of whichever of them, with the accesses of all."""
        groups = self.rows.groups_of(namespace, user)
        slots = np.fromiter(chain.from_iterable(group.slots.values() for group in groups), np.int64)
        if not len(slots) or most < 1:
            return []
        facts = self._facts(slots, hourly)
        if together and len(groups) > 1:
            slots, facts = _together(groups, slots, facts)
        values = scored(facts)
        order = np.lexsort((-facts.last, -values))[:most]  # where the score is the same, the last accessed first
        return [Candidate(self.rows.ident(int(slots[at])), float(values[at])) for at in order.tolist()]

    def distinct(self) -> tuple[int, int]:
        """Keys, and users, each once."""
        groups = self.rows.groups.values()
        keys = {(group.name[1], key) for group in groups for key in group.slots}
        return len(keys), len({group.name[0] for group in groups} - {""})

    # What files hear and tell

    def unsaved(self) -> list[int]:
        """The rows that were accessed since they were saved last."""
        return np.flatnonzero(np.frombuffer(self.rows.unsaved, np.uint16)).tolist()

    def told(self, slots: Iterable[int]) -> list[Pattern]:
        """What is to be added to a file for these rows."""
        rows, told = self.rows, []
        for slot in slots:
            if not (count := rows.unsaved[slot]):
                continue  # it went meanwhile
            hours, last = [0] * HOURS, rows.last[slot] - self._behind
            if rows.hourly:
                hours[self._hour_of(last)] = count
            told.append(Pattern(rows.ident(slot), float(count), last, tuple(hours)))
        return told

    def saved(self, patterns: Iterable[Pattern]) -> None:
        """These are in the file now; what was accessed meanwhile is still to come."""
        for pattern in patterns:
            slot = self.rows.find(pattern.ident)
            if slot >= 0:
                self.rows.unsaved[slot] = max(0, self.rows.unsaved[slot] - int(pattern.weight))

    def heard(self, patterns: Iterable[Pattern]) -> int:
        """What a file tells takes the place of what is known, but for what it does not know yet; how many keys it
        concerns. To hear the same twice changes nothing."""
        rows, count, now = self.rows, 0, self.now()
        for ident, weight, last, hours in patterns:
            slot = rows.slot(ident.user if self.users else "", ident.namespace, ident.key, now)
            if slot < 0:
                continue
            count += 1
            unsaved, known = rows.unsaved[slot], rows.last[slot]
            then = min(last + self._behind, now)  # the file may have been written before the clock was set back
            moment = max(known, then) if unsaved else then
            rows.weight[slot] = weight * exp2((then - moment) / rows.half_life) + unsaved
            rows.last[slot] = moment
            if rows.hourly:
                told = list(hours)
                if unsaved:
                    told[self._hour_of(known - self._behind)] += unsaved
                rows.set_hours(slot, told)
        return count

    # Choosing

    def _hour_of(self, moment: float) -> int:
        return datetime.fromtimestamp(moment, self._timezone).hour

    def _facts(self, slots: NDArray[np.int64], hourly: bool) -> Facts:
        rows = self.rows
        last = np.frombuffer(rows.last, np.float64)[slots]
        weights = np.frombuffer(rows.weight, np.float32)[slots].astype(np.float64)
        weights *= np.exp2((last - self.now()) / rows.half_life)
        return Facts(weights, last, rows.hours(slots) if hourly else np.zeros((len(slots), HOURS), np.int64))


def _together(groups: list[Group], slots: NDArray[np.int64], facts: Facts) -> tuple[NDArray[np.int64], Facts]:
    """As if one user had done what all did; the rows are those of whoever comes first."""
    places: dict[str, dict[Key, int]] = {}
    count, at = 0, []
    for group in groups:
        known = places.setdefault(group.name[1], {})
        for key in group.slots:
            at.append(place := known.setdefault(key, count))
            count += place == count
    which = np.array(at, np.int64)
    _, first = np.unique(which, return_index=True)
    last, hours = facts.last[first], facts.hours[first]
    np.maximum.at(last, which, facts.last)
    others = np.setdiff1d(np.arange(len(slots)), first, assume_unique=True)
    np.add.at(hours, which[others], facts.hours[others])
    weights = np.bincount(which, facts.weights).astype(np.float64)
    return slots[first], Facts(weights, last, hours)
