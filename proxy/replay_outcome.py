"""What one strategy came to: tokens, dollars, times and misses, added up request by request."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from adapters.prices import Prices
from adapters.profiles import Profile
from adapters.prompt_caches import readable_at
from adapters.usage import Usage

CLASSES = ("uncached", "read", "write_5m", "write_1h", "write_30m", "write_12h", "output")

FIRST_TOKEN, PREFILL, DECODE, HIT = 0.3, 10_000.0, 100.0, 0.0005
"""The latency model: seconds to the first token of an empty prompt, tokens a second of a prompt (those not read from a
cache) and of an answer, seconds of a hit. Round figures for large hosted models: a model, not a measurement."""

CAUSES = ("cold", "new", "changed", "below_minimum", "lapsed", "in_flight", "unmarked", "evicted")
"""Why a token of a prompt was not read: the session began with it (and nobody had sent it before); a later request
added it; it replaces something (a prompt that does not go on from the one before); what was shared is shorter than the
minimum; its life had ended; it was being written just then; no breakpoint had been set where it would have been found;
a best-effort cache did not have it, or reads in larger steps."""


class Sent(NamedTuple):
    """One request that reached the provider."""

    usage: Usage
    first: float
    """Seconds from its sending to its first token."""

    @property
    def whole(self) -> float:
        return self.first + self.usage.output / DECODE

    def readable(self, profile: Profile, begun: float) -> float:
        """When others can read what it writes, if it was sent then."""
        return readable_at(profile, begun, begun + self.first, begun + self.whole)


def sent(usage: Usage) -> Sent:
    return Sent(usage, FIRST_TOKEN + (usage.prompt - usage.read) / PREFILL)


@dataclass(slots=True)
class Large:
    """Requests whose prompts are long enough to be cached, and their dollars."""

    requests: int = 0
    dollars: float = 0.0
    prompts: float = 0.0
    """Without what was generated."""

    def add(self, requests: int, dollars: float, prompts: float) -> None:
        self.requests += requests
        self.dollars += dollars
        self.prompts += prompts

    def told(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "dollars": round(self.dollars, 9),
            "prompt_dollars": round(self.prompts, 9),
        }


@dataclass(slots=True)
class Outcome:
    """Tokens and dollars are those of the requests that reached the provider, warm calls among them."""

    requests: int = 0
    """Of clients."""
    hits: int = 0
    uncertain: int = 0
    extra: int = 0
    """Warm calls."""
    tokens: list[int] = field(default_factory=lambda: [0] * len(CLASSES))
    dollars: float = 0.0
    by_class: list[float] = field(default_factory=lambda: [0.0] * len(CLASSES))
    extra_dollars: float = 0.0
    priced: int = 0
    unpriced: dict[str, int] = field(default_factory=dict)
    """Requests to models without a price, by model."""
    first: array[float] = field(default_factory=lambda: array("d"))
    """Seconds from the arrival of a request to its first token."""
    whole: array[float] = field(default_factory=lambda: array("d"))
    """Seconds to the last token."""
    prompts: list[int] = field(default_factory=lambda: [0, 0])
    """Tokens of the prompts of real requests, and of warm calls."""
    reads: list[int] = field(default_factory=lambda: [0, 0])
    waited: int = 0
    """Requests that waited for another."""
    misses: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    unread: int = 0
    """Tokens that were written and never read."""
    unread_dollars: float = 0.0
    """What writing them cost above plain input."""
    pruned: int = 0
    """Tokens that hooks took out of prompts."""
    simulated: int = 0
    """Requests to the simulated provider."""
    best_effort: bool = False
    """Whether some of them went to one who promises nothing."""
    large: Large = field(default_factory=Large)
    sessions: dict[int, float] = field(default_factory=dict)
    """Dollars by number of session."""
    when: array[float] = field(default_factory=lambda: array("d"))
    spent: array[float] = field(default_factory=lambda: array("d"))
    """Dollars of the requests sent at these times (seconds), in their order."""

    def hit(self) -> None:
        self.requests += 1
        self.hits += 1
        self.first.append(HIT)
        self.whole.append(HIT)

    def answered(self, waited: float, reply: Sent) -> None:
        """A client's request that waited so long before it was sent."""
        self.requests += 1
        self.waited += waited > 0
        self.first.append(waited + reply.first)
        self.whole.append(waited + reply.whole)

    def bill(
        self, model: str, usage: Usage, prices: Prices, *, session: int, at: float, minimum: int = 0, warm: bool = False
    ) -> None:
        """`warm`: it is a call that no client asked for. `minimum`: tokens below which the model caches nothing."""
        for index, name in enumerate(CLASSES):
            self.tokens[index] += getattr(usage, name)
        self.extra += warm
        self.prompts[warm] += usage.prompt
        self.reads[warm] += usage.read
        costs = prices.split(model, usage)
        if costs is None:
            self.unpriced[model] = self.unpriced.get(model, 0) + 1
            return
        total = costs.total
        self.priced += 1
        self.dollars += total
        self.extra_dollars += total * warm
        for index, name in enumerate(CLASSES):
            self.by_class[index] += getattr(costs, name)
        self.by_class[-1] += costs.reasoning + costs.request
        if usage.prompt >= minimum:
            self.large.add(not warm, total, total - costs.output - costs.reasoning)
        self.sessions[session] = self.sessions.get(session, 0.0) + total
        self.when.append(at)
        self.spent.append(total)

    @property
    def known(self) -> bool:
        """Whether there is a sum. Where some requests have no price it is a part, and says so."""
        return bool(self.priced or not self.unpriced)

    @property
    def latest(self) -> float:
        return max(self.when, default=0.0)


