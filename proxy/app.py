"""The composition root: what the proxy is made of, in the order in which a request meets it.

The only module that names the real clock, the real randomness and the real network.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_choices import OPENAI_CHOICES
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.tasks import Tasks
from adapters.vocabulary import Call, Handler
from cache.coalesce import Coalesce, Peek
from cache.exact import ALONE, Exact, Shared, Stale
from cache.if_cached import IfCached
from cache.invalidator import Invalidator
from cache.items import Items
from cache.policy import Policy
from cache.recent import Recent
from cache.tiers import Tiers
from proxy.beside import Beside, beside
from proxy.cache_notes import Notes
from proxy.cache_room import cache_room
from proxy.config import Settings
from proxy.config_rules import resolve_keys
from proxy.edge import Desk, Door, Edge
from proxy.equivalents import Equivalents, equivalents, rows_of
from proxy.fanout import FanoutDesk
from proxy.metrics import Metrics
from proxy.operations import operations
from proxy.peers import Peers
from proxy.record import Recorder
from proxy.sinks import recorder_of, sinks_of
from proxy.storage import Storage, Workers, storage
from proxy.storage_redis import Shared as Replicated
from proxy.storage_redis import secret_of
from proxy.tenants import Managed, PassThrough, Tenancy
from proxy.upstreams import Upstreams, World, connect
from proxy.warm_door import WarmDesk
from warming.several import Names, Several


@dataclass(slots=True)
class App:
    """A running proxy without its listening socket."""

    edge: Edge
    levels: Tiers
    metrics: Metrics
    tasks: Tasks
    upstreams: Upstreams
    recorder: Recorder | None
    near: Equivalents | None
    beside: Beside

    async def close(self, deadline: float) -> None:
        """Lets flights end within `deadline` seconds, then closes what is open."""
        await self.tasks.drain(deadline)
        await self.beside.close()
        if self.near is not None:
            await self.near.close()
        await self.upstreams.close()
        if self.recorder is not None:
            await self.recorder.close()
        await self.beside.storage.close()


async def build(settings: Settings, env: Mapping[str, str], *, index: int = 0, peers: Path | None = None) -> App:
    """The proxy; with `peers`, a directory, as the worker of this index among others on the same port."""
    tasks = Tasks()
    world = _world()
    async with AsyncExitStack() as opened:  # closed again where something that comes later can't be had
        store = await storage(settings, env, world, tasks, opened, Workers(index, peers))
        app = await _built(settings, env, store, world, tasks, opened)
        await app.beside.open(settings, world, tasks)
        app.edge.operations = operations(settings, app.edge, app.metrics, _peers(peers, index, app.metrics, tasks))
        opened.pop_all()
    return app


@asynccontextmanager
async def opened(settings: Settings, env: Mapping[str, str]) -> AsyncIterator[Invalidator]:
    """The store of a configuration beside the proxies that use it, which hear of what is invalidated. Raises
    `ConfigError`."""
    tasks, world = Tasks(), _world()
    async with AsyncExitStack() as stack:
        store = await storage(settings, env, world, tasks, stack, Workers(number=-1))
        near = rows_of(settings, env, world)
        if near is not None:
            await near.open()
            stack.push_async_callback(near.close)
        invalidator = store.invalidator(near)
        if store.shared is not None:
            await store.shared.replicas.open(tasks, world.sleep)
            stack.push_async_callback(store.shared.replicas.close)
        try:
            yield invalidator
        finally:
            await tasks.drain(1.0)


async def _built(
    settings: Settings, env: Mapping[str, str], store: Storage, world: World, tasks: Tasks, opened: AsyncExitStack
) -> App:
    levels, labels = store.tiers, store.labels
    tenancy, verify = await _tenancy(settings, env, store.shared)
    upstreams = connect(settings, env, world, tasks, verify=verify, leases=store.leases)
    opened.push_async_callback(upstreams.close)
    await upstreams.open()
    opened.push_async_callback(tasks.drain, 0.0)
    if upstreams.tell:
        tasks.spawn(upstreams.learn(), endless=True)

    # The onions, innermost first. Leaving a layer out is leaving out its line.
    kept = settings.cache.exact
    policy = Policy(any_temperature=kept.temperature == "any", max_answer=kept.max_answer)
    caches, shared = settings.cache.enabled and kept.enabled, _shared(settings, tasks, verify=verify)
    # Pruning and the warming of prompt caches stand around each upstream, behind routing and translation: `connect`.
    names = Names(time.time())
    talking: Handler = Several(upstreams.router, OPENAI_CHOICES, names, tasks)
    talking = IfCached(talking) if settings.cache.enabled else talking
    near = await _near(settings, env, talking, upstreams, policy, world, tasks, store, opened)
    talking = near.layer if near is not None else talking  # equivalent questions, allowed to refuse
    exact = _exact(settings, talking, store, policy, upstreams) if caches else None
    talking = shared(exact or talking, exact.peek if exact else _nothing, policy.cacheable)

    embedding: Handler = upstreams.router
    items = Items(embedding, levels, upstreams.admission, time.time, kept.max_answer, labels) if caches else None
    embedding = shared(items or embedding, items.peek if items else _nothing, _always)

    aside = beside(settings, env, store, exact, near.store if near else None, world, tasks)
    metrics, notes = _metrics(levels, upstreams, near, aside), Notes(Recent())
    recorder = recorder_of(settings, env, time.time())
    edge = Edge(
        _doors(talking, embedding),
        upstreams.router.elsewhere,
        routing=upstreams.router.routing,
        tenancy=tenancy,
        operations={},
        sinks=[*sinks_of(settings, metrics, recorder), notes.note, *([aside.warming.note] if aside.warming else [])],
        body_limit=settings.limits.body,
        clock=time.perf_counter,
        wall=time.time,
        desks=_desks(settings, upstreams, names, tasks, exact.holds if exact else _never, policy.cacheable),
        rooms={"cache": cache_room(settings, store, aside, exact, items, near, upstreams, notes, time.time)},
    )
    return App(edge, levels, metrics, tasks, upstreams, recorder, near, aside)


def _world() -> World:
    return World(time.time, time.perf_counter, asyncio.sleep, random.Random().random)


def _doors(talking: Handler, embedding: Handler) -> dict[str, Door]:
    return {
        "/chat/completions": Door(OPENAI_CHAT, talking, "chat"),
        "/messages": Door(ANTHROPIC_MESSAGES, talking, "messages"),
        "/responses": Door(OPENAI_RESPONSES, talking, "responses"),
        "/embeddings": Door(OPENAI_EMBEDDINGS, embedding, "embeddings"),
    }


async def _near(
    settings: Settings,
    env: Mapping[str, str],
    inner: Handler,
    upstreams: Upstreams,
    policy: Policy,
    world: World,
    tasks: Tasks,
    store: Storage,
    opened: AsyncExitStack,
) -> Equivalents | None:
    if not (settings.cache.enabled and settings.cache.semantic.enabled):
        return None
    near = await equivalents(settings, env, inner, upstreams, policy, world, tasks, store.tiers.validity, store.labels)
    opened.push_async_callback(near.close)
    opened.push_async_callback(tasks.drain, 0.0)  # closing goes backwards: first of all what uses it
    tasks.spawn(near.reembed(asyncio.sleep), endless=True)
    return near


def _exact(settings: Settings, inner: Handler, store: Storage, policy: Policy, upstreams: Upstreams) -> Exact:
    stale, redis = settings.cache.stale, settings.cache.multi_level.l3
    ends = Stale(stale.if_error, stale.while_revalidate)
    shared = Shared(store.leases, redis.lease_wait) if store.leases is not None else ALONE
    return Exact(inner, store.tiers, policy, upstreams.admission, time.time, store.labels, ends, shared)


def _metrics(levels: Tiers, upstreams: Upstreams, near: Equivalents | None, aside: Beside) -> Metrics:
    def sizes() -> dict[str, dict[str, int]]:
        return levels.stats() | ({"semantic": near.store.stats()} if near else {})

    return Metrics(sizes, upstreams.layers.figures, near.figures if near else dict, aside.figures)


Eligible = Callable[[Call], bool]


def _desks(
    settings: Settings, upstreams: Upstreams, names: Names, tasks: Tasks, held: Eligible, cacheable: Eligible
) -> dict[str, Desk]:
    warming, cache = settings.warming, settings.cache
    shares = cacheable if cache.enabled and cache.coalesce.enabled else _never
    most, limit = warming.branches, settings.limits.body
    return {
        "/fanout": FanoutDesk(names, tasks, most=most, limit=limit, held=held, shares=shares),
        "/warm": WarmDesk(upstreams.router, enabled=warming.enabled),
    }


def _shared(settings: Settings, tasks: Tasks, *, verify: bool) -> Callable[[Handler, Peek, Eligible], Handler]:
    """What puts the coalescing layer around an onion, or leaves it as it is."""
    shared = settings.cache.coalesce

    def around(inner: Handler, peek: Peek, eligible: Eligible) -> Handler:
        if not (settings.cache.enabled and shared.enabled):
            return inner
        unproven = _credential if verify else _nobody
        return Coalesce(inner, peek, eligible, unproven, tasks, shared.ahead, shared.max_bytes)

    return around


async def _tenancy(settings: Settings, env: Mapping[str, str], shared: Replicated | None) -> tuple[Tenancy, bool]:
    """How callers are told apart, and whether the providers have to be asked about their credentials."""
    share = settings.tenants.share_cache
    if settings.tenants.mode == "managed":
        return Managed(resolve_keys(settings, env), share_cache=share), False
    return PassThrough(await secret_of(settings, env, shared), share_cache=share), settings.tenants.verify


def _nothing(call: Call) -> None:
    return None


def _never(call: Call) -> bool:
    return False


def _always(call: Call) -> bool:
    return True


def _credential(call: Call) -> str:
    return call.credential


def _nobody(call: Call) -> str:
    return ""


def _peers(directory: Path | None, index: int, metrics: Metrics, tasks: Tasks) -> Peers | None:
    if directory is None:
        return None
    peers = Peers(directory, index, metrics)
    tasks.spawn(peers.write_for_ever(asyncio.sleep), endless=True)
    return peers
