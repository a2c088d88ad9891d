"""Clearing a store without a proxy: what is invalidated there, and for whom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from adapters.errors import Refused
from cache.invalidation import Invalidation
from cache.invalidator import Matching, Outcome
from cache.labels import entry_label
from cache.replicas import Reached
from cache.value_key import value_key
from proxy.config import Settings
from proxy.purge_store import clear_store
from proxy.purge_told import Invalidates
from proxy.purge_wish import Purge
from proxy.value_path import Place
from proxy.value_wish import Named

KEYS = (b"a" * 32, b"b" * 32)


class Store:
    """Opens itself: an invalidator that notes what it is asked for, and finds two entries for everything."""

    def __init__(self, *, failed: bool = False, reached: Reached | None = None) -> None:
        self.failed, self.reached = failed, reached or Reached(complete=True)
        self.seen: list[Invalidation] = []
        self.looked: list[tuple[str | None, str, tuple[str, ...], tuple[str, ...]]] = []
        self.settings: Settings | None = None
        self.closed = 0

    def __call__(self, settings: Settings, env: Mapping[str, str]) -> AbstractAsyncContextManager[Invalidates]:
        self.settings = settings
        return self._opened()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Invalidates]:
        yield self
        self.closed += 1

    async def invalidate(self, what: Invalidation) -> Outcome:
        self.seen.append(what)
        return Outcome(reached=self.reached, failed=self.failed)

    async def matching(
        self, tenant: str | None, *, pattern: str = "", labels: Sequence[str] = (), namespaces: Sequence[str] = ()
    ) -> Matching:
        self.looked.append((tenant, pattern, tuple(labels), tuple(namespaces)))
        return Matching(KEYS, ("n/a", "n/b"))

    async def event(self, kind: str, facts: Mapping[str, str], tenant: str | None) -> Outcome:
        raise LookupError(kind)


async def cleared(purge: Purge, tenant: str | None = None) -> tuple[Store, dict[str, object]]:
    store = Store()
    _, told = await clear_store(Settings(), {}, store, purge, tenant)
    return store, told


@pytest.mark.parametrize(
    ("purge", "tenant", "what"),
    [
        (Purge(everything=True), None, Invalidation(everything=True)),
        (Purge(everything=True), "a", Invalidation("a", everything=True)),
        (Purge(tags=("t", "u")), None, Invalidation(labels=("t", "u"))),
        (Purge(namespace="n"), "a", Invalidation("a", namespaces=("n",))),
        (Purge(depends=(Named("prompt:x"),)), None, Invalidation(labels=("prompt:x",))),
        (
            Purge(depends=(Place("n", "k"),)),
            "a",
            Invalidation("a", labels=(entry_label(value_key("a", "n", "k")),)),
        ),
        (Purge(keys=("ab" * 32,)), None, Invalidation(keys=(b"\xab" * 32,))),
        (Purge(keys=(Place("n", "k"),)), "a", Invalidation("a", keys=(value_key("a", "n", "k"),))),
        (Purge(pattern="n/*"), None, Invalidation(keys=KEYS)),
    ],
)
async def test_what_goes(purge: Purge, tenant: str | None, what: Invalidation) -> None:
    store, told = await cleared(purge, tenant)
    assert (store.seen, told["complete"]) == ([what], True)


@pytest.mark.parametrize(
    ("purge", "looked"),
    [
        (Purge(everything=True), ("a", "*", (), ())),
        (Purge(pattern="n/*"), ("a", "n/*", (), ())),
        (Purge(tags=("t",)), ("a", "", ("t",), ())),
        (Purge(namespace="n"), ("a", "", (), ("n",))),
    ],
)
async def test_a_dry_run_takes_nothing(purge: Purge, looked: object) -> None:
    store, told = await cleared(purge._replace(dry_run=True), "a")
    assert (store.seen, store.looked) == ([], [looked])
    assert told == {"dry_run": True, "would_delete": 2, "examples": ["n/a", "n/b"]}


@pytest.mark.parametrize(
    "purge",
    [
        Purge(keys=(Place("n", "k"),)),
        Purge(keys=("ab" * 31,)),
        Purge(keys=("ab" * 32,), dry_run=True),
        Purge(depends=(Place("n", "k"),)),
    ],
)
async def test_what_can_not_be_said_of_all_tenants(purge: Purge) -> None:
    with pytest.raises(Refused) as refused:
        await cleared(purge)
    assert refused.value.status == 400
