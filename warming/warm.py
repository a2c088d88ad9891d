"""The layer around one upstream that has requests pay for a shared prefix once.

It sees requests in the provider's own dialect. What it decides stands in `warming.planner`; here is the waiting, the
changing of bytes, and what is told afterwards. Nothing it does makes a request fail or waits beyond the deadline: in
doubt a request goes as it came.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from adapters.tasks import Tasks
from adapters.usage import Usage
from adapters.vocabulary import Call, Clock, Form, Handler, Reply, Sleep
from warming.across import Across
from warming.calls import Calls, noted_on, told
from warming.cheapest import for_fanout
from warming.counterfactual import plainly
from warming.dressing import Dressed, dressed, paths_of
from warming.economics import CALLS
from warming.groups import Groups
from warming.leading import Leading
from warming.ledger import Ledger
from warming.options import Options
from warming.patience import Patience
from warming.plan import Plan, Shared
from warming.planner import Planner
from warming.reading import Reading
from warming.request import Request
from warming.waits import Waits
from warming.warmer import Warmer

log = logging.getLogger("warmgate.warming")

NONE = Shared(-1, 0, "")

NOT_OURS = frozenset({401, 402, 403, 404, 408, 413, 429})
"""Refusals that have nothing to do with what is added to a request."""

REMEMBERED = 1024
"""Models; their names are the client's to choose."""


