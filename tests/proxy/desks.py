"""The proxy with the doors of its cache, and a semantic cache that a test fills by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from multidict import CIMultiDict
from yarl import URL

from adapters.vocabulary import Call
from cache.dependencies import Dependencies
from cache.depending import Depending
from cache.entry import Entry, Shape
from cache.exact import Exact
from cache.files import Files
from cache.items import Items
from cache.look import Look
from cache.near import Judgement, Near
from cache.recent import Recent
from cache.verdict import Opinion, Verdict
from cache.veto import Veto
from proxy.cache_desk import CacheDesk, Semantic
from proxy.cache_notes import Notes
from proxy.value_depends import Labels
from proxy.value_desk import Bounds, ValueDesk
from tests.fakes import CHAT, Clock
from tests.proxy.invalidating import Invalidating, invalidating
from tests.running import Proxy, proxy

SCOPE = bytes(range(32))

GONE = {"complete": True, "missing": []}
"""What an answer tells of an invalidation that everybody has heard of."""


def layers_of(handler: Any) -> list[Any]:
    """A handler and what it stands around."""
    found = []
    while handler is not None:
        found.append(handler)
        handler = getattr(handler, "inner", None)
    return found


class Store:
    """Entries of a semantic cache: what of a store the doors see."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[bytes, Entry]] = {}
        self.quarantined: set[int] = set()
        self.observed: list[tuple[int, float, bool]] = []
        self.judgements: list[Judgement] = []

    def add(self, number: int, tenant: str, scope: bytes = SCOPE, key: bytes = b"k" * 32) -> None:
        entry = Entry(key, tenant, "", "m", Shape.MESSAGE, 200, (), b"{}", True, None, None, 0.0, 1e12)
        self.entries[number] = scope, entry

    async def entry(self, id: int) -> Entry | None:
        return self.entries[id][1] if id in self.entries else None

    async def delete(self, id: int, tenant: str | None) -> bool:
        return id in self.entries and self.entries.pop(id)[1].tenant == tenant

    async def quarantine(self, id: int) -> bool:
        self.quarantined.add(id)
        return id in self.entries

    async def purge(self, *, scope: bytes | None, tenant: str | None) -> int:
        gone = [id for id, (where, entry) in self.entries.items() if entry.tenant == tenant and scope in (None, where)]
        for id in gone:
            del self.entries[id]
        return len(gone)

    async def observe(self, id: int, similarity: float, correct: bool) -> None:
        self.observed.append((id, similarity, correct))

    async def judged(self, judgement: Judgement) -> None:
        self.judgements.append(judgement)


NEAR = Near(123, 0.93, "How long is a marathon in miles?", 999_000.0, 1_003_600.0, ((0.9, True), (0.95, False)))
REFUSED = Verdict(
    None, "units: km / miles", None, 0.97, (Opinion(NEAR, None, (Veto("units", ("km",), ("miles",)),)),), 0.0001
)


class Layer:
    """Says of every request what it was told to say."""

    def __init__(self, look: Look) -> None:
        self.look, self.calls = look, list[Call]()

    async def explain(self, call: Call) -> Look:
        self.calls.append(call)
        return self.look


class Shifted:
    """A clock that a test may put forward."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.by = clock, 0.0

    def __call__(self) -> float:
        return self.clock() + self.by


class Doors:
    """What a test may look at."""

    def __init__(
        self,
        ours: Proxy,
        desk: CacheDesk,
        layer: Layer,
        store: Store,
        around: Invalidating,
        heard: list[Judgement],
        wall: Shifted,
    ) -> None:
        self.ours, self.desk, self.layer, self.store = ours, desk, layer, store
        self.invalidator, self.replicas, self.rows = around
        self.heard, self.wall = heard, wall
        assert desk.values is not None
        self.values = desk.values

    async def ask(
        self, body: Any, path: str = "/cache/explain", method: str = "POST", key: str = "sk-one", **headers: str
    ) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        named = {"Authorization": f"Bearer {key}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        url = URL(self.ours.root + path, encoded=True)
        async with self.ours.session.request(method, url, data=raw, headers=named) as response:
            return response.status, json.loads(await response.read())

    async def value(
        self, method: str, path: str, body: bytes = b"", *, key: str = "sk-one", **headers: str
    ) -> tuple[int, CIMultiDict[str], bytes]:
        """Below `/cache/v1/`; `path` is percent-encoded, and leaves so."""
        named = {"Authorization": f"Bearer {key}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        url = URL(f"{self.ours.root}/cache/v1/{path}", encoded=True)
        async with self.ours.session.request(method, url, data=body, headers=named) as response:
            return response.status, CIMultiDict(response.headers), await response.read()


@asynccontextmanager
async def doors(
    upstream: str,
    directory: Path | None = None,
    config: str = "",
    *,
    semantic: bool = True,
    look: Look | None = None,
    bounds: Bounds | None = None,
) -> AsyncIterator[Doors]:
    """Wired as `proxy.app` wires them."""
    look = look or Look("on", "", SCOPE.hex(), 7, REFUSED)
    async with proxy(upstream, directory, config) as ours:
        app = ours.app
        edge, layer, store = app.edge, Layer(look), Store()
        chat, embeddings = (layers_of(edge.doors[path].handler) for path in ("/chat/completions", "/embeddings"))
        exact = next((each for each in chat if isinstance(each, Exact)), None)
        items = next((each for each in embeddings if isinstance(each, Items)), None)
        notes = Notes(Recent())
        sinks: Any = edge.telling.sinks
        sinks.append(notes.note)
        shifted = Shifted(edge.telling.wall)
        heard = list[Judgement]()
        depending = Depending(Dependencies(), Files(shifted, ["/"]))
        around = invalidating(app.levels, store.entries, depending)
        words = map("word-{}".format, count())
        values = ValueDesk(
            levels=app.levels,
            invalidator=around.invalidator,
            depends=Labels(depending),
            bounds=bounds or Bounds(),
            wall=shifted,
            words=lambda: next(words),
        )
        desk = CacheDesk(
            levels=app.levels,
            exact=exact,
            items=items,
            semantic=Semantic(layer, store, heard.append) if semantic else None,
            admission=app.upstreams.admission,
            notes=notes,
            wall=Clock(),
            invalidator=around.invalidator,
            values=values,
        )
        doors = Doors(ours, desk, layer, store, around, heard, shifted)
        rooms: Any = edge.rooms
        rooms["cache"] = desk
        yield doors


async def key_of(there: Doors, body: Any = CHAT, key: str = "sk-one") -> str:
    return str((await there.ask(body, key=key))[1]["exact"]["key"])


async def tenant_of(there: Doors, key: str = "sk-one") -> str:
    """As the layer is told."""
    await there.ask(CHAT, key=key)
    return there.layer.calls[-1].tenant
