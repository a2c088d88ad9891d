"""`POST /v1/fanout`: one shared request and its branches, answered as a list or as one stream of events.

Each branch is an ordinary request to the API it belongs to: its answer may come from memory, it is counted and recorded
as any other, and has an event of its own. All of them are under way at once, because the prefix that they share is
warmed for the group when the group is complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

import msgspec
from aiohttp import web

from adapters.errors import Refused
from adapters.interleave import Interleaved
from adapters.tasks import Tasks
from adapters.vocabulary import Call, Fanout
from cache.key import key_of
from proxy.callers import Caller
from proxy.edge import Exchange
from proxy.fanout_bodies import Asked, asked, at_branch
from proxy.fanout_branch import Branch
from proxy.respond import EVENT_STREAM, SERVER, Writer
from warming.several import Names

Eligible = Callable[[Call], bool]


class FanoutDesk:
    """`most`: branches of one call; `limit`: bytes of one branch's body. `held` and `shares`: whether a call will be
    answered from memory, and whether identical ones in flight share one answer."""

    label = "fanout"

    def __init__(self, groups: Names, tasks: Tasks, *, most: int, limit: int, held: Eligible, shares: Eligible) -> None:
        self.groups, self.tasks, self.most, self.limit = groups, tasks, most, limit
        self.held, self.shares = held, shares

    async def serve(self, exchange: Exchange, raw: bytes, caller: Caller) -> web.StreamResponse:
        """Nothing is sent anywhere before every branch has been read: a body that can't be asked is refused (400, with
        the branch in `param`), and the others with it. Whatever goes wrong later stands in that branch's place."""
        native = "anthropic-version" in exchange.request.headers
        plan = asked(raw, native=native, most=self.most, limit=self.limit)
        branches = await self._branches(exchange, caller, plan)
        calls = [branch.asked for branch in branches]
        fanout = Fanout(self.groups.fresh(), reaching(calls, self.held, self.shares))
        for call in calls:
            call.fanout = fanout
        exchange.trace.source = "proxy"
        return await (self._streamed(exchange, branches) if plan.stream else self._listed(exchange, branches))

    async def _branches(self, exchange: Exchange, caller: Caller, plan: Asked) -> list[Branch]:
        reader = exchange.edge.readers[plan.api.target]
        branches: list[Branch] = []
        for place, raw in enumerate(plan.bodies):
            try:
                branches.append(Branch(exchange, caller, reader, raw, place))
            except Refused as refused:
                raise at_branch(refused, place) from None
            await asyncio.sleep(0)  # reading is work, and others have a turn in between
        return branches

    async def _listed(self, exchange: Exchange, branches: list[Branch]) -> web.Response:
        async with asyncio.TaskGroup() as group:
            items = [group.create_task(branch.item()) for branch in branches]
        told = {
            "object": "list",
            "data": [msgspec.Raw(item.result()) for item in items],
            "cost": _total([branch.cost for branch in branches]),
            "saved": sum(branch.saved for branch in branches),
        }
        body = msgspec.json.encode(told)
        exchange.writer = _writer(exchange)
        exchange.writer.bytes_out = len(body)
        return web.Response(headers={"Content-Type": "application/json", "Server": SERVER}, body=body)

    async def _streamed(self, exchange: Exchange, branches: list[Branch]) -> web.StreamResponse:
        """A client that hangs up, or reads slowly, does so for all branches."""
        writer = exchange.writer = _writer(exchange)
        response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "Server": SERVER})
        async with aclosing(Interleaved([branch.lines() for branch in branches], self.tasks)) as lines:
            await response.prepare(exchange.request)
            writer.begun = response
            async for _, line in lines:
                raw = b"".join([b"data: %b\n\n" % each for each in (line, *(ready for _, ready in lines.ready()))])
                await response.write(raw)
                writer.bytes_out += len(raw)
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


def reaching(calls: Sequence[Call], held: Eligible, shares: Eligible) -> int:
    """How many of these calls will come to a provider. The others of the group wait for exactly those: for one that
    never comes they would wait in vain, each for as long as the configuration lets them."""
    asking = [call for call in calls if not held(call)]
    alike = {(key_of(call), call.wants_usage) for call in asking if call.controls.shareable and shares(call)}
    alone = sum(not (call.controls.shareable and shares(call)) for call in asking)
    return max(1, len(alike) + alone)


def _writer(exchange: Exchange) -> Writer:
    assert exchange.call is not None
    return Writer(exchange.request, exchange.call)


def _total(costs: list[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
