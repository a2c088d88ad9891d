"""Whether a route answers equivalent questions from memory, by what a sample of its hits was judged to be. Pure.

A route is `open` (as a fuse is: nothing but exact answers) once there is evidence that more than `max_error` of ALL its
requests are answered wrong: the lower bound of the wrong share of judged hits, times that of its hit rate, is above it.
It is `closed` while the upper bounds say that it is not, and `unproven` where too few were judged to say either; that
serves, too. From the moment it opens everything is counted anew: judged hits that would have been served close it again
once their upper bound holds, or an operator does.

Bounds are Wilson's (`cache.bounds`), the upper at 95%, the lower at 99%: it is looked at after every judgement, and at
95% one route in five that is exactly at the bound would open within a thousand of them. With 99%, and never before the
third wrong answer, of 2,000 simulated routes with a hit rate of 30% and 0.5% allowed (which is 1.7% of the hits):

    requests answered wrong   0.25%   0.5%   1%         2.5%      5%
    opens within 1,000        1%      11%    94%        all       all
    audits until then                        220        33        16    (median; of nine in ten: 806, 87, 30)

What somebody reports (`told`) is no random sample: people report what annoys them, and one of them may report much.
That is counted apart, each entry once, and opens at an absolute number.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from cache.bounds import lower, needed, upper

Word = Literal["closed", "open", "unproven"]

SLOTS = 168
"""Lookups are counted in so many parts of a window, which fall out of it one by one."""


class State(NamedTuple):
    word: Word
    judged: int
    """Hits, or would-be hits, of the window; since it opened where it is open."""
    wrong: int
    share: float
    """Of the judged ones that were wrong; 0 where there are none."""
    lower: float
    upper: float
    """Of all requests, the share that is answered wrong."""
    hit_rate: float
    told: int
    """Entries that were reported to be wrong."""
    max_error: float
    why: str = ""
    """What opened it."""
    more: int = 0
    """Judgements that are missing until the upper bound holds, if none of them is wrong."""

    @property
    def serves(self) -> bool:
        return self.word != "open"

    def __str__(self) -> str:
        """One line, such as `unproven: 1 of 60 judged hits wrong, 0.01% to 2.7% of requests (allowed 0.5%), hit rate
        30%; 284 more are needed`."""
        opened = f" ({self.why}; exact answers only)" if self.word == "open" else ""
        since = " since" if self.word == "open" else ""
        told = f", {self.told} reported" if self.told else ""
        more = f"; {self.more} more are needed" if self.more else ""
        return (
            f"{self.word}{opened}: {self.wrong} of {self.judged} judged hits wrong{since}, {self.lower:.2%} to "
            f"{self.upper:.2%} of requests (allowed {self.max_error:.2%}), hit rate {self.hit_rate:.0%}{told}{more}"
        )


@dataclass(slots=True)
class _Route:
    judged: deque[tuple[float, bool]] = field(default_factory=deque)
    wrong: int = 0
    slots: deque[list[float]] = field(default_factory=deque)
    """When it began, lookups, hits."""
    told: dict[int, float] = field(default_factory=dict)
    """Entries, and when they were last reported."""
    why: str = ""
    """Why it is open; empty where it is not."""


class Breaker:
    """Times are seconds on any one clock."""

    def __init__(
        self,
        max_error: float,
        *,
        window: float = 7 * 86_400.0,
        most: int = 2000,
        least: int = 3,
        feedback: int = 5,
        sure: float = 0.99,
        confidence: float = 0.95,
    ) -> None:
        """`max_error`: of all requests, above 0. `window`: seconds for which anything counts. `most`: the latest
        judgements that do. `least`: wrong ones without which it never opens. `feedback`: entries reported within the
        window that open it; 0 for none. Raises `ValueError` for a bound that nothing could keep."""
        if not 0 < max_error <= 1:
            raise ValueError(f"a share of {max_error} wrong answers can't be kept")
        self.max_error = max_error
        self._window, self._most, self._least, self._feedback = window, most, least, feedback
        self._sure, self._confidence = sure, confidence
        self._routes: dict[str, _Route] = {}

    def looked(self, route: str, now: float, hit: bool) -> None:
        """A question for which something near was looked for; `hit`: it was answered, or would have been."""
        slots = self._at(route, now).slots
        if not slots or now - slots[-1][0] >= self._window / SLOTS:
            slots.append([now, 0, 0])
        slots[-1][1] += 1
        slots[-1][2] += hit

    def judged(self, route: str, now: float, correct: bool) -> None:
        """One hit of the random sample. May open the route, or close it."""
        known = self._at(route, now)
        known.judged.append((now, correct))
        known.wrong += not correct
        while len(known.judged) > self._most:
            known.wrong -= not known.judged.popleft()[1]
        low, high = self._bounds(known)
        if known.why:
            if high <= self.max_error:
                self._routes[route] = _Route(known.judged, known.wrong, known.slots, known.told)
        elif low > self.max_error and known.wrong >= self._least:
            self._open(route, f"{known.wrong} of {len(known.judged)} judged hits were wrong")

    def told(self, route: str, now: float, entry: int) -> None:
        """Somebody says that this entry's answer was wrong."""
        known = self._at(route, now)
        known.told[entry] = now
        if not known.why and 0 < self._feedback <= len(known.told):
            self._open(route, f"{len(known.told)} answers were reported to be wrong")

    def reset(self, route: str) -> None:
        """An operator's word: it is served again, and all that was counted is forgotten."""
        self._routes.pop(route, None)

    def routes(self) -> list[str]:
        return sorted(self._routes)

    def state(self, route: str, now: float) -> State:
        known = self._at(route, now)
        low, high = self._bounds(known)
        judged, (looked, hits) = len(known.judged), self._looked(known)
        holds = high <= self.max_error
        word: Word = "open" if known.why else "closed" if holds else "unproven"
        return State(
            word,
            judged,
            known.wrong,
            known.wrong / judged if judged else 0.0,
            low,
            high,
            hits / looked if looked else 0.0,
            len(known.told),
            self.max_error,
            known.why,
            0 if holds else self._more(known),
        )

    def _more(self, known: _Route) -> int:
        looked, hits = self._looked(known)
        bound = self.max_error / upper(hits, looked, self._confidence)
        return max(0, needed(known.wrong, bound, self._confidence) - len(known.judged))

    def _at(self, route: str, now: float) -> _Route:
        """What counts of it now."""
        known = self._routes.setdefault(route, _Route())
        begin = now - self._window
        while known.judged and known.judged[0][0] <= begin:
            known.wrong -= not known.judged.popleft()[1]
        while known.slots and known.slots[0][0] <= begin:
            known.slots.popleft()
        for entry in [entry for entry, at in known.told.items() if at <= begin]:
            del known.told[entry]
        return known

    def _looked(self, known: _Route) -> tuple[int, int]:
        """Lookups and hits of the time that the judgements are from."""
        since = known.judged[0][0] if len(known.judged) >= self._most else float("-inf")
        slots = [each for each in known.slots if each[0] + self._window / SLOTS > since]
        return sum(int(each[1]) for each in slots), sum(int(each[2]) for each in slots)

    def _bounds(self, known: _Route) -> tuple[float, float]:
        """Of all requests, the share that is answered wrong. The hit rate is a sample as well: where there were but a
        few lookups it says little."""
        judged, (looked, hits) = len(known.judged), self._looked(known)
        low = lower(known.wrong, judged, self._sure) * lower(hits, looked, self._sure)
        return low, upper(known.wrong, judged, self._confidence) * upper(hits, looked, self._confidence)

    def _open(self, route: str, why: str) -> None:
        self._routes[route] = _Route(why=why)
