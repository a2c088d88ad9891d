"""The layer around one upstream that has requests pay for a shared prefix once.

It sees requests in the provider's own dialect. What it decides stands in `warming.planner`; here is the waiting, the
changing of bytes, and what is told afterwards. Nothing it does makes a request fail or waits beyond the deadline: in
doubt a request goes as it came.
"""

from __future__ import annotations

from asyncio import Task
from collections.abc import Sequence
from dataclasses import replace

from adapters.tasks import Tasks
from adapters.usage import Usage
from adapters.vocabulary import Call, Clock, Extra, Form, Handler, Reply, Sleep, Warming, Warmup
from adapters.warm_call import WarmBody
from adapters.warm_call_form import Refusal
from warming.breakpoints import candidates, static_end
from warming.counterfactual import plainly
from warming.dressing import Dressed, dressed, with_marks
from warming.groups import Groups
from warming.keep_alive import KeepAlive
from warming.leading import Leading
from warming.ledger import Ledger
from warming.options import Options
from warming.plan import Plan, Shared
from warming.planner import Planner
from warming.reading import Reading
from warming.request import Request
from warming.waits import Waits
from warming.warmer import Warmed, Warmer

NONE = Shared(-1, 0, "")


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
    ) -> None:
        """`planner` and `ledger` may serve several upstreams. `clock` must not go backwards."""
        self.inner, self.planner, self.reading, self.options = inner, planner, reading, options
        self._ledger, self._tasks, self._clock, self._sleep = ledger, tasks, clock, sleep
        self._waits = Waits(tasks, sleep)
        self.warmer = Warmer(inner, planner, clock, reading.market.price, self._over)
        self.keep_alive = KeepAlive(
            self._pinged,
            planner,
            ledger,
            tasks,
            dollars=options.dollars if options.keep else 0.0,
            clock=clock,
            sleep=sleep,
        )
        self._groups = Groups(self._released, tasks, gather=options.gather, clock=clock, sleep=sleep)
        self._unstreamed: set[str] = set()
        """Models that refused a stream which their client had not asked for."""

    async def __call__(self, call: Call) -> Reply:
        request = self.reading.request(call)
        if isinstance(request, str):
            if call.warmup is not None or call.fanout is not None:
                _noted(call).why = request
            return _told(call) if call.warmup is not None else await self.inner(call)
        if call.warmup is not None:
            return await self._warm_up(request)
        noted, until = _noted(call), self._clock() + self.options.deadline
        shared = NONE
        if call.fanout is not None and self._declared(call) != "off":
            name = f"{call.tenant}\0{call.fanout.group}"
            noted.group = call.fanout.group
            shared = await self._groups.join(name, call.fanout.n, request, self.options.deadline)
            noted.waited = self._clock() - (until - self.options.deadline)
            noted.shared, noted.why = shared.tokens, shared.why
        return await self._gated(request, shared, until)

    def warmth(self, call: Call) -> tuple[Request, int, float] | None:
        """What of this call is believed readable: tokens, and seconds it still lives. None where nothing is known."""
        request = self.reading.request(call)
        if isinstance(request, str):
            return None
        return request, *self.planner.warmth(request.prompt, request.terms, self._clock())

    def _declared(self, call: Call) -> str:
        return call.route.warming or self.options.declared

    # Waiting

    async def _gated(self, request: Request, shared: Shared, deadline: float) -> Reply:
        noted = _noted(request.call)
        began = self._clock()
        plan = self.planner.plan(request.prompt, request.terms, began, shared=shared.at)
        before, waited = plan.expected, False
        while plan.wait is not None:
            waited, noted.shared = True, plan.shared
            left = deadline - self._clock()
            patient = left > 0 and await self._waits.until(plan.wait, left)
            noted.why = "" if patient else "deadline"
            plan = self.planner.plan(
                request.prompt, request.terms, self._clock(), patient=patient, waited=True, shared=shared.at
            )
        noted.waited += self._clock() - began
        noted.role = "follower" if waited else noted.role or ("leader" if plan.flight is not None else "alone")
        noted.why = noted.why or plan.why
        noted.expected, noted.marks = plan.expected, len(plan.marks)
        return await self._send(request, plan, before)

    def _over(self, plan: Plan) -> None:
        if plan.flight is not None:
            self._waits.over(plan.flight)

    # Sending

    async def _send(self, request: Request, plan: Plan, before: int) -> Reply:
        call = request.call
        leads = plan.flight is not None and plan.prompt.tokens - plan.expected >= plan.prompt.minimum
        stream = leads and self.options.stream_leaders and request.model not in self._unstreamed
        body = dressed(request, plan, stream=stream and not call.stream)
        reply = await self._asked(call, body, plan)
        if body.streamed and 400 <= reply.status < 500 and reply.status not in (401, 403, 408, 429):
            # Some accounts may not stream some models, and no client of ours asked for it.
            plan = plan._replace(flight=None)
            again = await self._asked(call, dressed(request, plan, stream=False), plan)
            if again.status < 300:
                self._unstreamed.add(request.model)
            reply = again
        return self._watched(request, plan, reply, before)

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
        noted = _noted(request.call)
        noted.saved = self._saved(request, plan, usage, before)
        self._kept(request, plan)
        self._ledger.request(request, plan, usage, noted, self._clock())

    def _saved(self, request: Request, plan: Plan, usage: Usage | None, before: int) -> float | None:
        if usage is None:
            return None
        price = self.reading.market.price
        real, plain = price(request.model, usage), price(request.model, plainly(plan, usage, before))
        return None if real is None or plain is None else plain.total - real.total

    def _kept(self, request: Request, plan: Plan) -> None:
        """Tells of a use of its static text, which may be worth keeping warm."""
        at = static_end(request.prompt)
        if not self.options.keep or plan.why not in ("cold", "longer", "warm"):
            return
        if at >= 0 and request.prompt.points[at].tokens >= request.prompt.minimum:

            def body() -> WarmBody | None:
                made = self.warmer.body(request, at)
                return None if isinstance(made, Refusal) else made

            self.keep_alive.traffic(request, at, body)

    # Warm calls

    async def _released(self, members: Sequence[Request]) -> Shared:
        """A declared fan-out is complete: warms what its members share, if that pays and a call is to do it."""
        first = members[0]
        shared = self.planner.worthwhile([member.prompt for member in members], first.terms, self._clock())
        self._ledger.fanout(shared)
        strategy = self._declared(first.call)
        if shared.at < 0 or strategy == "leader" or (strategy == "auto" and not self._calls(first, shared)):
            return shared
        extra = await self._called(first, shared.at)
        if extra is None:
            return shared._replace(why="no legal warm call")
        for member in members:
            _noted(member.call).role = "warmed"
        _noted(first.call).extra.append(extra)
        self._ledger.extra(extra, first.call.tenant)
        return shared._replace(why=extra.failed or "warmed")

    def _calls(self, request: Request, shared: Shared) -> bool:
        """Whether the first request cannot do what a warm call can: where entries end with a request, its own end lies
        behind what the others share."""
        return request.terms.profile.boundary == "unit"

    async def _called(self, request: Request, at: int) -> Extra | None:
        """None where no warm call is legal."""
        body = self.warmer.body(request, at)
        if isinstance(body, Refusal):
            return None
        return await self._within(request, at, body)

    async def _pinged(self, request: Request, at: int, body: WarmBody) -> Extra:
        return (await self.warmer.warm(request, at, body, "ping")).extra

    async def _within(self, request: Request, at: int, body: WarmBody) -> Extra:
        """The warm call within the deadline. One that takes longer goes on by itself: it is paid for anyway."""
        task = self._tasks.spawn(self.warmer.warm(request, at, body))
        task.add_done_callback(self._waits.over)
        if not await self._waits.until(task, self.options.deadline):
            task.add_done_callback(lambda late: self._late(late, request.call.tenant))
            return Extra("warm", None, None, self.options.deadline, "timeout")
        warmed: Warmed = task.result()
        return warmed.extra

    def _late(self, task: Task[Warmed], tenant: str) -> None:
        if not task.cancelled() and task.exception() is None:
            self._ledger.extra(task.result().extra, tenant)

    async def _warm_up(self, request: Request) -> Reply:
        """The prefix of a request that is to come: everything in this one's prompt, with breakpoints inside it where
        a request that shares only its beginning would look."""
        call, noted, planner = request.call, _noted(request.call), self.planner
        wanted = call.warmup or Warmup()
        noted.role, noted.why = "warmup", planner.idle(request.prompt, request.terms)
        ends = [at for at, point in enumerate(request.prompt.points) if point.edge != "step"]
        at = ends[-1] if ends else -1
        if noted.why or at < 0:
            return _told(call)
        noted.shared = request.prompt.points[at].tokens
        found = candidates(request.prompt, request.prompt.minimum, leaf=False)
        body = self.warmer.body(
            request, at, with_marks(request, [(each.at, "") for each in found if each.at < at][-3:])
        )
        if isinstance(body, Refusal):
            noted.why = f"no legal warm call: {body}"
            return _told(call)
        tokens, left = planner.warmth(request.prompt, request.terms, self._clock())
        if tokens >= noted.shared and not wanted.keep:
            noted.why, noted.expires = "warm", left
            return _told(call)
        extra = await self._within(request, at, body)
        noted.extra.append(extra)
        self._ledger.extra(extra, call.tenant)
        noted.why = extra.failed or "warmed"
        if not extra.failed:
            noted.expires = planner.warmth(request.prompt, request.terms, self._clock())[1]
            if wanted.keep:
                self.keep_alive.keep(request, at, body, seconds=wanted.keep, dollars=wanted.dollars)
        return _told(call)


def _noted(call: Call) -> Warming:
    if call.trace.warming is None:
        call.trace.warming = Warming()
    return call.trace.warming


def _told(call: Call) -> Reply:
    """The reply to a call whose prefix alone was wanted: what became of it stands on the trace."""
    return Reply.whole(200, (("Content-Type", "application/json"),), b"{}", source="proxy")
