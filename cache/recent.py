"""What was asked lately, in memory only: so that a miss can be held against the request that it is most like.

A request is remembered by the decoded body that is at hand anyway: nothing is copied, nothing encoded. Room is shared
by tenants: where it gets short, whoever has most gives up his oldest, so that a busy tenant pushes out nobody but
himself.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.texts import common_prefix
from adapters.vocabulary import Call
from cache.difference import ABSENT, MOST, Difference, Found, differences
from cache.key import STEERING_HEADERS, counted, key_of

TIMES, OVERHEAD = 4, 600
"""Bytes that a decoded body takes for each byte of its JSON (measured: 1.2 where it is long texts, 6.5 where it is
hundreds of short parts), and beside them."""

LARGEST = 8
"""One request takes at most this part of all room; a larger one is not remembered."""

DEEP = 5
"""How far `distance` goes into what differs."""

LONG = 20_000
"""Characters of a text whose end is compared too."""

MANY = 5000
"""Items of a list that are compared at either end, and between them."""

SAME_PLACE = 0.25
"""What counts at least where two texts differ, however little."""


@dataclass(slots=True)
class Seen:
    """A request, and what of it beside the body counts in its key."""

    key: bytes
    at: float
    """When it was last asked: Unix time."""
    target: str
    namespace: str
    mark: str
    """Who answers, and what he is asked (`Route.mark`)."""
    headers: tuple[str, ...]
    """Values of `STEERING_HEADERS`."""
    body: Mapping[str, Any]
    refused: str = ""
    """Why its answer was not kept, last time."""
    weight: int = 0


class _Mine:
    __slots__ = ("bytes", "seen")

    def __init__(self) -> None:
        self.seen: OrderedDict[bytes, Seen] = OrderedDict()
        self.bytes = 0


def seen_of(call: Call, at: float, refused: str = "", weight: int = 0) -> Seen:
    get, controls = call.headers.get, call.controls
    headers = tuple([get(name, "") for name in STEERING_HEADERS])
    return Seen(
        key_of(call), at, call.target, controls.namespace, call.route.mark, headers, call.parsed, refused, weight
    )


class Recent:
    """At most `max_entries` requests, of about `max_bytes` in all."""

    def __init__(self, max_entries: int = 1000, max_bytes: int = 32 * 1024 * 1024) -> None:
        # Each weighs at least its share of the room, so that one budget bounds both.
        self._least = max(1, max_bytes // max_entries)
        self.max_bytes = min(max_bytes, self._least * max_entries)
        self._tenants: dict[str, _Mine] = {}
        self._largest: list[tuple[int, str]] = []
        """Tenants by what they have, negative; only those that are still true count."""
        self.bytes = 0

    def __len__(self) -> int:
        return sum(len(mine.seen) for mine in self._tenants.values())

    def note(self, call: Call, at: float, refused: str = "") -> None:
        """Remembers a request whose body was read, or that it was asked again. On the path of every request."""
        mine, key = self._tenants.get(call.tenant), key_of(call)
        known = mine.seen.get(key) if mine is not None else None
        if mine is not None and known is not None:
            known.at, known.refused = at, refused
            mine.seen.move_to_end(key)
            return
        size = len(call.body) if isinstance(call.body, bytes) else 0
        weight = max(self._least, TIMES * size + OVERHEAD)
        if weight > self.max_bytes // LARGEST and weight > self._least:
            return
        if mine is None:
            mine = self._tenants[call.tenant] = _Mine()
        mine.seen[key] = seen_of(call, at, refused, weight)
        self._grown(call.tenant, mine, weight)
        while self.bytes > self.max_bytes:
            self._give_up()

    def of(self, tenant: str) -> list[Seen]:
        """The latest first."""
        mine = self._tenants.get(tenant)
        return list(reversed(mine.seen.values())) if mine is not None else []

    def forget(self, tenant: str) -> None:
        mine = self._tenants.pop(tenant, None)
        self.bytes -= mine.bytes if mine is not None else 0

    def _grown(self, tenant: str, mine: _Mine, by: int) -> None:
        mine.bytes += by
        self.bytes += by
        if mine.seen:
            heapq.heappush(self._largest, (-mine.bytes, tenant))
        else:
            del self._tenants[tenant]
        if len(self._largest) > 4 * len(self._tenants) + 64:
            self._largest = [(-each.bytes, name) for name, each in self._tenants.items()]
            heapq.heapify(self._largest)

    def _give_up(self) -> None:
        """The oldest of whoever has most."""
        while True:
            size, tenant = heapq.heappop(self._largest)
            mine = self._tenants.get(tenant)
            if mine is not None and mine.bytes == -size:
                break
        _, seen = mine.seen.popitem(last=False)
        self._grown(tenant, mine, -seen.weight)


def closest(asked: Seen, others: Iterable[Seen]) -> Seen | None:
    """The request that this one is most like, the first of several; None where there is none. Comparing tens of
    megabytes takes tens of milliseconds: not for the event loop."""
    best, least = None, 0.0
    for other in others:
        apart = 0.0 if other.key == asked.key else distance(asked, other)
        if best is None or apart < least:
            best, least = other, apart
        if apart == 0.0:
            break
    return best


def differing(asked: Seen, other: Seen, *, most: int = MOST) -> Found:
    """In what both differ that counts in the key: from the other request to the one that was asked."""
    around = [
        Difference("route", "changed", other.target, asked.target),
        Difference("namespace", "changed", other.namespace, asked.namespace),
        Difference("upstream", "changed", other.mark, asked.mark),
        *map(_header, STEERING_HEADERS, other.headers, asked.headers),
    ]
    first = [each for each in around if each.here != each.there]
    body = differences(counted(other.body), counted(asked.body), most=max(0, most - len(first)))
    return Found((*first, *body.differences), body.complete)


def _header(name: str, here: str, there: str) -> Difference:
    kind = "added" if not here else "removed" if not there else "changed"
    return Difference(f"headers.{name}", kind, here or ABSENT, there or ABSENT)


def distance(one: Seen, other: Seen) -> float:
    """How much differs: about 1 for each member or turn, less for a text that is mostly the same. It tells the nearest
    one, no more: 1 and 1.0 are the same here."""
    around = zip(
        (one.target, one.namespace, one.mark, *one.headers),
        (other.target, other.namespace, other.mark, *other.headers),
        strict=True,
    )
    apart = float(sum(here != there for here, there in around))
    here, there = counted(one.body), counted(other.body)
    return apart + sum(_apart(here.get(name, ABSENT), there.get(name, ABSENT), DEEP) for name in {**here, **there})


def _apart(here: Any, there: Any, deep: int) -> float:
    try:
        if here == there:
            return 0.0
    except RecursionError:
        return 1.0
    if isinstance(here, str) and isinstance(there, str):
        return SAME_PLACE + (1 - SAME_PLACE) * _unlike(here, there)
    if not deep:
        return 1.0
    if isinstance(here, list) and isinstance(there, list):
        return _lists(here, there, deep - 1)
    if isinstance(here, dict) and isinstance(there, dict):
        names = {**here, **there}
        return min(1.0, max(_apart(here.get(name, ABSENT), there.get(name, ABSENT), deep - 1) for name in names))
    return 1.0


def _lists(here: list[Any], there: list[Any], deep: int) -> float:
    shorter = min(len(here), len(there))
    start = end = 0
    while start < min(shorter, MANY) and _apart(here[start], there[start], 0) == 0.0:
        start += 1
    while end < min(shorter - start, MANY) and _apart(here[-1 - end], there[-1 - end], 0) == 0.0:
        end += 1
    between = range(start, min(shorter - end, start + MANY))
    return sum(_apart(here[i], there[i], deep) for i in between) + abs(len(here) - len(there))


def _unlike(here: str, there: str) -> float:
    """The share of the longer text that stands neither at the common beginning nor at the common end."""
    shorter, longer = sorted((len(here), len(there)))
    common = common_prefix(here, there)
    if longer <= LONG:
        common += min(common_prefix(here[::-1], there[::-1]), shorter - common)
    return 1 - common / longer
