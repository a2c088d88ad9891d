"""Whether equivalent answers are right, found out beside the traffic: what would be served is compared with what the
provider says, and a share of what is served is asked again in the background.

What was found out goes three ways: into the store, for reports; to the breaker, which takes a route back to exact
answers; and to the entry, which is not served again once its answer was wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import NamedTuple, Protocol

from adapters.errors import Refused, Torn, Unfoldable, UpstreamError
from adapters.tasks import Tasks
from adapters.vocabulary import Answer, Call, Clock, Handler
from cache.breaker import Breaker, State
from cache.budget import Budget
from cache.entry import Entry, Shape
from cache.judging import Judge
from cache.near import Judgement, Near, Tally

log = logging.getLogger("warmgate.cache")

RECENT = 1.0
"""Seconds for which a route's state is not worked out again; a judgement changes it at once."""

MISSES = 1000
"""For each hit that is remembered; more make no difference to any bound."""

PATIENCE = 600.0
"""Seconds that an audit waits for its answer: nobody else does."""


class Records(Protocol):
    """The store, as far as it is used here (`cache.semantic_store`)."""

    async def entry(self, id: int) -> Entry | None: ...
    async def observe(self, id: int, similarity: float, correct: bool) -> None: ...
    async def quarantine(self, id: int) -> bool: ...
    async def judged(self, judgement: Judgement) -> None: ...
    async def tally(self, route: str, lookups: int, hits: int) -> None: ...


class Case(NamedTuple):
    """A question, and the entry that was served to it or would have been."""

    route: str
    text: str
    near: Near
    score: float | None

    @property
    def value(self) -> float:
        """What observations of an entry are kept by: the score, where there is one."""
        return self.near.similarity if self.score is None else self.score


class Audit:
    """`share`: of the served hits that are asked again, from 0 to 1. `chance` gives such numbers, `wall` Unix time."""

    def __init__(
        self,
        inner: Handler,
        store: Records,
        judge: Judge,
        breaker: Breaker,
        budget: Budget,
        tasks: Tasks,
        *,
        share: float,
        chance: Callable[[], float],
        wall: Clock,
    ) -> None:
        self._inner, self._store, self._judge, self._tasks = inner, store, judge, tasks
        self.breaker, self.budget = breaker, budget
        self._share, self._chance, self._wall = share, chance, wall
        self.figures: Counter[str] = Counter()
        """`judged`, `wrong`, `audits`, `failed`."""
        self.dollars = 0.0
        """That all of it has cost."""
        self._known: dict[str, tuple[float, bool]] = {}
        self._told: set[str] = set()
        """Routes that were said to be open."""

    def serves(self, route: str) -> bool:
        """Whether the breaker lets this route answer from memory."""
        now = self._wall()
        until, serves = self._known.get(route, (0.0, True))
        if not now < until <= now + RECENT:
            state = self.breaker.state(route, now)
            if state.serves is (route in self._told):
                (self._told.discard if state.serves else self._told.add)(route)
                log.warning("%s: %s", route[:128], state)
            serves = state.serves
            self._known[route] = now + RECENT, serves
        return serves

    def states(self) -> dict[str, State]:
        now = self._wall()
        return {route: self.breaker.state(route, now) for route in self.breaker.routes()}

    async def looked(self, route: str, *, hit: bool) -> None:
        self.breaker.looked(route, self._wall(), hit)
        await self._store.tally(route, 1, int(hit))

    def heard(self, judgement: Judgement) -> None:
        """Somebody told what he thinks of an answer."""
        if judgement.correct is False:
            self._known.pop(judgement.route, None)
            self.breaker.told(judgement.route, self._wall(), judgement.entry)

    def replay(self, judgements: Sequence[Judgement], tallies: Mapping[str, Tally]) -> None:
        """Of an earlier process: a route that was open then must not serve now because nobody remembers. Of requests
        that were no hits only the number is known; they are spread evenly among the hits."""
        owed: dict[str, float] = {}
        for each in judgements:
            if each.mode == "feedback":
                self.heard(each)
                continue
            self.breaker.looked(each.route, each.at, True)
            tally = tallies.get(each.route, Tally(1, 1))
            owed[each.route] = owed.get(each.route, 0.0) + (tally.lookups - tally.hits) / max(1, tally.hits)
            for _ in range(min(int(owed[each.route]), MISSES)):
                self.breaker.looked(each.route, each.at, False)
            owed[each.route] %= 1.0
            if each.correct is not None:
                self.breaker.judged(each.route, each.at, each.correct)

    async def would_hit(self, case: Case, mode: str, real: Answer | None, call: Call) -> bool | None:
        """Judges an answer that was not served, by the one that came. None: nobody can tell."""
        entry = await self._store.entry(case.near.id)
        return await self._compare(case, mode, entry, None if real is None else _text(real), call)

    def served(self, case: Case, entry: Entry, call: Call) -> None:
        """Notes a hit; for a share of them the provider is asked as well, in the background."""
        sampled = self._chance() < self._share and self.budget.take(entry.cost)
        self._tasks.spawn(self._ask_again(case, entry, call.apart()) if sampled else self._record(case, "on", None, ""))

    async def _ask_again(self, case: Case, entry: Entry, call: Call) -> None:
        self.figures["audits"] += 1
        real: str | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                real = await self._answer(call)
        except (TimeoutError, UpstreamError, Refused, Torn, Unfoldable, OSError):
            self.figures["failed"] += 1
        finally:
            self.budget.settle(entry.cost, call.trace.cost)
            self.dollars += call.trace.cost or 0.0
        await self._compare(case, "audit", entry, real, call)

    async def _answer(self, call: Call) -> str | None:
        reply = await self._inner(call)
        async with aclosing(reply.frames):
            async for _ in reply.frames:
                pass
        return _text(reply.answer) if reply.answer is not None and 200 <= reply.status < 300 else None

    async def _compare(self, case: Case, mode: str, entry: Entry | None, real: str | None, call: Call) -> bool | None:
        kept = None if entry is None or call.dialect is None else _kept_text(entry, call)
        if kept is None or real is None:
            await self._record(case, mode, None, "no text to compare")
            return None
        verdict = await self._judge.judge(case.text, case.near.text, kept, real, call)
        self.dollars += verdict.dollars
        await self._record(case, mode, verdict.correct, verdict.how)
        if verdict.correct is not None:
            self.figures["judged"] += 1
            self.breaker.judged(case.route, self._wall(), verdict.correct)
            self._known.pop(case.route, None)
            await self._store.observe(case.near.id, case.value, verdict.correct)
        if verdict.correct is False:
            self.figures["wrong"] += 1
            if mode == "audit":
                await self._store.quarantine(case.near.id)
        return verdict.correct

    async def _record(self, case: Case, mode: str, correct: bool | None, how: str) -> None:
        await self._store.judged(
            Judgement(self._wall(), case.route, mode, case.near.id, case.near.similarity, case.score, correct, how)
        )


def _text(answer: Answer) -> str | None:
    try:
        return answer.dialect.plain_text(answer.message())
    except Unfoldable:
        return None


def _kept_text(entry: Entry, call: Call) -> str | None:
    assert call.dialect is not None
    return _text(Answer(call.dialect, body=entry.body)) if entry.shape is Shape.MESSAGE else None