def summary(outcome: Outcome) -> dict[str, Any]:
    """The members of a strategy in the report."""
    known = outcome.known
    return {
        "requests": outcome.requests,
        "hits": outcome.hits,
        "hit_rate": _share(outcome.hits, outcome.requests),
        "uncertain_hits": outcome.uncertain,
        "extra_requests": outcome.extra,
        "tokens": dict(zip(CLASSES, outcome.tokens, strict=True)),
        "dollars": round(outcome.dollars, 9) if known else None,
        "dollars_by_class": dict(zip(CLASSES, (round(each, 9) for each in outcome.by_class), strict=True)),
        "extra_dollars": round(outcome.extra_dollars, 9) if known else None,
        "unpriced_requests": sum(outcome.unpriced.values()),
        "latency_ms": percentiles(outcome.whole),
        "ttft_ms": percentiles(outcome.first),
        "waited": outcome.waited,
        "pruned_tokens": outcome.pruned,
        "hit_rate_real": _share(outcome.reads[0], outcome.prompts[0]),
        "hit_rate_warm": _share(outcome.reads[1], outcome.prompts[1]) if outcome.extra else None,
        "unread_writes": {"tokens": outcome.unread, "dollars": round(outcome.unread_dollars, 9)},
        "misses": outcome.misses,
        "above_minimum": outcome.large.told(),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Nearest rank: a value that occurred. In milliseconds."""
    ordered = sorted(seconds)
    return {
        f"p{percent}": round(1000 * ordered[math.ceil(len(ordered) * percent / 100) - 1], 3) if ordered else 0.0
        for percent in (50, 95)
    }


def course(outcome: Outcome, begin: float, end: float, steps: int = 120) -> list[float]:
    """Dollars spent until each of `steps` equal parts of the time from `begin` to `end` was over."""
    sums = [0.0] * steps
    width = (end - begin) / steps or 1.0
    for at, dollars in zip(outcome.when, outcome.spent, strict=True):
        sums[min(steps - 1, max(0, int((at - begin) / width)))] += dollars
    total, found = 0.0, []
    for each in sums:
        total += each
        found.append(round(total, 9))
    return found


def net(strategies: Mapping[str, dict[str, Any]]) -> None:
    """Adds to each strategy what it saves against `none`; negative where it loses, null where that is unknown."""
    plain = strategies.get("none", {}).get("dollars")
    for strategy in strategies.values():
        dollars = strategy["dollars"]
        strategy["net"] = None if plain is None or dollars is None else round(plain - dollars, 9)
