"""The layers around each upstream, behind routing and translation: pruning in front, then the warming of prompt caches.

They see requests as the provider does. What they know (beliefs, the ledger, edits that were made) is one for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from adapters.prices import Prices
from adapters.profiles import multipliers, profile_of
from adapters.tasks import Tasks
from adapters.vocabulary import Call, Clock, Handler, Sleep
from cache.leases import Leases
from proxy.config import Settings, Upstream
from proxy.config_problem import ConfigError, Problem
from proxy.config_rules import store_path, stores_on_disk
from proxy.providers import cached_by, seller
from warming.across import Across
from warming.frozen import Frozen
from warming.hook_runner import Counts, Guard, Threads
from warming.hooks import Hook, HookError, load
from warming.hooks import Options as Pruning
from warming.ledger import OTHER, Figures, Ledger
from warming.options import Options
from warming.planner import Planner
from warming.prune import Prune
from warming.pruning import Warmth, terms_of
from warming.reading import Market, Reading
from warming.warm import Warm

TENANTS = 20
"""Told by name in the metrics."""


class Layers:
    """Raises `ConfigError` for a hook that can't be had."""

    def __init__(
        self,
        settings: Settings,
        env: Mapping[str, str],
        prices: Prices,
        tasks: Tasks,
        leases: Leases | None = None,
        *,
        wall: Clock,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._settings, self._prices, self._tasks = settings, prices, tasks
        self._clock, self._sleep = clock, sleep
        self._across = Across(leases, tasks) if leases is not None else None
        self._planner, self.ledger = Planner(), Ledger()
        self._warming, self._pruning = _warming(settings), _pruning(settings)
        self._counts, self._threads = Counts(), Threads()
        self._frozen: Frozen | None = None
        if settings.pruning.mode != "off":
            path = store_path(settings, env).with_name("pruned.sqlite") if stores_on_disk(settings) else None
            self._frozen = Frozen(path, wall)
            hooks = _hooks(settings)
            self._guard = Guard(hooks, self._threads, settings.pruning.timeout, self._counts)

    async def open(self) -> None:
        if self._frozen is not None:
            await self._frozen.open()

    async def close(self) -> None:
        self._threads.close()
        if self._frozen is not None:
            await self._frozen.close()

    def around(self, name: str, upstream: Upstream, handler: Handler) -> Handler:
        """The upstream of this name with its layers."""
        if not self._settings.warming.enabled:
            return handler
        # In managed mode all requests carry one key, and the provider keeps one cache for it; but that tenants notice
        # each other is a setting, here as in our own cache.
        apart = _tenant if self._settings.tenants.mode == "managed" else _credential
        reading = Reading(self._market(name, upstream), self._warming, apart)
        warm = Warm(
            handler,
            self._planner,
            reading,
            self._warming,
            self.ledger,
            self._tasks,
            clock=self._clock,
            sleep=self._sleep,
            across=self._across,
        )
        if self._frozen is None:
            return warm

        def warmth(call: Call) -> Warmth | None:
            known = warm.warmth(call)
            return None if known is None else Warmth(*known)

        return Prune(
            warm,
            self._guard,
            self._frozen,
            mode="on" if self._settings.pruning.mode == "on" else "observe",
            options=self._pruning,
            warmth=warmth,
            terms=lambda call: terms_of(self._prices, cached_by(name, upstream), call.model),
            salt=name.encode(),
        )

    def figures(self) -> Figures:
        """What all of them counted, for metrics."""
        figures = dict(self.ledger.figures)
        for name, counts in self._counts.hooks.items():
            for what in ("runs", "proposed", "applied", "raised", "nonsense", "slow"):
                if value := getattr(counts, what):
                    figures["hooks", name, what] = value
            figures["pruned_tokens", name] = counts.removed
        # The most there is to see, in either direction; the others together.
        tenants = sorted(self.ledger.tenants.items(), key=lambda item: -abs(item[1].net))
        for place, (tenant, account) in enumerate(tenants):
            name = tenant[:32] if place < TENANTS else OTHER
            figures["tenant", name] = figures.get(("tenant", name), 0.0) + account.net
        return figures

    def _market(self, name: str, upstream: Upstream) -> Market:
        prices, sold_by = self._prices, seller(upstream)

        def token(model: str, prompt: int) -> float:
            rates = prices.rates(model, prompt, sold_by)
            return rates.uncached if rates is not None else 0.0

        return Market(
            upstream=name,
            profile=partial(profile_of, cached_by(name, upstream)),
            prices=partial(multipliers, prices, provider=sold_by),
            price=partial(prices.split, provider=sold_by),
            token=token,
        )


def _hooks(settings: Settings) -> list[tuple[str, Hook]]:
    hooks: list[tuple[str, Hook]] = []
    for place, name in enumerate(settings.pruning.hooks):
        try:
            hooks += load([name])
        except HookError as error:
            raise ConfigError([Problem(("pruning", "hooks", place), str(error))]) from error
    return hooks


def _warming(settings: Settings) -> Options:
    given = settings.warming
    return Options(
        observed=given.observed,
        declared=given.declared,
        breakpoints=given.breakpoints == "auto",
        ttl=given.ttl,
        deadline=given.deadline,
        gather=given.gather,
        stream_leaders=given.stream_leaders,
        dollars=given.keep_alive.dollars,
        keep=given.keep_alive.enabled,
    )


def _pruning(settings: Settings) -> Pruning:
    given = settings.pruning
    return Pruning(**{name: getattr(given, name) for name in Pruning._fields})


def _credential(call: Call) -> str:
    return call.credential


def _tenant(call: Call) -> str:
    return call.tenant
