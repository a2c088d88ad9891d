"""The semantic cache, put together from the settings: embedder, store, verifier, audits, and the layer over them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from msgspec.structs import asdict

from adapters.cross_encoder import ScorerSpec, scorer_of
from adapters.embedder import Embedder, EmbedderUnavailable, Matrix
from adapters.embedders import Remote, Spec, embedder_of
from adapters.embedding_batches import Limits
from adapters.errors import EmbeddingError
from adapters.openai_chat import OPENAI_CHAT
from adapters.prices import Costs, Prices
from adapters.routing import Routing
from adapters.tasks import Tasks
from adapters.usage import Usage
from adapters.vocabulary import Call, Handler, Reply, Route, Sleep, Way
from cache.audit import Audit
from cache.breaker import Breaker
from cache.budget import Budget
from cache.decide import Decide, Grey, Terms
from cache.judging import Judge, Likeness, Model
from cache.keeping import Labels
from cache.policy import Policy
from cache.semantic import Semantic
from cache.semantic_parts import Marks, Options
from cache.semantic_store import SemanticStore
from cache.verifier import NEVER, UnusableVerifier, Verifier, packaged, read
from proxy.config import Settings
from proxy.config_problem import ConfigError, Problem, Trail
from proxy.config_rules import located, store_path, stores_on_disk
from proxy.config_semantic import Semantic as Given
from proxy.pricing import prices_of
from proxy.providers import network, seller
from proxy.upstreams import Upstreams, World

TRAIL: Trail = ("cache", "semantic")

REMEMBERED = 7 * 86400.0
"""Seconds of judgements that the breaker starts with: its own window."""

STALE = 64
"""Questions that are embedded anew at a time, after a change of embedder."""
STALE_PAUSE = 60.0
"""Seconds until it is tried again after an error."""

ANYBODY = (("Authorization", "Bearer warmgate"),)
"""For upstreams that take any key; in managed mode the provider's own stands in its place."""

Figures = dict[tuple[str, ...], float]


@dataclass(slots=True)
class Equivalents:
    """The layer, and what it stands on."""

    layer: Semantic
    store: SemanticStore
    embedder: Embedder
    audit: Audit

    async def close(self) -> None:
        if (grey := self.layer.decide.grey) is not None:
            await grey.pairs.close()
        await self.embedder.close()
        await self.store.close()

    def figures(self) -> Figures:
        """For metrics."""
        figures: Figures = {("audit", name): float(value) for name, value in self.audit.figures.items()}
        figures["dollars", "audits"] = self.audit.dollars
        figures |= {("open", route): float(not state.serves) for route, state in self.audit.states().items()}
        return figures

    async def reembed(self, sleep: Sleep) -> None:
        """Gives entries of another embedder vectors of this one, until there are none left."""
        while rows := await self.store.stale(STALE):
            vectors, refused = await self._vectors(rows)
            if not vectors:
                await sleep(STALE_PAUSE)  # nothing can be embedded now, not even one by one
                continue
            for id in refused:
                await self.store.delete(id, None)
            if not await self.store.reembed(vectors):
                return

    async def _vectors(self, rows: Sequence[tuple[int, str]]) -> tuple[dict[int, Matrix], list[int]]:
        """By entry, and the entries whose text this embedder does not take."""
        try:
            embedded = await self.embedder.embed([text for _, text in rows])
        except EmbeddingError:
            if len(rows) == 1:
                return {}, [rows[0][0]]
        else:
            return {id: vector for (id, _), vector in zip(rows, embedded.vectors, strict=True)}, []
        found: dict[int, Matrix] = {}
        refused: list[int] = []
        for row in rows:
            vectors, bad = await self._vectors([row])
            found |= vectors
            refused += bad
        return found, refused


async def equivalents(
    settings: Settings,
    env: Mapping[str, str],
    inner: Handler,
    upstreams: Upstreams,
    policy: Policy,
    world: World,
    tasks: Tasks,
    marks: Marks,
    labels: Labels,
) -> Equivalents:
    """Raises `ConfigError` where something is missing, with what to do about it."""
    given, prices = settings.cache.semantic, prices_of(settings, world.wall())
    embedder, verifier, grey = await _models(settings, env, upstreams.router, prices)
    store = _store(settings, env, embedder, world)
    await store.open()
    budget = Budget(given.audit.dollars, world.wall)
    audit = Audit(
        inner,
        store,
        _judge(given, embedder, upstreams.router, upstreams.router.routing, prices, budget),
        Breaker(given.max_error),
        budget,
        tasks,
        share=given.audit.share,
        chance=world.chance,
        wall=world.wall,
    )
    audit.replay(await store.judgements(world.wall() - REMEMBERED), await store.tallies())
    options = Options(given.mode, given.candidates, given.context, asdict(given.ttl))
    layer = Semantic(
        inner,
        store,
        embedder,
        Decide(verifier, embedder, terms_of(given, verifier), world.chance, grey),
        audit,
        policy,
        upstreams.admission,
        options,
        tasks,
        marks,
        labels=labels,
        wall=world.wall,
        clock=world.clock,
    )
    return Equivalents(layer, store, embedder, audit)


def rows_of(settings: Settings, env: Mapping[str, str], world: World) -> SemanticStore | None:
    """What is kept, without an embedder: nothing can be looked for, but all of it taken out. None where there is no
    file."""
    path = semantic_path(settings, env)
    if path is None or not path.exists():
        return None
    given = settings.cache.semantic
    return SemanticStore(path, "", 1, max_size=given.max_size, max_bytes=given.max_bytes, clock=world.wall)


