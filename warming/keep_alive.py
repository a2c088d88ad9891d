"""Keeps prefixes in the provider's prompt cache by reading them before they expire, while that is cheaper than writing
them again, within a budget; it ends by itself.

A ping costs r for each token, a lapse (w - r): pings pay as long as somebody is expected back before the next lapse
with a probability above r / (w - r) (`warming.economics`). What was asked for is kept for as long as was asked. What
traffic comes back to is kept where its own gaps say so, and only if that is configured.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapters.tasks import Tasks
from adapters.vocabulary import Clock, Extra, Sleep
from adapters.warm_call import WarmBody
from warming.economics import Rates, rates_of
from warming.keep_alive_economics import hazard, ping_cost
from warming.ledger import Ledger
from warming.planner import Planner
from warming.request import Request
from warming.returns import Returns

log = logging.getLogger("warmgate.keep_alive")

EARLY = 0.8
"""Share of a life after which a prefix is read again: Anthropic's cost guide reads those of five minutes every four
(September 2026)."""

STEP = 30.0
"""Seconds that the loop sleeps at most: what is added meanwhile may be due before what it sleeps for, but no entry
lives so short."""

MOST = 64
"""Prefixes that are kept: each holds its request."""

Ping = Callable[[Request, int, WarmBody], Awaitable[Extra]]


@dataclass(slots=True, eq=False)
class Kept:
    request: Request
    at: int
    body: WarmBody
    used: float
    """When its life last began."""
    until: float | None
    """When keeping it ends; None: when its traffic is no longer expected back."""
    dollars: float
    """That may still be spent on it."""


class KeepAlive:
    """The warmer loop: one task while there is something to keep."""

    def __init__(
        self,
        ping: Ping,
        planner: Planner,
        ledger: Ledger,
        tasks: Tasks,
        *,
        dollars: float,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        """`dollars`: what all that is kept for traffic's sake may cost in the life of this process, by whichever of
        those that share the ledger."""
        self._ping, self._planner, self._ledger, self._tasks = ping, planner, ledger, tasks
        self._clock, self._sleep = clock, sleep
        self._most = dollars
        self.returns = Returns()
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._running = False

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def dollars(self) -> float:
        """What is left."""
        return self._most - self._ledger.kept

    def keep(self, request: Request, at: int, body: WarmBody, *, seconds: float, dollars: float) -> None:
        """As was asked for."""
        now = self._clock()
        self._add(Kept(request, at, body, now, now + seconds, dollars))

    def traffic(self, request: Request, at: int, body: Callable[[], WarmBody | None]) -> None:
        """A request with this static prefix was answered. `body` makes the ping, if it comes to that."""
        digest, now, life = request.prompt.points[at].digest, self._clock(), self._life(request)
        self.returns.came(digest, now, life)
        kept = self._kept.get(digest)
        if kept is not None:
            kept.used = now
        elif self.dollars > 0 and self.returns.chance(digest, 1) > hazard(_rates(request)):
            made = body()
            if made is not None:
                self._add(Kept(request, at, made, now, None, self.dollars))

    def _add(self, kept: Kept) -> None:
        digest = kept.request.prompt.points[kept.at].digest
        self._kept.pop(digest, None)
        self._kept[digest] = kept
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        if not self._running:
            self._running = True
            self._tasks.spawn(self._run(), endless=True)

    def _life(self, request: Request) -> float:
        return self._planner.beliefs.life(request.terms.name, request.terms.profile)

    def _due(self, kept: Kept) -> float:
        """When it must be read again: real requests count as pings."""
        belief = self._planner.beliefs.warm.get(kept.request.prompt.points[kept.at].digest)
        kept.used = max(kept.used, belief.used if belief is not None else 0.0)
        return kept.used + EARLY * self._life(kept.request)

    async def _run(self) -> None:
        try:
            while self._kept:
                digest, kept = min(self._kept.items(), key=lambda item: self._due(item[1]))
                due = self._due(kept)
                if (wait := due - self._clock()) > 0:
                    await self._sleep(min(wait, STEP))
                    continue  # somebody may have come in the meantime
                await self._renew(digest, kept)
        except Exception:
            # A loop that nobody awaits: what ends it must be seen, and must end nothing else.
            log.exception("keeping prompts warm has ended")
        finally:
            self._running = False

    async def _renew(self, digest: bytes, kept: Kept) -> None:
        why = self._enough(digest, kept)
        if not why:
            extra = await self._ping(kept.request, kept.at, kept.body)
            self._ledger.extra(extra, kept.request.call.tenant)
            kept.used = self._clock()
            spent = extra.cost or 0.0
            kept.dollars -= spent
            if kept.until is None:
                self._ledger.kept += spent
            why = extra.failed or ("no price" if extra.cost is None else "")
        if why:
            log.info("a prompt is no longer kept warm: %s", why)
            self._kept.pop(digest, None)

    def _enough(self, digest: bytes, kept: Kept) -> str:
        """Why this prefix is not to be read once more; empty where it is."""
        now, life = self._clock(), self._life(kept.request)
        if kept.until is not None:
            if now >= kept.until:
                return "its time is over"
        elif self.returns.chance(digest, self.returns.lives(digest, now, life)) <= hazard(_rates(kept.request)):
            return "nobody is expected back"
        budget = kept.dollars if kept.until is not None else self.dollars
        shared, own = kept.request.prompt.points[kept.at].tokens, kept.body.placeholder_tokens
        price = ping_cost(shared, _rates(kept.request), own=own, output=kept.body.output)
        return "its budget is spent" if price > budget else ""


def _rates(request: Request) -> Rates:
    return rates_of(request.terms.rates, request.terms.profile.life)._replace(price=request.dollars)
