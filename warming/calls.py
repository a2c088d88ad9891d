"""Calls that nobody asked for: warms within the deadline, prefixes warmed ahead of time, pings that keep them warm."""

from __future__ import annotations

from asyncio import Task
from collections.abc import Sequence

from adapters.tasks import Tasks
from adapters.vocabulary import Call, Clock, Extra, Reply, Sleep, Warming, Warmup
from adapters.warm_call import WarmBody
from adapters.warm_call_form import Refusal
from warming.breakpoints import Mark, candidates, of_warm_call, static_end
from warming.dressing import with_marks
from warming.keep_alive import KeepAlive
from warming.ledger import Ledger
from warming.options import Options
from warming.planner import Planner
from warming.request import Request
from warming.waits import Waits
from warming.warmer import Warmed, Warmer


class Calls:
    def __init__(
        self,
        warmer: Warmer,
        planner: Planner,
        ledger: Ledger,
        tasks: Tasks,
        options: Options,
        *,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._warmer, self._planner, self._ledger = warmer, planner, ledger
        self._tasks, self._options, self._clock = tasks, options, clock
        self._waits = Waits(tasks, sleep)
        dollars = options.dollars if options.keep else 0.0
        self.keep_alive = KeepAlive(self._ping, planner, ledger, tasks, dollars=dollars, clock=clock, sleep=sleep)

    async def warm(self, request: Request, at: int) -> Extra | None:
        """Warms everything up to this point; None where no warm call is legal."""
        marks = of_warm_call(
            request.prompt, request.terms, at, self._planner.warm_at(request.prompt, request.terms, self._clock())
        )
        body = self._warmer.body(request, at, with_marks(request, marks[:-1]))
        return None if isinstance(body, Refusal) else await self._within(request, at, body, marks)

    async def up(self, request: Request) -> Reply:
        """The prefix of a request that is to come: everything in this one's prompt, with breakpoints inside it where
        a request that shares only its beginning would look."""
        call, noted, planner = request.call, noted_on(request.call), self._planner
        wanted = call.warmup or Warmup()
        noted.role, noted.why = "warmup", planner.idle(request.prompt, request.terms)
        ends = [at for at, point in enumerate(request.prompt.points) if point.edge != "step"]
        if noted.why or not ends:
            return told(call)
        at = ends[-1]
        noted.shared = request.prompt.points[at].tokens
        found = candidates(request.prompt, request.prompt.minimum, leaf=False)
        marks = [(each.at, request.terms.usual) for each in found if each.at < at][-3:]
        body = self._warmer.body(request, at, with_marks(request, marks))
        if isinstance(body, Refusal):
            noted.why = f"no legal warm call: {body}"
            return told(call)
        tokens, left = planner.warmth(request.prompt, request.terms, self._clock())
        if tokens >= noted.shared and not wanted.keep:
            noted.why, noted.expires = "warm", left
            return told(call)
        extra = await self._within(request, at, body, marks)
        noted.why = extra.failed or "warmed"
        if not extra.failed:
            noted.expires = planner.warmth(request.prompt, request.terms, self._clock())[1]
            if wanted.keep:
                self.keep_alive.keep(request, at, body, seconds=wanted.keep, dollars=wanted.dollars)
        return told(call)

    def used(self, request: Request) -> None:
        """Tells of a use of the request's static text, which may be worth keeping warm."""
        if not self._options.keep:
            return
        at = static_end(request.prompt)
        if at < 0 or request.prompt.points[at].tokens < request.prompt.minimum:
            return

        def body() -> WarmBody | None:
            made = self._warmer.body(request, at)
            return None if isinstance(made, Refusal) else made

        self.keep_alive.traffic(request, at, body)

    async def _ping(self, request: Request, at: int, body: WarmBody) -> Extra:
        return (await self._warmer.warm(request, at, body, "ping")).extra

    async def _within(self, request: Request, at: int, body: WarmBody, marks: Sequence[Mark] = ()) -> Extra:
        """The warm call within the deadline. One that takes longer goes on by itself, and is paid for all the same."""
        task = self._tasks.spawn(self._warmer.warm(request, at, body, marks=marks))
        noted = noted_on(request.call)

        def ended(done: Task[Warmed]) -> None:
            if not done.cancelled() and done.exception() is None:
                extra = done.result().extra
                noted.extra.append(extra)
                self._ledger.extra(extra, request.call.tenant, noted.group)
            self._waits.over(done)

        task.add_done_callback(ended)
        if not await self._waits.until(task, self._options.deadline):
            return Extra("warm", None, None, self._options.deadline, "timeout")
        warmed: Warmed = task.result()
        return warmed.extra


def noted_on(call: Call) -> Warming:
    """What warming notes about a call."""
    if call.trace.warming is None:
        call.trace.warming = Warming()
    return call.trace.warming


def told(call: Call) -> Reply:
    """The reply to a call whose prefix alone was wanted: what became of it stands on the trace."""
    return Reply.whole(200, (("Content-Type", "application/json"),), b"{}", source="proxy")
