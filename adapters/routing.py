"""Which upstream answers a call, and what it is asked there: by the model's name, with fallbacks in their order.

`Routing` decides and is pure, `Router` is the handler that acts on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec
from cachetools import LRUCache

from adapters.body import mapping
from adapters.edit import set_member
from adapters.errors import Refused, UpstreamError
from adapters.translated import translated
from adapters.translation import Terms, Translation
from adapters.vocabulary import Call, Clock, Dialect, Handler, Reply, Route, Sent, Way

REMEMBERED = 4096
"""Model names and conversations that are remembered; clients choose both."""

LONGEST_NAME = 256

_encode = msgspec.json.Encoder(order="deterministic").encode


class Rule(NamedTuple):
    """Models whose name matches `pattern` go these ways."""

    pattern: str
    ways: tuple[Way, ...]
    """Their `model`: `*` stands for the name that was asked for."""
    warming: str = ""
    semantic: str = ""
    namespace: str = ""


class Peer(NamedTuple):
    """One upstream as routing sees it."""

    base_url: str
    native: frozenset[str]
    """Names of the dialects that it speaks itself."""
    terms: Terms
    """For calls in other dialects; their `model` is filled in for each call."""


class Routing:
    """`rules` in their order, then `default` (an upstream's name)."""

    def __init__(
        self, peers: Mapping[str, Peer], rules: Sequence[Rule], default: str, translations: Sequence[Translation]
    ) -> None:
        self.peers, self.rules, self.default = peers, rules, default
        self.translations = {(each.client.name, each.provider.name): each for each in translations}
        self._known: LRUCache[str, Route] = LRUCache(REMEMBERED)

    def route(self, model: str) -> Route:
        found = self._known.get(model)
        if found is None:
            found = self._route(model)
            if len(model) <= LONGEST_NAME:
                self._known[model] = found
        return found

    def _route(self, model: str) -> Route:
        rule = next((rule for rule in self.rules if fnmatchcase(model, rule.pattern)), None)
        ways = rule.ways if rule else (Way(self.default, "*"),)
        named = tuple(Way(way.upstream, way.model.replace("*", model)) for way in ways)
        first = named[0]
        mark = msgspec.json.encode((self.peers[first.upstream].base_url, first.model)).decode()
        return Route(named, mark, *((rule.warming, rule.semantic, rule.namespace) if rule else ()))

    def translation(self, dialect: Dialect, way: Way) -> Translation | None:
        """None where the upstream speaks this dialect itself; raises `Refused` where nothing leads from one to the
        other."""
        peer = self.peers[way.upstream]
        if dialect.name in peer.native:
            return None
        for name in sorted(peer.native):
            if (found := self.translations.get((dialect.name, name))) is not None:
                return found
        raise Refused(
            400,
            f"the upstream of this model ({way.upstream}) can't be asked in the {dialect.name} API",
            param="model",
            code="unsupported_api",
        )

    def terms(self, way: Way) -> Terms:
        return self.peers[way.upstream].terms._replace(model=way.model)

    def sent(self, dialect: Dialect, target: str, raw: bytes, parsed: dict[str, Any], way: Way) -> Sent | None:
        """What this way is asked; None where that is `raw`, as it came. Raises `Refused`."""
        translation = self.translation(dialect, way)
        if translation is not None:
            sent = translation.request(parsed, self.terms(way))
            return sent._replace(stateful=translation.provider.stateful(sent.parsed))
        if way.model == (parsed.get("model") or ""):
            return None
        body = set_member(raw, "model", msgspec.json.encode(way.model))
        return Sent(target, body, {**parsed, "model": way.model})

    def elsewhere(self, call: Call) -> str:
        """The upstream for a request that nobody here reads: Anthropic's where the client is one of Anthropic's."""
        if "anthropic-version" in call.headers or call.target.startswith("/messages"):
            for name in (rule.ways[0].upstream for rule in self.rules):
                if "anthropic-messages" in self.peers[name].native:
                    return name
        return self.default


FALLEN = frozenset({429, *range(500, 600)})
"""Answers after which the next way is tried."""

CLOSED = frozenset({"upstream_unreachable"})
"""Failures after which it is: no connection, so nothing was asked. A provider that took the request and stays silent
may be working on it, and would be paid twice."""


class Router:
    """The handler in front of all upstreams (`handlers`, by name).

    A conversation that fell back stays where it went for `sticky` seconds after its last request, because the provider
    there now holds its prompt cache, and returns to the first way only then.
    """

    def __init__(self, routing: Routing, handlers: Mapping[str, Handler], *, sticky: float, wall: Clock) -> None:
        self.routing, self.handlers, self.sticky, self.wall = routing, handlers, sticky, wall
        self._moved: LRUCache[bytes, tuple[int, float]] = LRUCache(REMEMBERED)

    async def __call__(self, call: Call) -> Reply:
        ways = call.route.ways
        if len(ways) < 2:
            return await self._ask(call, 0)
        talk, noted = conversation_of(call), call.trace.modified_bytes
        failed: Reply | UpstreamError | None = None
        for place in self._order(talk, len(ways)):
            call.trace.modified_bytes = noted  # what was made for one that failed tells nothing of the next
            try:
                reply = await self._ask(call, place)
            except UpstreamError as error:
                if error.code not in CLOSED:
                    raise
                failed = error
                continue
            except Refused:
                if not place:
                    raise
                continue  # this one can't be asked that: as good as none, and no fault of the client's
            if reply.status not in FALLEN:
                return self._answered(talk, place, reply)
            failed = reply
        if isinstance(failed, Reply):
            return failed
        raise failed or UpstreamError("no upstream could be asked")

    async def elsewhere(self, call: Call) -> Reply:
        """A request that nobody here reads."""
        call.trace.upstream = name = self.routing.elsewhere(call)
        return await self.handlers[name](call)

    def _order(self, talk: bytes, count: int) -> list[int]:
        moved = self._moved.get(talk)
        first = moved[0] if moved is not None and self.wall() < moved[1] else 0
        return [first, *(place for place in range(count) if place != first)]

    def _answered(self, talk: bytes, place: int, reply: Reply) -> Reply:
        if place and reply.status < 300:
            self._moved[talk] = (place, self.wall() + self.sticky)
        elif not place:
            self._moved.pop(talk, None)
        return reply

    async def _ask(self, call: Call, place: int) -> Reply:
        """One way. The requests of fallbacks are made only when they are needed."""
        way, trace = call.route.ways[place], call.trace
        assert call.dialect is not None
        assert isinstance(call.body, bytes)
        sent = call.sent
        if place:
            sent = self.routing.sent(call.dialect, call.target, call.body, call.parsed, way)
            if sent is not None and sent.copies > 1:
                raise Refused(400, f"{way.upstream} gives one answer to a request", param="n")
        # Not what the route's own upstream would say, and it may be another model: nobody else is to get it.
        trace.refused_to_store = f"fallback to {way.upstream}" if place else ""
        trace.upstream, trace.warnings = way.upstream, sent.warnings if sent is not None else ()
        handler = self.handlers[way.upstream]
        if sent is None:
            return await handler(call)
        translation = self.routing.translation(call.dialect, way)
        if translation is not None:
            return await translated(handler, call, sent, translation, self.routing.terms(way), self.wall)
        trace.modified_bytes += abs(len(sent.body) - len(call.body))
        return await handler(replace(call, body=sent.body, parsed=sent.parsed))


def conversation_of(call: Call) -> bytes:
    """What the turns of one conversation have in common: everything up to the first thing the user said."""
    body = call.parsed
    messages = body.get("messages", body.get("input"))
    if isinstance(messages, list):
        said = next((place for place, each in enumerate(messages) if mapping(each).get("role") == "user"), 0)
        messages = messages[: said + 1]
    start = [call.tenant, call.route.mark, body.get("system"), body.get("instructions"), messages]
    return hashlib.blake2b(_encode(start), digest_size=16).digest()
