"""`POST /v1/warm`: has a prefix put into the provider's prompt cache before the requests that share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from adapters.body import decoded
from adapters.errors import Refused
from adapters.usage import Usage
from adapters.vocabulary import Call, Extra, Handler, Reply, Warmup
from proxy.callers import Caller
from proxy.edge import Exchange, call_of
from proxy.fanout_bodies import Api, api_of, sliced
from proxy.respond import SERVER
from warming.several import single

KNOWN = ("api", "request", "keep_alive")

LIVES = {"write_5m": 300, "write_30m": 1800, "write_1h": 3600, "write_12h": 43200}
"""Seconds that what was written lives, by the class that it is billed in, the shortest first."""


class Wish(NamedTuple):
    api: Api
    body: bytes
    warmup: Warmup
    where: str = ""
    """What stands in front of a member's name in errors."""


class WarmDesk:
    """`handler`: the upstreams, without the caches: a warm call is not answered from memory, and not kept.

    What the warming layer did stands on the trace; its reply tells nothing but a status. That a provider refuses is an
    answer to the question asked here, so it is told with 200; 502 and 504 are for a provider that could not be asked.
    """

    label = "warm"

    def __init__(self, handler: Handler, *, enabled: bool) -> None:
        self.handler, self.enabled = handler, enabled

    async def serve(self, exchange: Exchange, raw: bytes, caller: Caller) -> web.Response:
        wish = wish_of(raw, native="anthropic-version" in exchange.request.headers)
        reader = exchange.edge.readers[wish.api.target]
        exchange.dialect = reader.dialect
        call = call_of(wish.api.target, exchange.request, caller, exchange.trace)
        try:
            reader.fill(call, wish.body, caller)
        except Refused as refused:
            refused.param = refused.param and wish.where + refused.param
            raise
        call = exchange.call = replace(single(call), warmup=wish.warmup)
        exchange.trace.source = "proxy"
        status = await self._warmed(call) if self.enabled else None
        told = report(call, status, exchange.seconds, enabled=self.enabled)
        body = msgspec.json.encode(told)
        return web.Response(headers={"Content-Type": "application/json", "Server": SERVER}, body=body)

    async def _warmed(self, call: Call) -> int:
        reply: Reply = await self.handler(call)
        await reply.frames.aclose()
        call.trace.source = reply.source
        return reply.status


def wish_of(raw: bytes, *, native: bool) -> Wish:
    """Reads a body: a request as it is, or `{"api", "request", "keep_alive": {"seconds", "dollars"}}`. Raises `Refused`
    (400, with `param`). `native`: whether the client is one of Anthropic's, for bodies that name no API."""
    body = decoded(raw)
    if "request" not in body:
        return Wish(api_of(None, _likely(body, native=native)), raw, Warmup())
    for name in body:
        if name not in KNOWN:
            raise Refused(400, f"unknown member; a wish has {', '.join(KNOWN)}", param=name[:64])
    request = body["request"]
    if not isinstance(request, dict):
        raise Refused(400, "`request` must be an object: a request whose prefix will be needed", param="request")
    api = api_of(body.get("api"), _likely(request, native=native))
    return Wish(api, sliced(raw)["request"], _keep(body.get("keep_alive")), "request.")


def _likely(request: Mapping[str, Any], *, native: bool) -> str:
    if native:
        return "messages"
    return "responses" if "input" in request and "messages" not in request else "chat"


def _keep(value: Any) -> Warmup:
    """Both members are needed: nobody's money is spent for a time, or up to a sum, that nobody named."""
    if value is None:
        return Warmup()
    if not isinstance(value, dict):
        raise Refused(400, "`keep_alive` must be an object with `seconds` and `dollars`", param="keep_alive")
    for name in value:
        if name not in ("seconds", "dollars"):
            raise Refused(400, "unknown member; `keep_alive` has `seconds` and `dollars`", param="keep_alive")
    return Warmup(_positive(value, "seconds"), _positive(value, "dollars"))


def _positive(holder: Mapping[str, Any], name: str) -> float:
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1e15:
        raise Refused(400, f"`{name}` must be a number, more than 0", param=f"keep_alive.{name}")
    return float(value)


def report(call: Call, status: int | None, seconds: float, *, enabled: bool) -> dict[str, Any]:
    """What is told: `{"warmed", "why", "tokens", "cost", "usage", "seconds", "expires_in"}`, and the provider's own
    status where it refused. `warmed` says that the prefix is in the cache now, also where it was there before; money is
    in US dollars, None where it is unknown; `expires_in` in seconds, None where the provider does not say how long."""
    warming, trace = call.trace.warming, call.trace
    calls = [extra for extra in warming.extra if extra.kind == "warm"] if warming is not None else []
    helped = [extra for extra in calls if not extra.failed]
    refused = status is not None and status >= 300
    warmed = bool(helped) or (warming is not None and warming.why == "warm" and not refused)
    told: dict[str, Any] = {
        "warmed": warmed,
        "why": _why(call, calls, enabled=enabled, refused=refused, warmed=warmed),
        "tokens": warming.shared if warming is not None else 0,
        "cost": _cost(call, calls),
        "usage": _usage([extra.usage for extra in calls] or [trace.usage]),
        "seconds": round(seconds, 3),
        "expires_in": _life(call, helped) if warmed else None,
    }
    return told | {"upstream_status": status} if refused else told


def _why(call: Call, calls: list[Extra], *, enabled: bool, refused: bool, warmed: bool) -> str:
    """Why nothing was warmed, or what the warming layer says of it."""
    warming = call.trace.warming
    if not enabled:
        return "warming is off"
    failed = next((extra.failed for extra in reversed(calls) if extra.failed), "") if not warmed else ""
    said = failed or (warming.why if warming is not None else "")
    return said or ("refused" if refused else "warmed" if warmed else "nothing here warms prompt caches")


def _cost(call: Call, calls: list[Extra]) -> float | None:
    """Of everything that was asked for it. Nothing asked, nothing spent."""
    trace = call.trace
    costs = [extra.cost if extra.cost is not None or extra.usage is not None else 0.0 for extra in calls]
    if trace.usage is not None:
        costs.append(trace.cost)
    return None if None in costs else sum(dollars or 0.0 for dollars in costs)


def _usage(usages: list[Usage | None]) -> dict[str, Any] | None:
    """By the disjoint classes in which the proxy counts, whatever the provider's own are."""
    known = [usage for usage in usages if usage is not None]
    if not known:
        return None
    total = Usage._make(map(sum, zip(*known, strict=True)))
    return {name: count for name, count in total._asdict().items() if name != "estimated"}


def _life(call: Call, helped: list[Extra]) -> float | None:
    """What the warming layer believes; else by the last call's writes, the shortest: where the prefix ends. A call that
    only read does not tell."""
    warming, usage = call.trace.warming, helped[-1].usage if helped else None
    if warming is not None and warming.expires is not None:
        return warming.expires
    if usage is None:
        return None
    return next((float(seconds) for name, seconds in LIVES.items() if getattr(usage, name)), None)