class Warm:
    def __init__(
        self,
        inner: Handler,
        planner: Planner,
        reading: Reading,
        options: Options,
        ledger: Ledger,
        tasks: Tasks,
        *,
        clock: Clock,
        sleep: Sleep,
        across: Across | None = None,
    ) -> None:
        """`planner` and `ledger` may serve several upstreams. `clock` must not go backwards. `across`: where there are
        other replicas."""
        self._across = across
        self.inner, self.planner, self.reading, self.options = inner, planner, reading, options
        self._ledger, self._tasks, self._clock, self._sleep = ledger, tasks, clock, sleep
        self._waits = Waits(tasks, sleep)
        self.calls = Calls(
            Warmer(inner, planner, clock, reading.market.price, self._over),
            planner,
            ledger,
            tasks,
            options,
            clock=clock,
            sleep=sleep,
        )
        self._groups = Groups(self._released, tasks, gather=options.gather, clock=clock, sleep=sleep)
        self._patience = Patience(options.deadline)
        self._untouchable: set[str] = set()
        """Models that refused a request with what is added to it, and took it without."""

    async def __call__(self, call: Call) -> Reply:
        request = self.reading.request(call)
        if isinstance(request, str):
            if call.warmup is not None or call.fanout is not None:
                noted_on(call).why = request
            return told(call) if call.warmup is not None else await self.inner(call)
        if call.warmup is not None:
            return await self.calls.up(request)
        if request.model in self._untouchable:
            request = request._replace(terms=request.terms._replace(breakpoints=False))
        noted, until = noted_on(call), self._clock() + self.options.deadline
        # Whatever is warm when a call arrives would have been read without any of this.
        before = self.planner.warmth(request.prompt, request.terms, self._clock())[0] if call.fanout else None
        shared = NONE
        if call.fanout is not None and self._declared(call) != "off":
            name = f"{call.tenant}\0{call.fanout.group}"
            noted.group = call.fanout.group
            shared = await self._groups.join(name, call.fanout.n, request, self.options.deadline)
            noted.waited = self._clock() - (until - self.options.deadline)
            noted.shared, noted.why = shared.tokens, shared.why
        return await self._gated(request, shared, until, before)

    def warmth(self, call: Call) -> tuple[int, int, float] | None:
        """How many messages of this call were sent before, how many tokens of it are believed readable, and for how
        many seconds still. None where nothing is known."""
        request = self.reading.request(call)
        if isinstance(request, str):
            return None
        at = self.planner.known(request.prompt)
        (path,) = paths_of(request, [at])
        sent = 0
        if path is not None and len(path) > 1 and path[0] in ("messages", "input") and isinstance(path[1], int):
            ended = request.prompt.points[at].edge in ("message", "system")
            sent = path[1] + ended
        return sent, *self.planner.warmth(request.prompt, request.terms, self._clock())

    def _declared(self, call: Call) -> str:
        return call.route.warming or self.options.declared

    # Waiting

    async def _gated(self, request: Request, shared: Shared, deadline: float, before: int | None) -> Reply:
        noted = noted_on(request.call)
        began = self._clock()
        plan = self.planner.plan(request.prompt, request.terms, began, shared=shared.at)
        before, waited = plan.expected if before is None else before, False
        while plan.wait is not None:
            waited, noted.shared = True, plan.shared
            left = min(deadline - self._clock(), self._patience.of(request.model))
            patient = left > 0 and await self._waits.until(plan.wait, left)
            noted.why = "" if patient else "deadline"
            plan = self.planner.plan(
                request.prompt, request.terms, self._clock(), patient=patient, waited=True, shared=shared.at
            )
        if self._across is not None and plan.leads:
            try:
                waited = await self._across.lead(plan, deadline - self._clock()) or waited
            except BaseException:  # its client is gone, and with it the leader that others wait for
                self._failed(plan)
                raise
        noted.waited += self._clock() - began
        noted.role = "follower" if waited else noted.role or ("leader" if plan.leads else "alone")
        noted.why = noted.why or plan.why
        noted.expected, noted.marks = plan.expected, len(plan.marks)
        return await self._send(request, plan, before)

    def _over(self, plan: Plan) -> None:
        if plan.flight is not None:
            self._waits.over(plan.flight)
            if self._across is not None:
                self._across.over(plan.flight)

    # Sending

    async def _send(self, request: Request, plan: Plan, before: int) -> Reply:
        call = request.call
        stream = plan.leads and self.options.stream_leaders and request.model not in self._untouchable
        body, modified = dressed(request, plan, stream=stream and not call.stream), call.trace.modified_bytes
        reply = await self._asked(call, body, plan)
        if body.changed and 400 <= reply.status < 500 and reply.status not in NOT_OURS:
            # Some accounts may not stream some models, some gateways take no breakpoints, and nobody asked us for
            # either: it goes once more as it came.
            call.trace.modified_bytes = modified
            plan = plan._replace(flight=None, marks=(), explicit=False)
            reply = await self._asked(call, dressed(request, plan, stream=False), plan)
            if reply.status < 300:
                self._refused(request.model)
        return self._watched(request, plan, reply, before)

    def _refused(self, model: str) -> None:
        log.warning("requests to a model were refused with what warming adds: from now on they go as they come")
        if len(self._untouchable) < REMEMBERED:
            self._untouchable.add(model)

    async def _asked(self, call: Call, body: Dressed, plan: Plan) -> Reply:
        call.trace.modified_bytes += body.modified
        asked = call
        if body.changed:
            stream = call.stream or body.streamed
            wants = call.wants_usage or body.streamed
            asked = replace(call, body=body.raw, parsed=body.parsed, stream=stream, wants_usage=wants)
        try:
            reply = await self.inner(asked)
        except BaseException:
            self._failed(plan)
            raise
        if reply.status >= 300 or reply.answer is None:
            self._failed(plan)
        return reply

    def _failed(self, plan: Plan) -> None:
        self.planner.failed(plan)
        self._over(plan)

    def _watched(self, request: Request, plan: Plan, reply: Reply, before: int) -> Reply:
        if reply.status >= 300 or reply.answer is None:
            return reply
        if reply.form is Form.EVENTS:

            def content() -> None:
                self._patience.came(request.model, self._clock() - plan.begun)
                self._readable(plan)

            def ended(seen: bool) -> None:
                if not seen:
                    self._failed(plan)
                self._settled(request, plan, before)

            reply.frames = Leading(reply.frames, reply.answer.dialect, content, ended)
        else:
            self._readable(plan)
            self._settled(request, plan, before)
        return reply

    def _readable(self, plan: Plan) -> None:
        lag = self.planner.beliefs.lag(plan.terms.name, plan.terms.profile)
        if lag:
            self._tasks.spawn(self._readable_later(plan, lag))
            return
        self.planner.content(plan, self._clock())
        self._over(plan)

    async def _readable_later(self, plan: Plan, lag: float) -> None:
        await self._sleep(lag)
        self.planner.content(plan, self._clock())
        self._over(plan)

    def _settled(self, request: Request, plan: Plan, before: int) -> None:
        usage = request.call.trace.usage
        self.planner.settle(plan, usage, self._clock())
        self.reading.learn(request, usage)
        noted = noted_on(request.call)
        noted.saved = self._saved(request, plan, usage, before)
        if plan.why in ("cold", "longer", "warm"):
            self.calls.used(request)
        self._ledger.request(request, plan, usage, noted, self._clock())
        noted.tenant_net, noted.fanout_net = self._ledger.nets(request.call.tenant, noted.group)

    def _saved(self, request: Request, plan: Plan, usage: Usage | None, before: int) -> float | None:
        if usage is None:
            return None
        price, otherwise = self.reading.market.price, plainly(plan, usage, before)
        if otherwise is usage:
            return 0.0
        real, plain = price(request.model, usage), price(request.model, otherwise)
        return None if real is None or plain is None else plain.total - real.total

    # Declared fan-outs

    async def _released(self, members: Sequence[Request]) -> Shared:
        """A declared fan-out is complete: warms what its members share, if that pays and a call is to do it."""
        first = members[0]
        shared = self.planner.worthwhile([member.prompt for member in members], first.terms, self._clock())
        self._ledger.fanout(shared)
        strategy = self._declared(first.call)
        if shared.at >= 0 and strategy == "auto":
            warm, _ = self.planner.warmth(first.prompt, first.terms, self._clock())
            strategy, shared = _cheaper(members, shared, warm)
        if shared.at < 0 or strategy == "leader":
            return shared
        extra = await self.calls.warm(first, shared.at)
        if extra is None:
            return shared._replace(why="no legal warm call")
        for member in members:
            noted_on(member.call).role = "warmed"
        return shared._replace(why=extra.failed or "warmed")


def _cheaper(members: Sequence[Request], shared: Shared, warm: int) -> tuple[str, Shared]:
    """`call` or `leader`, whichever costs less; nothing to share where neither does."""
    terms, prompt = members[0].terms, members[0].prompt
    own = max(0, prompt.tokens - shared.tokens)
    choice = for_fanout(terms, len(members), shared=shared.tokens, warm=warm, own=own)
    if not choice.warms:
        return "off", Shared(-1, shared.tokens, choice.why)
    return "call" if choice.strategy in CALLS else "leader", shared
