"""What the body of a request says, and a memory of bodies that were read before.

Reading is a pure function of the bytes, so the same bytes need not be decoded, checked, put into canonical form and
hashed again: a client that repeats itself is what a cache is for, and most of the work of an exact hit was that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from adapters.edit import drop_member
from adapters.routing import Routing
from adapters.vocabulary import Call, Dialect, Route, Sent
from cache.controls import NOTHING, controls_of
from proxy.callers import Caller

REMEMBERED = 16 * 1024 * 1024
"""Bytes of bodies that are remembered; their decoded forms take about as much again."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body that was read. `raw` is what goes upstream: as received, but for our own `cache` member."""

    raw: bytes
    parsed: dict[str, Any]
    stream: bool
    wants_usage: bool
    dropped: int
    """Bytes of `raw` that were taken out."""
    digests: dict[object, bytes]
    """Filled by `cache.key`, when first asked for."""
    route: Route
    sent: Sent | None
    """What the first upstream of the route is asked, where it is not `raw`."""


class Reader:
    """Reads bodies of one dialect, sent to one path; raises `Refused` for those that are none, and for those that can't
    be said to the upstream of their model."""

    def __init__(self, dialect: Dialect, target: str, routing: Routing, remembered: int = REMEMBERED) -> None:
        self.dialect, self.target, self.routing = dialect, target, routing
        self._known: LRUCache[bytes, Body] = LRUCache(maxsize=remembered, getsizeof=_size)

    def read(self, raw: bytes) -> Body:
        body = self._known.get(raw)
        if body is None:
            body = self._read(raw)
            if _size(body) <= self._known.maxsize // 16:
                self._known[raw] = body
        return body

    def _read(self, raw: bytes) -> Body:
        parsed = self.dialect.parse(raw)
        kept = drop_member(raw, "cache") if "cache" in parsed else raw
        stream = self.dialect.wants_stream(parsed)
        wants_usage = not stream or self.dialect.wants_usage(parsed)
        route = self.routing.route(parsed.get("model") or "")
        sent = self.routing.sent(self.dialect, self.target, kept, parsed, route.ways[0])
        return Body(kept, parsed, stream, wants_usage, len(raw) - len(kept), {}, route, sent)

    def fill(self, call: Call, raw: bytes, caller: Caller) -> None:
        """Writes into the call what its body says."""
        body = self.read(raw)
        call.dialect, call.body, call.digests = self.dialect, body.raw, body.digests
        call.parsed, call.stream, call.wants_usage = body.parsed, body.stream, body.wants_usage
        call.route, call.sent = body.route, body.sent
        if caller.cache_control is not None or body.dropped or caller.asked != NOTHING:
            call.controls = controls_of(caller.cache_control, body.parsed.get("cache"), caller.asked)
            call.trace.modified_bytes = body.dropped


def _size(body: Body) -> int:
    return len(body.raw) + (len(body.sent.body) if body.sent is not None else 0) + 500
