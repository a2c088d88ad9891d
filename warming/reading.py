"""From a call to what warming goes by: its prompt's points, in tokens as this model counts them, and the terms."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from adapters.outline import outline, too_short
from adapters.prices import Costs
from adapters.profiles import Multipliers, Profile
from adapters.usage import Usage
from adapters.vocabulary import Call
from warming.options import Options
from warming.request import Request
from warming.terms import Terms

APIS = frozenset({"openai-chat", "anthropic-messages", "openai-responses"})

BETAS = "anthropic-beta"
"""A header that changes what is rendered."""

SUBSCRIBED = "Bearer sk-ant-oat"
"""How the tokens of a subscription begin, which no API key is: nothing is added to what such a client sends."""

MOST = 16 * 1024 * 1024
"""Bytes of a body that is looked into: reading a longer one would keep all others waiting."""

PER_TOKEN = 4.0
"""Bytes of a body that are one token, until usage has told better."""

LEAST_PER_TOKEN, MOST_PER_TOKEN, PACE = 1.5, 8.0, 0.3
CLOSE = 0.02
"""Share of the truth that is close enough."""

REMEMBERED = 1024
"""Models; their names are the client's to choose."""


class Market(NamedTuple):
    """The prompt cache of one upstream, and its prices, by model."""

    upstream: str
    profile: Callable[[str], Profile]
    prices: Callable[[str], Multipliers | None]
    price: Callable[[str, Usage], Costs | None]
    token: Callable[[str, int], float]
    """Dollars of an uncached token, by model and length of its prompt; 0 where that is unknown."""


class Reading:
    """`apart`: what keeps the prompt caches of callers apart: the credential that the provider sees."""

    def __init__(self, market: Market, options: Options, apart: Callable[[Call], str]) -> None:
        self.market, self._options, self._apart = market, options, apart
        self._per_token: OrderedDict[str, float] = OrderedDict()
        self._terms: dict[tuple[str, str], Terms] = {}

    def terms(self, model: str, strategy: str) -> Terms:
        known = self._terms.get((model, strategy))
        if known is None:
            if len(self._terms) >= REMEMBERED:
                self._terms.clear()
            options, market = self._options, self.market
            known = self._terms[model, strategy] = Terms(
                market.profile(model),
                market.prices(model),
                strategy=strategy,
                breakpoints=options.breakpoints,
                ttl=options.ttl,
                name=f"{market.upstream}/{model}",
            )
        return known

    def request(self, call: Call) -> Request | str:
        """Why there is nothing to look at, where there is not; found out in no time for short requests."""
        dialect, raw = call.dialect, call.body
        if dialect is None or dialect.name not in APIS or not isinstance(raw, bytes):
            return "not a prompt"
        asked = call.route.warming
        strategy = asked or self._options.observed
        if asked == "off":
            return "off"
        model = call.model
        terms = self.terms(model, "leader" if strategy == "call" else strategy)
        profile = terms.profile
        if profile.local:
            return "local"
        if profile.writes == "unknown":
            return "unknown provider"
        if len(raw) > MOST:
            return "too long"
        if terms.breakpoints and call.headers.get("authorization", "").startswith(SUBSCRIBED):
            terms = terms._replace(breakpoints=False)
        per_token = self._per_token.get(model, PER_TOKEN)
        if too_short(raw, profile, per_token):
            return "below minimum"
        betas = call.headers.get(BETAS, "")
        salt = "\0".join((self.market.upstream, self._apart(call), betas)).encode("utf-8", "surrogatepass")
        prompt = outline(call.parsed, api=dialect.name, profile=profile, salt=salt, per_token=per_token)
        return Request(call, raw, dialect.name, prompt, terms, model, self.market.token(model, prompt.tokens))

    def learn(self, request: Request, usage: Usage | None) -> None:
        """How many bytes of this model's prompts are one token, from a bill."""
        if usage is None or usage.estimated or not usage.prompt or not request.prompt.tokens:
            return
        known = self._per_token.get(request.model, PER_TOKEN)
        seen = known * request.prompt.tokens / usage.prompt
        if abs(seen - known) < CLOSE * known:
            return
        self._per_token.pop(request.model, None)
        learned = known + PACE * (seen - known)
        self._per_token[request.model] = min(MOST_PER_TOKEN, max(LEAST_PER_TOKEN, learned))
        while len(self._per_token) > REMEMBERED:
            self._per_token.popitem(last=False)