def _store(settings: Settings, env: Mapping[str, str], embedder: Embedder, world: World) -> SemanticStore:
    given = settings.cache.semantic
    return SemanticStore(
        semantic_path(settings, env),
        embedder.identity,
        embedder.dimension,
        max_size=given.max_size,
        max_bytes=given.max_bytes,
        clock=world.wall,
    )


async def _models(
    settings: Settings, env: Mapping[str, str], router: Handler, prices: Prices
) -> tuple[Embedder, Verifier | None, Grey | None]:
    given = settings.cache.semantic
    embedder = await embedder_for(settings, env, router, prices)
    async with AsyncExitStack() as opened:  # closed again where what belongs to it is missing
        opened.push_async_callback(embedder.close)
        verifier = verifier_for(given, env, embedder.identity)
        grey = await grey_for(given, env)
        opened.pop_all()
    return embedder, verifier, grey


async def embedder_for(settings: Settings, env: Mapping[str, str], router: Handler | None, prices: Prices) -> Embedder:
    """The embedder of the settings; raises `ConfigError`. `router`: for one that is a provider's."""
    given = settings.cache.semantic
    about = given.embedding
    spec = Spec(
        about.kind,
        given.embedding_model,
        model_dir=str(located(about.model_dir, env)) if about.model_dir else None,
        sha256=about.sha256,
        dimensions=about.dimensions,
        quantised=about.quantised,
        fetch=about.fetch,
        limits=Limits(size=given.batch_size, timeout=about.timeout),
    )
    remote = None
    if about.kind == "upstream" and router is not None:
        upstream = network(settings).upstreams[about.upstream]
        price = partial(prices.split, provider=seller(upstream))
        way = Route((Way(about.upstream, given.embedding_model),))
        remote = Remote(router, about.upstream, ANYBODY, way, _total(price))
    try:
        return await asyncio.to_thread(embedder_of, spec, remote, env)
    except EmbedderUnavailable as error:
        raise ConfigError([Problem((*TRAIL, "embedding"), str(error))]) from error


async def grey_for(given: Given, env: Mapping[str, str]) -> Grey | None:
    """The second model of the settings, if there is one; raises `ConfigError`."""
    about = given.cross_encoder
    if about.model is None:
        return None
    model_dir = str(located(about.model_dir, env)) if about.model_dir else None
    spec = ScorerSpec(about.model, about.kind, model_dir, about.sha256)
    try:
        return Grey(await asyncio.to_thread(scorer_of, spec, env), about.grey, about.threshold)
    except EmbedderUnavailable as error:
        raise ConfigError([Problem((*TRAIL, "cross_encoder"), str(error))]) from error


def verifier_for(given: Given, env: Mapping[str, str], identity: str) -> Verifier | None:
    """Raises `ConfigError` where the policy needs one and there is none for this embedder."""
    try:
        verifier = read(located(given.calibration, env), identity) if given.calibration else packaged(identity)
    except UnusableVerifier as error:
        raise ConfigError([Problem((*TRAIL, "calibration"), str(error))]) from error
    if given.policy == "static":
        return None
    if verifier is None:
        message = (
            f"there is no verifier for the embedder {identity}: fit one with `warmgate semantic calibrate` and name "
            "its file here, or set `policy: static`"
        )
        raise ConfigError([Problem((*TRAIL, "calibration"), message)])
    if verifier.threshold(given.max_error) >= NEVER:
        message = f"the verifier keeps no bound as strict as {given.max_error:g}"
        raise ConfigError([Problem((*TRAIL, "max_error"), message)])
    return verifier


def terms_of(given: Given, verifier: Verifier | None) -> Terms:
    """What an entry has to fulfil."""
    threshold = verifier.threshold(given.max_error) if verifier is not None else given.similarity_threshold
    return Terms(given.policy, given.similarity_threshold, threshold, given.max_error)


def semantic_path(settings: Settings, env: Mapping[str, str]) -> Path | None:
    """Where the store is; None where it is in memory only."""
    given = settings.cache.semantic.persistence_path
    if given is not None:
        return located(given, env)
    return store_path(settings, env).with_name("semantic.sqlite") if stores_on_disk(settings) else None


def _judge(
    given: Given, embedder: Embedder, router: Handler, routing: Routing, prices: Prices, budget: Budget
) -> Judge:
    if given.audit.judge == "similarity":
        return Judge(Likeness(embedder))
    if given.audit.judge == "model" and given.audit.model:
        model = Model(routed(router, routing), given.audit.model, OPENAI_CHAT, budget, prices.split)
        return Judge(None, model)
    return Judge()


def routed(router: Handler, routing: Routing) -> Handler:
    """Calls that no client made, on the way that their model's name leads to."""

    async def ask(call: Call) -> Reply:
        assert call.dialect is not None
        assert isinstance(call.body, bytes)
        route = routing.route(call.model)
        sent = routing.sent(call.dialect, call.target, call.body, call.parsed, route.ways[0])
        return await router(replace(call, route=route, sent=sent))

    return ask


def _total(price: Callable[[str, Usage], Costs | None]) -> Callable[[str, Usage], float | None]:
    def dollars(model: str, usage: Usage) -> float | None:
        costs = price(model, usage)
        return None if costs is None else costs.total

    return dollars
