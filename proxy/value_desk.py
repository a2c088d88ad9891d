"""`/cache/v1/NAMESPACE/KEY`: results of an application's own work, in the levels in which answers are kept.

Whoever calls sees the values of his tenant; those of others are not there for him, nor told apart from nothing. What is
promised about changes: in one process those of one value happen one after the other, its conditions are checked and the
value is put in one turn, so of two PUTs with the same `If-Match` one gets 412. Between processes that share a store
nobody takes turns: there the last one holds. When a change has been answered with `complete`, nobody serves what was
there before (but for a copy in another process's memory of what the levels that all share have dropped meanwhile: that
one goes with its time in L1, or at once by a DELETE); a 202 names who may, until his lease is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple, Protocol

from aiohttp import web
from cachetools import LRUCache

from adapters.errors import Refused
from adapters.vocabulary import Call, Clock, Trace
from cache.controls import controls_of
from cache.entry import Entry, Shape
from cache.invalidation import Invalidation
from cache.replicas import Reached
from cache.value_key import value_key
from proxy.cache_answer import given, told
from proxy.callers import Caller
from proxy.edge import Exchange
from proxy.purge_told import Answered, Invalidates, Told, done, reach
from proxy.value_depends import Depends
from proxy.value_marks import Marks, Turns
from proxy.value_path import RESERVED, Place, place_of
from proxy.value_told import ETAG_LINE, entry_of, etag_of, found_lines, line, missed_lines
from proxy.value_wish import MARK, Conditions, Wish, conditions_of, no_query, wish_of

OF_A_VALUE, OF_A_NAMESPACE = "GET, HEAD, PUT, DELETE, PURGE", "GET, HEAD, DELETE, PURGE"

COUNTED = 4096
"""Namespaces of tenants whose requests are counted."""

HASHED_HERE = 256 * 1024
"""Bytes; a longer body is hashed in a thread (this many take 0.2 ms)."""

Work = Callable[[Call], Awaitable[web.Response]]

PUT = "put:"
"""What stands before a word in a label that each value has, a new one with each PUT: by it the copies of what was there
before go wherever they are, and what was made of it, while the new value stays."""


class Levels(Protocol):
    """What of the levels is used here (`cache.tiers`)."""

    def ttl_of(self, namespace: str) -> float: ...
    def mark(self) -> int: ...
    async def get(self, key: bytes) -> tuple[Entry, str] | None: ...
    async def look(self, key: bytes) -> tuple[Entry, str] | None: ...
    async def put(self, entry: Entry, since: int | None = None) -> bool: ...


class Bounds(NamedTuple):
    max_value: int = 8 * 1024 * 1024
    """Bytes."""
    max_key: int = 512
    """Bytes in UTF-8."""
    ttl: float = 3600.0
    """Seconds that a value is kept which says nothing itself."""


@dataclass(slots=True)
class Counts:
    hits: int = 0
    misses: int = 0
    stored: int = 0
    refused: int = 0
    """PUTs that were not kept."""


class ValueDesk:
    """`wall`: Unix time. `words`: gives one that is new and that nobody can guess."""

    def __init__(
        self,
        *,
        levels: Levels,
        invalidator: Invalidates,
        depends: Depends,
        bounds: Bounds,
        wall: Clock,
        words: Callable[[], str],
    ) -> None:
        self.levels, self.invalidator, self.depends, self.words = levels, invalidator, depends, words
        self.bounds, self.wall = bounds, wall
        self.marks, self.turns = Marks(words), Turns()
        self._counts: LRUCache[tuple[str, str], Counts] = LRUCache(COUNTED)

    def work(self, exchange: Exchange, call: Call, raw: bytes, caller: Caller) -> Work:
        """What is to be done once it is known that this caller may. Raises `Refused` for what can't be read."""
        place, request = place_of(call.target, self.bounds.max_key), exchange.request
        exchange.only(OF_A_NAMESPACE if place.name is None else OF_A_VALUE)
        conditions = conditions_of(request.headers)
        query = request.raw_path.partition("?")[2]
        if request.method == "PUT":
            wish = self._wish(request, raw, place, query)
            return lambda call: self._put(call, raw, place, wish, conditions)
        no_query(query)
        if request.method in ("DELETE", "PURGE"):
            return lambda call: self._delete(call, place, conditions)
        if place.name is None:
            return lambda call: self._told(call, place.namespace)
        oldest, counted = controls_of(caller.cache_control).max_age, request.method == "GET"
        return lambda call: self._get(call, place, conditions, oldest, counted=counted)

    def _wish(self, request: web.BaseRequest, raw: bytes, place: Place, query: str) -> Wish:
        if place.namespace in RESERVED:
            raise Refused(400, "this namespace is for what models answer", param="namespace")
        if len(raw) > self.bounds.max_value:
            raise Refused(413, f"a value has {self.bounds.max_value} bytes at most", code="value_too_large")
        return wish_of(request.headers, query, self.bounds.max_key)

    # -- reading -----------------------------------------------------------------------------------------------------

    async def _get(
        self, call: Call, place: Place, conditions: Conditions, oldest: float | None, *, counted: bool
    ) -> web.Response:
        """`oldest`: seconds that it may be old; None: any age. What is not `counted` only wants to know."""
        key, trace, counts = self._key(call, place), call.trace, self._counted(call, place.namespace)
        found = await (self.levels.get(key) if counted else self.levels.look(key))
        entry = self._own(call, place, found)
        now = self.wall()
        if found is None or entry is None:
            raise self._missed(trace, counts, "not kept")
        if oldest is not None and now - entry.stored_at > oldest:
            raise self._missed(trace, counts, "too old")
        etag, level = line(entry, ETAG_LINE), found[1]
        if conditions.match is not None and not conditions.matched(etag):
            raise _blocked()
        counts.hits += counted
        trace.source, trace.age, trace.ttl = level, now - entry.stored_at, entry.expires_at - now
        lines = found_lines(entry, level, now)
        if conditions.known(etag):
            return given(304, b"", [each for each in lines if each[0] != "Content-Type"])
        return given(200, entry.body, lines)

    def _missed(self, trace: Trace, counts: Counts, why: str) -> Refused:
        """With a word for this moment: the making of the value begins when its maker hears of this."""
        counts.misses += 1
        trace.why = "miss"
        lines = (*missed_lines(why), (MARK, self.marks.word(self.levels.mark())))
        return Refused(404, "there is no such entry", param="key", code="no_entry", headers=lines)

    def _own(self, call: Call, place: Place, found: tuple[Entry, str] | None) -> Entry | None:
        """The entry if it is fresh, and what it is asked for as: the key says so, this makes sure."""
        if found is None:
            return None
        entry = found[0]
        same = (entry.tenant, entry.namespace, entry.shape) == (call.tenant, place.namespace, Shape.VALUE)
        return entry if same and entry.fresh(self.wall()) else None

    async def _told(self, call: Call, namespace: str) -> web.Response:
        """What this tenant has there, and how often this process was asked for it."""
        held = await self.invalidator.matching(call.tenant, namespaces=(namespace,))
        facts: Told = {"namespace": namespace, "entries": len(held.keys), "examples": list(held.examples)}
        facts |= asdict(self._counted(call, namespace)) | {"ttl": self.levels.ttl_of(namespace)}
        return told(Answered(200, facts))

    # -- changing ----------------------------------------------------------------------------------------------------

    async def _put(self, call: Call, raw: bytes, place: Place, wish: Wish, conditions: Conditions) -> web.Response:
        key, mark = self._key(call, place), self.levels.mark()
        etag = await asyncio.to_thread(etag_of, raw) if len(raw) > HASHED_HERE else etag_of(raw)
        async with self.turns.of(key):
            old = self._own(call, place, await self.levels.look(key))
            if conditions.fails(line(old, ETAG_LINE) if old is not None else None):
                raise _blocked()
            since = self.marks.mark(wish.mark) if wish.mark else mark
            longest = self.levels.ttl_of(place.namespace)
            ttl = min(self.bounds.ttl if wish.ttl is None else wish.ttl, longest)
            why = "ttl 0" if ttl <= 0 else "mark unknown" if since is None else ""
            if not why:
                labels = await self.depends.labels(
                    (*wish.tags, PUT + self.words()), wish.depends, call.tenant, key, self._found
                )
                entry = entry_of(
                    call.tenant, place, key, raw,
                    content_type=wish.content_type, etag=etag, labels=labels, now=self.wall(), ttl=ttl,
                )  # fmt: skip
                why = "" if await self.levels.put(entry, since) else "not kept"
            # Whether the new one is kept or not, nobody is to be served the old one.
            reached = await (self._dropped(call, key) if why else self._replaced(call, old))
        return self._kept(call, place, reached, why, etag, ttl, created=old is None)

    def _kept(
        self, call: Call, place: Place, reached: Reached, why: str, etag: str, ttl: float, *, created: bool
    ) -> web.Response:
        counts, trace = self._counted(call, place.namespace), call.trace
        trace.stored, trace.refused_to_store = not why, why
        status, far = reach(reached)
        if why:
            counts.refused += 1
            missed = ("Cache-Status", f'warmgate; fwd=miss; detail="{why}"')
            return told(Answered(status, {"stored": False, "why": why} | far), [missed])
        counts.stored += 1
        kept: Told = {"stored": True, "etag": etag, "ttl": ttl}
        lines = [("Cache-Status", "warmgate; fwd=miss; stored"), ("ETag", etag)]
        return told(Answered(201 if created and status == 200 else status, kept | far), lines)

    async def _found(self, key: bytes) -> Entry | None:
        found = await self.levels.look(key)
        return found[0] if found is not None and found[0].fresh(self.wall()) else None

    async def _dropped(self, call: Call, key: bytes) -> Reached:
        return await self._gone(Invalidation(call.tenant, keys=(key,)))

    async def _replaced(self, call: Call, old: Entry | None) -> Reached:
        """Other processes hold copies only of what a level has that all share."""
        before = [label for label in old.labels if label.startswith(PUT)] if old is not None else []
        return await self._gone(Invalidation(call.tenant, labels=tuple(before))) if before else Reached(complete=True)

    async def _gone(self, what: Invalidation) -> Reached:
        outcome = await self.invalidator.invalidate(what)
        done(outcome)
        return outcome.reached

    async def _delete(self, call: Call, place: Place, conditions: Conditions) -> web.Response:
        """Also of what is not here: another process may have it, or be about to."""
        if place.name is None:
            if conditions.fails(None):
                raise _blocked()
            what = Invalidation(call.tenant, namespaces=(place.namespace,))
            return told(done(await self.invalidator.invalidate(what)))
        key = self._key(call, place)
        async with self.turns.of(key):
            old = self._own(call, place, await self.levels.look(key))
            if conditions.fails(line(old, ETAG_LINE) if old is not None else None):
                raise _blocked()
            outcome = await self.invalidator.invalidate(Invalidation(call.tenant, keys=(key,)))
        return told(done(outcome))

    # ----------------------------------------------------------------------------------------------------------------

    def _key(self, call: Call, place: Place) -> bytes:
        return value_key(call.tenant, place.namespace, place.name or "")

    def _counted(self, call: Call, namespace: str) -> Counts:
        return self._counts.setdefault((call.tenant, namespace), Counts())


def _blocked() -> Refused:
    return Refused(412, "the value is not as the condition says", code="precondition_failed")
