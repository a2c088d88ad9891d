"""The clock of a replay: a heap of events, and which recorded request comes when."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from proxy.replay_arrivals import THINK, Arrivals
from proxy.replay_facts import Fact

Act = Callable[[Any], None]


class Timeline:
    def __init__(self, facts: Sequence[Fact], arrivals: Arrivals, arrive: Callable[[int], None]) -> None:
        """`arrive` is told the index of each request when it comes; `over` must be told when it has been answered."""
        self.now = 0.0
        self._facts, self._arrivals, self._arrive = facts, arrivals, arrive
        self._events: list[tuple[float, int, Act, Any]] = []
        self._count = 0
        self._next: dict[int, int] = {}
        """What follows a request that has no time."""
        self._last: dict[int, int] = {}
        """The latest request of each session."""
        self._open: set[int] = set()
        """Requests that have not been answered."""
        self._late: dict[int, list[int]] = {}
        """What comes once a request has been answered."""
        self._wave = self._lanes = 0
        """Sessions without times: how many groups have begun, and how many sessions of the last are not over."""

    def run(self) -> None:
        for at, index in self._arrivals.timed:
            self.at(at, self._come, index)
        for lanes in self._arrivals.waves:
            for lane in lanes:
                self._next |= dict(pairwise(lane))
        if self._arrivals.waves:
            self.at(max((at for at, _ in self._arrivals.timed), default=-THINK) + THINK, self._start, None)
        while self._events:
            self.now, _, act, what = heapq.heappop(self._events)
            act(what)

    def at(self, when: float, act: Act, what: Any) -> None:
        """Has `act(what)` called then; of what is due at one moment the first that was asked for comes first."""
        self._count += 1
        heapq.heappush(self._events, (when, self._count, act, what))

    def over(self, index: int) -> None:
        """The request has been answered."""
        self._open.discard(index)
        for late in self._late.pop(index, ()):
            self._come(late)
        if self._facts[index].ts is not None:
            return
        follows = self._next.get(index)
        if follows is not None:
            self.at(self.now + THINK, self._come, follows)
            return
        self._lanes -= 1
        if not self._lanes:
            self.at(self.now + THINK, self._start, None)

    def _start(self, _: None) -> None:
        """The next sessions without times begin."""
        if self._wave < len(self._arrivals.waves):
            lanes = self._arrivals.waves[self._wave]
            self._wave, self._lanes = self._wave + 1, len(lanes)
            for lane in lanes:
                self._come(lane[0])

    def _come(self, index: int) -> None:
        fact = self._facts[index]
        last = self._last.get(fact.session, -1)
        if fact.follows and last in self._open:
            # It was recorded after an answer that is not there yet: our provider is slower than the real one was.
            self._late.setdefault(last, []).append(index)
            return
        self._last[fact.session] = index
        self._open.add(index)
        self._arrive(index)
