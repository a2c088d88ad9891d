"""The composition root: what the proxy is made of, in the order in which a request meets it.

The only module that names the real clock, the real randomness and the real network.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.errors import Unfoldable
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_choices import OPENAI_CHOICES
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.tasks import Tasks
from adapters.vocabulary import PLAIN, Call, Handler
from cache.coalesce import Coalesce, Peek
from cache.controls import member_of
from cache.disk import Disk
from cache.exact import Exact
from cache.if_cached import IfCached
from cache.items import Items
from cache.memory import Memory
from cache.policy import Policy
from cache.recent import Recent
from cache.tiers import Tiers
from proxy.cache_desk import CacheDesk
from proxy.cache_desk import Semantic as Answers
from proxy.cache_notes import Notes
from proxy.config import Settings
from proxy.config_rules import located, resolve_keys, store_path, stores_on_disk
from proxy.conversations import Conversations
from proxy.edge import Desk, Door, Edge
from proxy.equivalents import Equivalents, equivalents
from proxy.events import Event, Sink, log_event
from proxy.fanout import FanoutDesk
from proxy.metrics import Metrics
from proxy.operations import operations
from proxy.peers import Peers
from proxy.record import Recorder
from proxy.replay_facts import ROUTES
from proxy.secret import install_secret
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

    async def close(self, deadline: float) -> None:
        """Lets flights end within `deadline` seconds, then closes what is open."""
        await self.tasks.drain(deadline)
        if self.near is not None:
            await self.near.close()
        await self.upstreams.close()
        if self.recorder is not None:
            await self.recorder.close()
        await self.levels.close()


async def build(settings: Settings, env: Mapping[str, str], *, index: int = 0, peers: Path | None = None) -> App:
    """The proxy; with `peers`, a directory, as the worker of this index among others on the same port."""
    levels, tasks = _levels(settings, env), Tasks()
    async with AsyncExitStack() as opened:  # closed again where something that comes later can't be had
        await levels.open()
        opened.push_async_callback(levels.close)
        app = await _built(settings, env, levels, tasks, opened)
        app.edge.operations = operations(settings, app.edge, app.metrics, _peers(peers, index, app.metrics, tasks))
        opened.pop_all()
    return app


async def _built(
    settings: Settings, env: Mapping[str, str], levels: Tiers, tasks: Tasks, opened: AsyncExitStack
) -> App:
    tenancy, verify = _tenancy(settings, env)
    world = World(time.time, time.perf_counter, asyncio.sleep, random.Random().random)
    upstreams = connect(settings, env, world, tasks, verify=verify)
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
    near = await _near(settings, env, talking, upstreams, policy, world, tasks, opened)
    talking = near.layer if near is not None else talking  # equivalent questions, allowed to refuse
    exact = Exact(talking, levels, policy, upstreams.admission, time.time) if caches else None
    talking = shared(exact or talking, exact.peek if exact else _nothing, policy.cacheable)

    embedding: Handler = upstreams.router
    items = Items(embedding, levels, upstreams.admission, time.time, max_item=kept.max_answer) if caches else None
    embedding = shared(items or embedding, items.peek if items else _nothing, _always)

    metrics, notes, recorder = _metrics(levels, upstreams, near), Notes(Recent()), _recorder(settings, env)
    edge = Edge(
        {
            "/chat/completions": Door(OPENAI_CHAT, talking, "chat"),
            "/messages": Door(ANTHROPIC_MESSAGES, talking, "messages"),
            "/responses": Door(OPENAI_RESPONSES, talking, "responses"),
            "/embeddings": Door(OPENAI_EMBEDDINGS, embedding, "embeddings"),
        },
        upstreams.router.elsewhere,
        routing=upstreams.router.routing,
        tenancy=tenancy,
        operations={},
        sinks=[*_sinks(settings, metrics, recorder), notes.note],
        body_limit=settings.limits.body,
        clock=time.perf_counter,
        wall=time.time,
        desks=_desks(settings, upstreams, names, tasks, exact.holds if exact else _never, policy.cacheable),
        rooms={"cache": _cache_desk(levels, exact, items, near, upstreams, notes)},
    )
    return App(edge, levels, metrics, tasks, upstreams, recorder, near)


async def _near(
    settings: Settings,
    env: Mapping[str, str],
    inner: Handler,
    upstreams: Upstreams,
    policy: Policy,
    world: World,
    tasks: Tasks,
    opened: AsyncExitStack,
) -> Equivalents | None:
    if not (settings.cache.enabled and settings.cache.semantic.enabled):
        return None
    near = await equivalents(settings, env, inner, upstreams, policy, world, tasks)
    opened.push_async_callback(near.close)
    opened.push_async_callback(tasks.drain, 0.0)  # closing goes backwards: first of all what uses it
    tasks.spawn(near.reembed(asyncio.sleep), endless=True)
    return near


def _metrics(levels: Tiers, upstreams: Upstreams, near: Equivalents | None) -> Metrics:
    def sizes() -> dict[str, dict[str, int]]:
        return levels.stats() | ({"semantic": near.store.stats()} if near else {})

    return Metrics(sizes, upstreams.layers.figures, near.figures if near else dict)


def _recorder(settings: Settings, env: Mapping[str, str]) -> Recorder | None:
    where = settings.record.dir
    return Recorder(located(where, env), started=time.time(), pid=os.getpid()) if where else None


def _cache_desk(
    levels: Tiers,
    exact: Exact | None,
    items: Items | None,
    near: Equivalents | None,
    upstreams: Upstreams,
    notes: Notes,
) -> CacheDesk:
    return CacheDesk(
        levels=levels,
        exact=exact,
        items=items,
        semantic=Answers(near.layer, near.store, near.audit.heard) if near else None,
        admission=upstreams.admission,
        notes=notes,
        wall=time.time,
    )


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


def _levels(settings: Settings, env: Mapping[str, str]) -> Tiers:
    store = settings.cache.multi_level
    l1 = l2 = None
    if settings.cache.enabled and settings.cache.exact.enabled and store.l1.enabled:
        l1 = Memory(store.l1.max_size, store.l1.max_bytes, store.l1.ttl, time.time)
    if stores_on_disk(settings):
        l2 = Disk(store_path(settings, env), store.l2.max_size, store.l2.max_bytes, store.l2.ttl, time.time)
    return Tiers(l1, l2)


def _tenancy(settings: Settings, env: Mapping[str, str]) -> tuple[Tenancy, bool]:
    """How callers are told apart, and whether the providers have to be asked about their credentials."""
    share = settings.tenants.share_cache
    if settings.tenants.mode == "managed":
        return Managed(resolve_keys(settings, env), share_cache=share), False
    secret = install_secret(store_path(settings, env).parent if stores_on_disk(settings) else None)
    return PassThrough(secret, share_cache=share), settings.tenants.verify


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


def _sinks(settings: Settings, metrics: Metrics, recorder: Recorder | None) -> list[Sink]:
    sinks: list[Sink] = [Conversations().note]
    if settings.metrics.enabled:
        sinks.append(metrics.observe)
    if settings.log.requests:
        sinks.append(log_event)
    if recorder is not None:
        sinks.append(_recording(recorder))
    return sinks


def _recording(recorder: Recorder) -> Sink:
    def sink(event: Event) -> None:
        call, message = event.call, None
        if call is None or not call.parsed or event.status >= 400 or event.route not in ROUTES:
            return
        if event.answer is not None:
            try:
                message = event.answer.message()
            except Unfoldable:
                message = None  # torn, or not of one piece: the request is worth recording all the same
        usage = message.get("usage") if message else None
        body = call.parsed
        if call.controls != PLAIN and "cache" not in body:
            body = {**body, "cache": member_of(call.controls)}  # said in a header, and headers are not recorded
        session = call.headers.get("x-session-id", "")
        recorder.record(call.tenant, session, body, message, usage, event.at, event.route)

    return sink


def _peers(directory: Path | None, index: int, metrics: Metrics, tasks: Tasks) -> Peers | None:
    if directory is None:
        return None
    peers = Peers(directory, index, metrics)
    tasks.spawn(peers.write_for_ever(asyncio.sleep), endless=True)
    return peers
