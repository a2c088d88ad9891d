"""`/cache/...`: why a request hits or misses, what to do about a wrong answer, and values of applications.

`POST /cache/explain`, `POST /cache/feedback`, `POST /cache/purge`, `POST /cache/events`, `DELETE /cache/entries/ID` (of
the semantic cache), `DELETE /cache/keys/HEX` (of the exact one), `DELETE /cache/tags/TAG`, and everything below
`/cache/v1/` (`proxy.value_desk`). A caller is known by his credential as at every other door, and sees and changes what
is his tenant's, nothing else: what belongs to another does not exist for him. With the semantic cache off all that
concerns the exact one works.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

from aiohttp import web

from adapters.errors import Refused
from adapters.vocabulary import Call, Clock, Reply, Trace
from cache.exact import Exact
from cache.items import Items
from cache.look import Explains, Look
from cache.near import Judgement
from cache.recall import Admission
from proxy.cache_answer import told as answer_of
from proxy.cache_exact import exact_told, items_told
from proxy.cache_gate import owner_refusal, refusal
from proxy.cache_notes import Notes, Served
from proxy.cache_told import look_told
from proxy.cache_wish import Asked, Feedback, asked_of, entry_of, feedback_of, headers_with, key_of_text
from proxy.callers import Caller
from proxy.edge import MOUNT, Exchange
from proxy.purge_desk import Entries, Levels, Purges, known, no_entry, owned
from proxy.purge_told import Answered, Invalidates, Told
from proxy.purge_wish import Purge, checked_tag, events_of, purge_of
from proxy.value_desk import Bounds, ValueDesk, Work
from proxy.value_path import ROOT, text_of

TAGS = "/cache/tags/"

UNKNOWN = "unknown route; there are explain, feedback, purge, events, entries/ID, keys/HEX, tags/TAG, v1/NAMESPACE/KEY"

_DELETED = re.compile(r"/cache/(entries/[0-9]{1,19}|keys/[0-9A-Fa-f]{16,64})")

CLOSEST = 1.0
"""How near an entry is taken to have been where nobody knows. A wrong answer even there counts against the entry the
most, a right one for it the least."""


class Semantic(NamedTuple):
    layer: Explains
    entries: Entries
    heard: Callable[[Judgement], None] = lambda judgement: None
    """Is told what callers said of answers, beside the store: the breaker of a route."""


class CacheDesk:
    """`exact` and `items` are the caches of answers and of embeddings, `semantic` that of equivalent questions; each is
    None where it is off, and so are `invalidator` and `values`. `levels`: what the first two keep. `wall`: Unix
    time."""

    label = "cache"

    def __init__(
        self,
        *,
        levels: Levels,
        exact: Exact | None,
        items: Items | None,
        semantic: Semantic | None,
        admission: Admission,
        notes: Notes,
        wall: Clock,
        invalidator: Invalidates | None = None,
        values: ValueDesk | None = None,
    ) -> None:
        self.exact, self.items, self.semantic, self.values = exact, items, semantic, values
        self.admission, self.notes, self.wall = admission, notes, wall
        entries = semantic.entries if semantic is not None else None
        self._purges = Purges(levels, invalidator, entries, notes) if invalidator is not None else None
        self._longest = values.bounds.max_key if values is not None else Bounds().max_key

    async def serve(self, exchange: Exchange, raw: bytes, caller: Caller) -> web.StreamResponse:
        call = exchange.call
        assert call is not None
        exchange.trace.source = "proxy"
        path = call.target
        if path == "/cache/explain":
            exchange.only("POST")
            return await self._explained(exchange, raw)
        work = self._work(exchange, call, raw, caller)
        routing = next(iter(exchange.edge.readers.values())).routing
        no = await owner_refusal(self.admission, call, routing.elsewhere(call), routing.peers)
        return await exchange.told(call, no) if no is not None else await work(call)

    def _work(self, exchange: Exchange, call: Call, raw: bytes, caller: Caller) -> Work:
        """What is to be done once it is known that this caller may. Raises `Refused` for what can't be read."""
        path = call.target
        if path == "/cache/feedback":
            exchange.only("POST")
            said = feedback_of(raw)
            return lambda call: _told(self._heard(call, said))
        if path == "/cache/purge":
            exchange.only("POST")
            purge = purge_of(raw, self._longest)
            if purge.scope_of is not None:
                about = asked_call(exchange, purge.scope_of)
                return lambda call: _told(self.purges().around(about))
            return lambda call: _told(self.purges().purge(call, purge))
        if path == "/cache/events":
            exchange.only("POST")
            events = events_of(raw)
            return lambda call: _told(self.purges().events(call.tenant, events))
        if path.startswith(TAGS):
            exchange.only("DELETE, PURGE")
            tag = checked_tag(text_of(path.removeprefix(TAGS), "tag"), "tag")
            return lambda call: _told(self.purges().purge(call, Purge(tags=(tag,))))
        if path.startswith(ROOT):
            if self.values is None:
                raise Refused(404, "values of applications are not kept here", code="values_off")
            return self.values.work(exchange, call, raw, caller)
        if _DELETED.fullmatch(path):
            exchange.only("DELETE")
            return self._deletion(path)
        raise Refused(404, UNKNOWN, code="unknown_route")

    def _deletion(self, path: str) -> Work:
        kind, _, name = path.removeprefix("/cache/").partition("/")
        if kind == "entries":
            number = entry_of(int(name))
            return lambda call: _told(self.purges().entry(call, number))
        key = key_of_text(name)
        return lambda call: _told(self.purges().key(call, key))

    def purges(self) -> Purges:
        if self._purges is None:
            raise Refused(404, "the cache is off, so there is nothing in it", code="cache_off")
        return self._purges

    # -- why ---------------------------------------------------------------------------------------------------------

    async def _explained(self, exchange: Exchange, raw: bytes) -> web.StreamResponse:
        query = exchange.request.raw_path.partition("?")[2]
        call = asked_call(exchange, asked_of(raw, query))
        no: Reply | None = await refusal(self.admission, call)
        if no is not None:
            return await exchange.told(replace(call, trace=exchange.trace), no)
        label = exchange.edge.doors[call.target.partition("?")[0]].label
        batch = label == "embeddings"
        exact = items_told(self.items, call) if batch else exact_told(self.exact, call, self.notes.recent)
        told: Told = {"route": label, "model": call.model, "exact": await exact}
        told["semantic"] = look_told(Look(why="embeddings") if batch else await self._looked(call), self.wall())
        return answer_of(Answered(200, told))

    async def _looked(self, call: Call) -> Look:
        return Look() if self.semantic is None else await self.semantic.layer.explain(call)

    # -- what somebody says of an answer -----------------------------------------------------------------------------

    async def _heard(self, call: Call, said: Feedback) -> Answered:
        if said.key:
            told: Told = {"key": said.key, "correct": said.correct}
            if not said.correct:
                status, deleted = await self.purges().key(call, said.key)
                return Answered(status, told | deleted)
            if not await self.purges().own(call, said.key):
                raise no_entry("key")
            return Answered(200, told | {"deleted": 0})
        store = known(self.semantic.entries if self.semantic is not None else None)
        await owned(store, call, said.entry)
        served = self.notes.served.get(said.entry) or Served("", None, None)
        near = said.similarity if said.similarity is not None else served.similarity
        near = CLOSEST if near is None else near
        judgement = Judgement(
            self.wall(), served.route or said.route or "chat", "feedback", said.entry, near, served.score, said.correct,
            "feedback",
        )  # fmt: skip
        quarantined = False if said.correct else await store.quarantine(said.entry)
        await store.observe(said.entry, near, said.correct)
        await store.judged(judgement)
        if self.semantic is not None:
            self.semantic.heard(judgement)
        told = {"entry": said.entry, "correct": said.correct, "quarantined": quarantined}
        return Answered(200, told | {"similarity": round(near, 4), "route": judgement.route})


