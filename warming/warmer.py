"""The warm call: one small request that has the provider read a shared prefix, before those who share it are sent.

Its answer is read for nothing but its bill and never enters a cache; whatever goes wrong with it stays here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import NamedTuple

import msgspec

from adapters.errors import Refused, Torn, UpstreamError
from adapters.prices import Costs
from adapters.prompt import Prompt
from adapters.usage import Usage
from adapters.vocabulary import Clock, Extra, Form, Handler, Reply, Trace
from adapters.warm_call import WarmBody, warm_call
from adapters.warm_call_form import Refusal
from warming.breakpoints import Mark
from warming.dressing import paths_of
from warming.plan import Plan
from warming.planner import Planner
from warming.request import Request

FAILURES = (UpstreamError, Torn, Refused)


class Warmed(NamedTuple):
    extra: Extra
    status: int = 0
    """Of the provider's answer; 0 where there was none."""


class Warmer:
    def __init__(
        self,
        inner: Handler,
        planner: Planner,
        clock: Clock,
        price: Callable[[str, Usage], Costs | None],
        over: Callable[[Plan], None],
    ) -> None:
        """`over`: told when the prefix can be read, or is not going to be."""
        self._inner, self._planner, self._clock, self._price, self._over = inner, planner, clock, price, over

    def body(self, request: Request, at: int, raw: bytes | None = None) -> WarmBody | Refusal:
        """The request that warms everything up to this point. `raw`: the body to cut it from, where it is not the
        client's (with breakpoints in front of the point)."""
        (path,) = paths_of(request, [at])
        if path is None:
            return Refusal("the shared prefix ends inside a text")
        return warm_call(
            raw or request.raw,
            request.call.parsed if raw is None else msgspec.json.decode(raw),
            api=request.api,
            profile=request.terms.profile,
            path_end=path,
            model=request.model,
        )

    async def warm(
        self, request: Request, at: int, body: WarmBody, kind: str = "warm", marks: Sequence[Mark] = ()
    ) -> Warmed:
        """Asks, and believes what the bill says. Never raises but when it is cancelled. `marks`: the breakpoints that
        the body has in front of its end."""
        plan = self._plan(request, at, marks)
        began, trace = self._clock(), Trace()
        asked = replace(
            request.call,
            target=body.target,
            body=body.body,
            parsed=body.parsed,
            stream=False,
            wants_usage=True,
            trace=trace,
            fanout=None,
            warmup=None,
            sent=None,
        )
        failed, status, done = "failed", 0, False
        try:
            reply = await self._inner(asked)
            status = reply.status
            failed = "" if status < 300 else f"refused: {status}"
            await _read(reply)
            done = not failed
        except FAILURES as error:
            failed = getattr(error, "code", "") or type(error).__name__.lower()
        finally:
            now = self._clock()
            if done:
                self._planner.content(plan, now)
                self._planner.settle(plan, trace.usage, now)
            else:
                self._planner.failed(plan)
            self._over(plan)
        usage = trace.usage
        if done and plan.terms.paid and usage is not None and usage.prompt == usage.uncached:
            failed = "not cached"
        costs = self._price(request.model, usage) if usage is not None else None
        cost = None if costs is None else costs.total
        return Warmed(Extra(kind, usage, cost, now - began, failed), status)

    def _plan(self, request: Request, at: int, marks: Sequence[Mark]) -> Plan:
        """The warm call as the planner sees it: a request that ends at the point, with a breakpoint there."""
        prompt, terms = request.prompt, request.terms
        points = list(prompt.points[: at + 1])
        for index, life in (*marks, (at, terms.usual)) if terms.profile.breakpoints else ():
            points[index] = points[index]._replace(mark=points[index].mark or life)
        whole = Prompt(tuple(points), prompt.minimum)
        return self._planner.plan(whole, terms._replace(breakpoints=False), self._clock(), patient=False)


async def _read(reply: Reply) -> None:
    """To the end, so that the bill is known and the connection free."""
    if reply.form is not Form.WHOLE:
        async with aclosing(reply.frames):
            async for _ in reply.frames:
                pass
