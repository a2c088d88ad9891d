"""From settings to upstreams: one handler for each, and the routing over all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from adapters import simulated_responses
from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.ask_usage import AskUsage
from adapters.capabilities import Capabilities
from adapters.chat_over_messages import ChatOverMessages
from adapters.dress import Dress, Dressed
from adapters.learning import capabilities_at
from adapters.messages_over_chat import MESSAGES_OVER_CHAT
from adapters.meter import Meter
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.routing import Peer, Router, Routing, Rule
from adapters.simulated import Simulated, Timing
from adapters.simulated_speech import messages, responses
from adapters.tasks import Tasks
from adapters.translation import Terms, Translation
from adapters.upstream import Patience, Retries, Upstream
from adapters.vocabulary import Clock, Handler, Sleep, Way
from cache.leases import Leases
from cache.recall import Admission
from proxy import config
from proxy.config import SIMULATED, Settings
from proxy.config_rules import provider_headers, provider_key
from proxy.layers import Layers
from proxy.pricing import prices_of
from proxy.providers import DEFAULT, Network, network, seller, ways
from proxy.tenants import Admitted, Doors, Trusted

OPENAI = frozenset({OPENAI_CHAT.name, OPENAI_RESPONSES.name, OPENAI_EMBEDDINGS.name})
ANTHROPIC = frozenset({ANTHROPIC_MESSAGES.name})
NATIVE = {"openai": OPENAI, "anthropic": ANTHROPIC, "both": OPENAI | ANTHROPIC}
"""The dialects that a provider has, by what it `speaks`."""

STICKY = 3600.0
"""Seconds that a conversation stays with the upstream it fell back to: the longest life of a prompt cache that a client
can ask for (Anthropic's `1h`; read 2026-11)."""


class World(NamedTuple):
    """What is real about the process."""

    wall: Clock
    clock: Clock
    sleep: Sleep
    chance: Callable[[], float]


@dataclass(slots=True)
class Upstreams:
    router: Router
    admission: Admission
    sessions: list[aiohttp.ClientSession]
    tell: list[Handler]
    """Upstreams that say what their models can do, and that this proxy may ask by itself."""
    learned: dict[str, Capabilities]
    layers: Layers

    async def learn(self) -> None:
        """Asks once. Not by Anthropic's SDK: importing it takes two seconds of CPU from everybody's first requests."""
        for ask in self.tell:
            self.learned.update(await capabilities_at(ask))

    async def open(self) -> None:
        await self.layers.open()

    async def close(self) -> None:
        await self.layers.close()
        for session in self.sessions:
            await session.close()


def connect(
    settings: Settings,
    env: Mapping[str, str],
    world: World,
    tasks: Tasks,
    *,
    verify: bool,
    leases: Leases | None = None,
) -> Upstreams:
    """`verify`: whether the providers have to be asked about the clients' credentials. `leases`: those of all replicas.
    Raises `ConfigError`."""
    net, prices = network(settings), prices_of(settings, world.wall())
    sessions: list[aiohttp.ClientSession] = []
    handlers: dict[str, Handler] = {}
    tell: list[Handler] = []
    learned: dict[str, Capabilities] = {}
    doors: dict[str, Admission] = {}
    simulated = _simulated(settings, world)
    layers = Layers(settings, env, prices, tasks, leases, wall=world.wall, clock=world.clock, sleep=world.sleep)
    for name, upstream in net.upstreams.items():
        handler: Handler = Dressed(simulated, Dress(upstream.speaks or "openai", upstream.anthropic_version))
        if upstream.base_url != SIMULATED:
            sessions.append(_session(upstream))
            handler = _upstream(settings, name, upstream, env, sessions[-1], world)
            if upstream.api_key_env is not None and upstream.speaks == "anthropic":
                tell.append(handler)
        if verify:
            handler = doors[name] = Admitted(handler, window=settings.tenants.revalidate, clock=world.wall)
        price = partial(prices.split, provider=seller(upstream))
        handler = Meter(handler, price, world.clock)
        handler = AskUsage(handler) if upstream.stream_usage == "always" else handler
        handlers[name] = layers.around(name, upstream, handler)
    translations = (ChatOverMessages(learned), MESSAGES_OVER_CHAT)
    router = Router(_routing(net, translations), handlers, sticky=STICKY, wall=world.wall)
    return Upstreams(router, Doors(doors) if verify else Trusted(), sessions, tell, learned, layers)


def _routing(net: Network, translations: Sequence[Translation]) -> Routing:
    peers = {
        name: Peer(str(upstream.base_url), NATIVE[upstream.speaks or "openai"], _terms(upstream))
        for name, upstream in net.upstreams.items()
    }
    rules = [
        Rule(
            route.model,
            tuple(Way(way.upstream, way.send_as or "*") for way in ways(route)),
            route.warming or "",
            route.semantic or "",
            route.namespace or "",
        )
        for route in net.routes
    ]
    return Routing(peers, rules, DEFAULT, translations)


def _terms(upstream: config.Upstream) -> Terms:
    return Terms(
        "",
        version=upstream.anthropic_version,
        max_tokens=upstream.max_tokens,
        strict=upstream.unsupported == "reject",
        reasoning=upstream.reasoning_content,
    )


def _upstream(
    settings: Settings,
    name: str,
    upstream: config.Upstream,
    env: Mapping[str, str],
    session: aiohttp.ClientSession,
    world: World,
) -> Upstream:
    dress = Dress(
        speaks=upstream.speaks or "openai",
        version=upstream.anthropic_version,
        api_key=provider_key(upstream, env, name),
        replaces=settings.tenants.mode == "managed",
        auth=upstream.auth,
        extra=tuple(provider_headers(upstream, env).items()),
    )
    return Upstream(
        session,
        str(upstream.base_url),
        dress=dress,
        patience=Patience(upstream.connect_timeout, upstream.first_byte_timeout, upstream.read_timeout),
        retries=Retries(upstream.retries, upstream.retry_max_wait),
        clock=world.clock,
        sleep=world.sleep,
        chance=world.chance,
        wall=world.wall,
    )


def _session(upstream: config.Upstream) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=upstream.connections, keepalive_timeout=60)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        proxy=_outbound_proxy(str(upstream.base_url)),
        max_line_size=65536,
        max_field_size=65536,
    )


def _outbound_proxy(base_url: str) -> str | None:
    """What the usual variables (HTTPS_PROXY, NO_PROXY...) say about this provider, asked once: aiohttp's `trust_env`
    asks in a thread for every request, which costs more than the request."""
    url = URL(base_url)
    return None if url.host is None or proxy_bypass(url.host) else getproxies().get(url.scheme)


def _simulated(settings: Settings, world: World) -> Simulated:
    pace = settings.simulated
    timing = Timing(pace.first_token, pace.tokens_per_second, pace.prefill_per_second)
    routes = {
        "/messages": messages(ANTHROPIC_MESSAGES, pace.seed),
        "/responses": responses(
            OPENAI_RESPONSES,
            pace.seed,
            objection=simulated_responses.objection,
            whole=simulated_responses.whole,
        ),
    }
    return Simulated(OPENAI_CHAT, timing, sleep=world.sleep, clock=world.clock, seed=pace.seed, routes=routes)
