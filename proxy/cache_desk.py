"""`/cache/...`: why a request hits or misses, and what to do about a wrong answer.

`POST /cache/explain`, `POST /cache/feedback`, `POST /cache/purge`, `DELETE /cache/entries/ID` (of the semantic cache),
`DELETE /cache/keys/HEX` (of the exact one). A caller is known by his credential as at every other door, and sees and
changes what is his tenant's, nothing else: what belongs to another does not exist for him. With the semantic cache off
all that concerns the exact one works.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import msgspec
from aiohttp import web

from adapters.errors import Refused
from adapters.vocabulary import Call, Clock, Reply, Trace
from cache.entry import Entry
from cache.exact import Exact
from cache.items import Items
from cache.key import key_of, scope_of
from cache.look import Explains, Look
from cache.near import Judgement
from cache.recall import Admission
from cache.tiers import Tiers
from proxy.cache_exact import exact_told, items_told
from proxy.cache_gate import owner_refusal, refusal
from proxy.cache_notes import Notes, Served
from proxy.cache_told import look_told
from proxy.cache_wish import Asked, Feedback, asked_of, entry_of, feedback_of, headers_with, key_of_text, purge_of
from proxy.callers import Caller
from proxy.edge import MOUNT, Exchange
from proxy.respond import SERVER

_DELETED = re.compile(r"/cache/(entries/[0-9]{1,19}|keys/[0-9A-Fa-f]{16,64})")

CLOSEST = 1.0
"""How near an entry is taken to have been where nobody knows. A wrong answer even there counts against the entry the
most, a right one for it the least."""


class Entries(Protocol):
    """The store of the semantic cache, as far as it is used here (`cache.semantic_store`)."""

    async def entry(self, id: int) -> Entry | None: ...
    async def delete(self, id: int, tenant: str | None) -> bool: ...
    async def quarantine(self, id: int) -> bool: ...
    async def purge(self, *, scope: bytes | None, tenant: str | None) -> int: ...
    async def observe(self, id: int, similarity: float, correct: bool) -> None: ...
    async def judged(self, judgement: Judgement) -> None: ...


class Semantic(NamedTuple):
    layer: Explains
    entries: Entries
    heard: Callable[[Judgement], None] = lambda judgement: None
    """Is told what callers said of answers, beside the store: the breaker of a route."""


Told = dict[str, Any]


class CacheDesk:
    """`exact` and `items` are the caches of answers and of embeddings, `semantic` that of equivalent questions; each is
    None where it is off. `levels`: what the first two keep. `wall`: Unix time."""

    label = "cache"

    def __init__(
        self,
        *,
        levels: Tiers,
        exact: Exact | None,
        items: Items | None,
        semantic: Semantic | None,
        admission: Admission,
        notes: Notes,
        wall: Clock,
    ) -> None:
        self.levels, self.exact, self.items, self.semantic = levels, exact, items, semantic
        self.admission, self.notes, self.wall = admission, notes, wall

    async def serve(self, exchange: Exchange, raw: bytes, caller: Caller) -> web.StreamResponse:
        call = exchange.call
        assert call is not None
        exchange.trace.source = "proxy"
        path = call.target
        if path == "/cache/explain":
            exchange.only("POST")
            return await self._explained(exchange, raw)
        work = self._work(exchange, path, raw)
        routing = next(iter(exchange.edge.readers.values())).routing
        no = await owner_refusal(self.admission, call, routing.elsewhere(call), routing.peers)
        return await exchange.told(call, no) if no is not None else _answer(await work(call))

    def _work(self, exchange: Exchange, path: str, raw: bytes) -> Callable[[Call], Any]:
        if path == "/cache/feedback":
            exchange.only("POST")
            said = feedback_of(raw)
            return lambda call: self._heard(call, said)
        if path == "/cache/purge":
            exchange.only("POST")
            purge = purge_of(raw)
            if purge.scope_of is not None:
                about = asked_call(exchange, purge.scope_of)
                return lambda call: self._purge_around(about)
            return lambda call: self._purge(call, purge.scope)
        if _DELETED.fullmatch(path):
            exchange.only("DELETE")
            kind, _, name = path.removeprefix("/cache/").partition("/")
            if kind == "entries":
                number = entry_of(int(name))
                return lambda call: self._delete(call, number)
            key = key_of_text(name)
            return lambda call: self._delete_exact(call, key)
        raise Refused(404, "unknown route; there are explain, feedback, purge, entries/ID and keys/HEX", code="unknown")

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
        return _answer(told)

    async def _looked(self, call: Call) -> Look:
        return Look() if self.semantic is None else await self.semantic.layer.explain(call)

    # -- what somebody says of an answer -----------------------------------------------------------------------------

    async def _heard(self, call: Call, said: Feedback) -> Told:
        if said.key:
            told: Told = {"key": said.key, "correct": said.correct}
            if not said.correct:
                return told | await self._delete_exact(call, said.key)
            await self._own(call, said.key)
            return told | {"deleted": 0}
        store = self._store()
        await self._owned(call, said.entry)
        served = self.notes.served.get(said.entry) or Served("", None, None)
        near = said.similarity if said.similarity is not None else served.similarity
        near = CLOSEST if near is None else near
        judgement = Judgement(
            self.wall(), served.route or said.route or "chat", "feedback", said.entry, near, served.score, said.correct,
            "feedback",
        )  # fmt: skip
        quarantined = False if said.correct else await store.entries.quarantine(said.entry)
        await store.entries.observe(said.entry, near, said.correct)
        await store.entries.judged(judgement)
        store.heard(judgement)
        told = {"entry": said.entry, "correct": said.correct, "quarantined": quarantined}
        return told | {"similarity": round(near, 4), "route": judgement.route}

    def _store(self) -> Semantic:
        if self.semantic is None:
            raise Refused(404, "the semantic cache is off, so it has no entries", code="semantic_off")
        return self.semantic

    async def _owned(self, call: Call, number: int) -> Entry:
        entry = await self._store().entries.entry(number)
        if entry is None or entry.tenant != call.tenant:
            raise _no_entry("entry")
        return entry

    # -- taking out --------------------------------------------------------------------------------------------------

    async def _delete(self, call: Call, number: int) -> Told:
        """The entry, and the same answer where the exact cache has it: who deletes an answer wants it gone."""
        store, entry = self._store(), await self._owned(call, number)
        if not await store.entries.delete(number, call.tenant):
            raise _no_entry("entry")
        exact = await self.levels.delete(entry.key)
        return {"entry": number, "deleted": 1 + exact, "semantic": 1, "exact": int(exact)}

    async def _delete_exact(self, call: Call, key: str) -> Told:
        deleted = sum([await self.levels.delete(entry.key) for entry in await self._own(call, key)])
        return {"key": key, "deleted": deleted, "semantic": 0, "exact": deleted}

    async def _own(self, call: Call, key: str) -> list[Entry]:
        """Entries of the exact cache that are meant by a key or its beginning; those of other tenants are not there."""
        whole = bytes.fromhex(key[: len(key) // 2 * 2])
        keys = [whole] if len(key) == 64 else self.levels.starting(whole)
        found = [await self.levels.look(each) for each in keys if each.hex().startswith(key)]
        own = [each[0] for each in found if each is not None and each[0].tenant == call.tenant]
        if not own:
            raise _no_entry("key")
        return own

    async def _purge_around(self, about: Call) -> Told:
        """Everything that was answered in the scope of this request, and the answer to itself."""
        scope = scope_of(about)
        if scope is None and self.semantic is not None:
            raise Refused(400, "only an identical request shares its answers: delete it by its key", param="scope_of")
        entry = await self.levels.look(key_of(about))
        own = entry is not None and entry[0].tenant == about.tenant
        exact = int(own and await self.levels.delete(key_of(about)))
        semantic = 0
        if self.semantic is not None:
            semantic = await self.semantic.entries.purge(scope=scope, tenant=about.tenant)
        return {"deleted": semantic + exact, "semantic": semantic, "exact": exact}

    async def _purge(self, call: Call, scope: bytes | None) -> Told:
        """A scope, or with None everything that is this tenant's."""
        if scope is not None:
            semantic = await self._store().entries.purge(scope=scope, tenant=call.tenant)
            return {"deleted": semantic, "semantic": semantic, "exact": 0}
        self.notes.recent.forget(call.tenant)
        semantic = await self.semantic.entries.purge(scope=None, tenant=call.tenant) if self.semantic is not None else 0
        exact = await self.levels.purge(call.tenant)
        if exact is None:
            told = "the disk failed: what is known of this tenant is not served again, but rows may be left; try again"
            raise Refused(503, told, kind="api_error", code="disk_failed")
        return {"deleted": semantic + exact, "semantic": semantic, "exact": exact}


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


def _no_entry(param: str) -> Refused:
    return Refused(404, "there is no such entry", param=param, code="no_entry")


def _answer(told: Told) -> web.Response:
    body = msgspec.json.encode(told)
    return web.Response(headers={"Content-Type": "application/json", "Server": SERVER}, body=body)