async def _told(work: Awaitable[Answered]) -> web.Response:
    return answer_of(await work)


def asked_call(exchange: Exchange, asked: Asked) -> Call:
    """The call that this request would be, of this caller. Its trace is its own: what a layer notes there is no fact of
    any request. Raises `Refused`."""
    edge, request = exchange.edge, exchange.request
    target = _target(exchange, asked)
    reader = edge.readers[target.partition("?")[0]]
    exchange.dialect = reader.dialect
    headers = headers_with(request.headers, asked.headers)
    lines = [(name.encode(), value.encode(errors="surrogateescape")) for name, value in headers.items()]
    caller = edge.callers.read(tuple(lines) if asked.headers else request.raw_headers, headers)
    call = Call(
        "POST",
        target,
        headers,
        b"",
        tenant=caller.identity.tenant,
        credential=caller.identity.credential,
        trace=Trace(),
        lines=caller.lines,
    )
    try:
        reader.fill(call, asked.body, caller)
    except Refused as refused:
        refused.param = refused.param and asked.where + refused.param
        raise
    return call


def _target(exchange: Exchange, asked: Asked) -> str:
    """Of a route by its name, or by its path, which may have a query."""
    doors = exchange.edge.doors
    names = {door.label: target for target, door in doors.items()}
    native = "anthropic-version" in {name.lower() for name in (*exchange.request.headers, *asked.headers)}
    route = asked.route or ("messages" if native and "messages" in names else "chat")
    target = names.get(route) or route.removeprefix(MOUNT)
    if target.partition("?")[0] not in doors:
        where = asked.where.removesuffix("body.")
        raise Refused(400, f"unknown route; there are {', '.join(names)}", param=f"{where}route")
    return target
