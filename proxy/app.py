"""The composition root: what the proxy is made of, in the order in which a request meets it.

The only module that names the real clock, the real randomness and the real network.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import web
from yarl import URL

from adapters.ask_usage import AskUsage
from adapters.errors import Unfoldable
from adapters.meter import Meter
from adapters.openai_chat import OPENAI_CHAT
from adapters.simulated import Simulated, Timing
from adapters.tasks import Tasks
from adapters.upstream import Patience, Retries, Upstream
from adapters.vocabulary import PLAIN, Call, Handler
from cache.coalesce import Coalesce
from cache.controls import member_of
from cache.disk import Disk
from cache.exact import Admission, Exact
from cache.levels import Levels
from cache.memory import Memory
from cache.policy import Policy
from proxy.config import SIMULATED, Settings
from proxy.config_rules import located, provider_key, resolve_keys, store_path, stores_on_disk
from proxy.edge import Edge, Operation
from proxy.events import Event, Sink, log_event
from proxy.metrics import CONTENT_TYPE, Metrics, exposition
from proxy.peers import Peers
from proxy.pricing import prices_of
from proxy.record import Recorder
from proxy.respond import SERVER
from proxy.secret import install_secret
from proxy.tenants import Admitted, Managed, PassThrough, Tenancy, Trusted

OURS = {"Server": SERVER}

DIALECTS = {"/chat/completions": OPENAI_CHAT}
"""Routes (below /v1) whose bodies are read; all others pass through."""


@dataclass(slots=True)
class App:
    """A running proxy without its listening socket."""

    edge: Edge
    exact: Exact | None
    coalesce: Coalesce | None
    levels: Levels
    metrics: Metrics
    tasks: Tasks
    session: aiohttp.ClientSession
    recorder: Recorder | None

    async def close(self, deadline: float) -> None:
        """Lets flights end within `deadline` seconds, then closes what is open."""
        await self.tasks.drain(deadline)
        await self.session.close()
        if self.recorder is not None:
            await self.recorder.close()
        await self.levels.close()


async def build(settings: Settings, env: Mapping[str, str], *, index: int = 0, peers: Path | None = None) -> App:
    """The proxy; with `peers`, a directory, as the worker of this index among others on the same port."""
    tasks = Tasks()
    session = _session(settings)
    levels = _levels(settings, env)
    await levels.open()
    tenancy, admitted = _tenancy(settings, env)
    provider = _provider(settings, env, session)
    admission: Admission = Trusted()
    if admitted:
        provider = admission = Admitted(provider, window=settings.tenants.revalidate, clock=time.time)

    # The onion, innermost first. Leaving a layer out is leaving out its line.
    exact = coalesce = None
    handler: Handler = Meter(provider, prices_of(settings, time.time()).cost, time.perf_counter)
    if settings.upstream.stream_usage == "always":
        handler = AskUsage(handler)
    # Warm(handler, ...)       gates siblings and warms the shared prefix
    # Prune(handler, ...)      pruning hooks, in front of the warm call
    # Semantic(handler, ...)   equivalent questions, allowed to refuse
    kept, shared = settings.cache.exact, settings.cache.coalesce
    policy = Policy(any_temperature=kept.temperature == "any", max_answer=kept.max_answer)
    if settings.cache.enabled and kept.enabled:
        handler = exact = Exact(handler, levels, policy, admission, time.time)
    if settings.cache.enabled and shared.enabled:
        peek, unproven = exact.peek if exact else _nothing, _credential if admitted else _nobody
        coalesce = Coalesce(handler, peek, policy.cacheable, unproven, tasks, shared.ahead, shared.max_bytes)
        handler = coalesce

    metrics = Metrics(levels.stats)
    where = settings.record.dir
    recorder = Recorder(located(where, env), started=time.time(), pid=os.getpid()) if where else None
    edge = Edge(
        handler,
        provider,
        dialects=DIALECTS,
        tenancy=tenancy,
        operations={},
        sinks=_sinks(settings, metrics, recorder),
        body_limit=settings.limits.body,
        clock=time.perf_counter,
        wall=time.time,
    )
    edge.operations = _operations(settings, edge, metrics, _peers(peers, index, metrics, tasks))
    return App(edge, exact, coalesce, levels, metrics, tasks, session, recorder)


def _session(settings: Settings) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=settings.upstream.connections, keepalive_timeout=60)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        proxy=_outbound_proxy(settings.upstream.base_url),
        max_line_size=65536,
        max_field_size=65536,
    )


def _outbound_proxy(base_url: str) -> str | None:
    """What the usual variables (HTTPS_PROXY, NO_PROXY...) say about this provider, asked once: aiohttp's `trust_env`
    asks in a thread for every request, which costs more than the request."""
    url = URL(base_url) if base_url != SIMULATED else None
    if url is None or url.host is None or proxy_bypass(url.host):
        return None
    return getproxies().get(url.scheme)


def _levels(settings: Settings, env: Mapping[str, str]) -> Levels:
    store = settings.cache.multi_level
    l1 = l2 = None
    if settings.cache.enabled and settings.cache.exact.enabled and store.l1.enabled:
        l1 = Memory(store.l1.max_size, store.l1.max_bytes, store.l1.ttl, time.time)
    if stores_on_disk(settings):
        l2 = Disk(store_path(settings, env), store.l2.max_size, store.l2.max_bytes, store.l2.ttl, time.time)
    return Levels(l1, l2)


def _tenancy(settings: Settings, env: Mapping[str, str]) -> tuple[Tenancy, bool]:
    """How callers are told apart, and whether the provider has to be asked about their credentials."""
    share = settings.tenants.share_cache
    if settings.tenants.mode == "managed":
        return Managed(resolve_keys(settings, env), share_cache=share), False
    secret = install_secret(store_path(settings, env).parent if stores_on_disk(settings) else None)
    return PassThrough(secret, share_cache=share), settings.tenants.verify


def _provider(settings: Settings, env: Mapping[str, str], session: aiohttp.ClientSession) -> Handler:
    up = settings.upstream
    if up.base_url == SIMULATED:
        pace = settings.simulated
        timing = Timing(pace.first_token, pace.tokens_per_second, pace.prefill_per_second)
        return Simulated(OPENAI_CHAT, timing, sleep=asyncio.sleep, clock=time.perf_counter, seed=pace.seed)
    return Upstream(
        session,
        up.base_url,
        api_key=provider_key(settings, env),
        patience=Patience(up.connect_timeout, up.first_byte_timeout, up.read_timeout),
        retries=Retries(up.retries, up.retry_max_wait),
        clock=time.perf_counter,
        sleep=asyncio.sleep,
        chance=random.Random().random,
        wall=time.time,
    )


def _nothing(call: Call) -> None:
    return None


def _credential(call: Call) -> str:
    return call.credential


def _nobody(call: Call) -> str:
    return ""


def _sinks(settings: Settings, metrics: Metrics, recorder: Recorder | None) -> list[Sink]:
    sinks: list[Sink] = []
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
        if call is None or call.dialect is None or not call.parsed or event.status >= 400:
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
        recorder.record(call.tenant, call.headers.get("x-session-id", ""), body, message, usage, event.at)

    return sink


def _peers(directory: Path | None, index: int, metrics: Metrics, tasks: Tasks) -> Peers | None:
    if directory is None:
        return None
    peers = Peers(directory, index, metrics)
    tasks.spawn(peers.write_for_ever(asyncio.sleep), endless=True)
    return peers


def _operations(settings: Settings, edge: Edge, metrics: Metrics, peers: Peers | None) -> dict[str, Operation]:
    async def healthz() -> web.Response:
        return web.json_response({"status": "ok"}, headers=OURS)

    async def readyz() -> web.Response:
        draining = edge.gate.draining
        return web.json_response(
            {"status": "draining" if draining else "ready"}, status=503 if draining else 200, headers=OURS
        )

    async def scrape() -> web.Response:
        metrics.in_flight = edge.gate.in_flight
        page = exposition(peers.all() if peers else metrics)
        return web.Response(body=page, headers=OURS | {"Content-Type": CONTENT_TYPE})

    pages: dict[str, Operation] = {"/healthz": healthz, "/readyz": readyz}
    if settings.metrics.enabled:
        pages["/metrics"] = scrape
    return pages
