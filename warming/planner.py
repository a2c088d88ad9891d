"""What to do with a request whose prompt may be shared: send it, have it wait for another, where to set breakpoints.

The planner is the rule of the gate without its waiting: live, the layer `Warm` waits on an event loop; in a replay the
same planner runs on virtual time. Its knowledge: flights (requests whose prompt the provider is reading just now),
beliefs (prefixes that can be read) and expectations (how often such prefixes are read again).

The rule: what is warm is read, waiting could only lose. Where a flight is about to make a longer shared prefix
readable, wait for its first content, for its failure, or until patience ends. Else go, as the one whom others may wait
for. After each wait plan again: a prefix shared by many is settled first, then what fewer share, level by level.
Pure; the time is an argument, in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from adapters.prompt import Prompt
from adapters.prompt_entries import digest_at, mark_at
from adapters.usage import Usage
from warming.beliefs import ENOUGH, Beliefs
from warming.breakpoints import Candidate, Mark, candidates, family_of, placed, reachable
from warming.expectation import Expectation
from warming.plan import LEAST, Flight, Plan, Shared
from warming.terms import Terms

MARGIN = 2.0
"""Seconds before the believed end of its life in which an entry no longer counts: the request is under way so long."""


@dataclass(slots=True)
class Planner:
    """One for all upstreams: digests are salted."""

    beliefs: Beliefs = field(default_factory=Beliefs)
    expectation: Expectation = field(default_factory=Expectation)
    flights: dict[bytes, Flight] = field(default_factory=dict)

    def plan(
        self,
        prompt: Prompt,
        terms: Terms,
        now: float,
        *,
        patient: bool = True,
        waited: bool = False,
        shared: int = -1,
    ) -> Plan:
        """`patient`: whether it may still wait. `waited`: whether it has, so that it is a branch of something.
        `shared`: index of the point up to which a declared fan-out shares it. A plan without `wait` counts as sent."""
        why = self.idle(prompt, terms)
        if why:
            return Plan(prompt, terms, now, why)
        minimum = self.beliefs.minimum(terms.name, prompt.minimum)
        warm = self.warm_at(prompt, terms, now)
        if terms.strategy != "off" and patient:
            place, flight = self._in_flight(prompt, terms, now, warm, minimum)
            if flight is not None:
                tokens = prompt.points[place].tokens
                return Plan(prompt, terms, now, "in flight", wait=flight, warm=warm, shared=tokens)
        family, found = family_of(prompt), candidates(prompt, minimum, leaf=waited) if terms.profile.breakpoints else []
        marks, explicit = placed(
            prompt,
            terms,
            found,
            warm,
            minimum,
            partial(self.expectation.reads, family),
            partial(self.beliefs.hopeless, now=now),
            shared=shared,
        )
        flight = self._flight(prompt, terms, now, warm, minimum, marks, explicit)
        self._sent(prompt, terms, now, family, found)
        why = "cold" if warm < 0 else "warm" if flight is None else "longer"
        return Plan(prompt, terms, now, why, flight=flight, marks=marks, explicit=explicit, warm=warm)

    def idle(self, prompt: Prompt, terms: Terms) -> str:
        """Why no prompt cache can do anything for this request; empty where one may."""
        profile = terms.profile
        if profile.local:
            return "local"
        if profile.writes == "unknown":
            return "unknown provider"
        if terms.rates.read >= 1:
            return "no discount"
        if prompt.tokens < self.beliefs.minimum(terms.name, prompt.minimum):
            return "below minimum"
        return ""

    def worthwhile(self, prompts: Sequence[Prompt], terms: Terms, now: float) -> Shared:
        """The longest prefix that all of them share and that a provider can keep, if warming it is worth anything."""
        if len(prompts) < 2:
            return Shared(-1, 0, "alone")
        why = next((why for prompt in prompts if (why := self.idle(prompt, terms))), "")
        if why:
            return Shared(-1, 0, why)
        first, marked = prompts[0], terms.profile.boundary in ("breakpoint", "message")
        common = min(first.shares(other) for other in prompts[1:])
        places = [place for place in range(common) if first.points[place].markable or not marked]
        if not places:
            return Shared(-1, 0, "nothing shared")
        place = places[-1]
        tokens = first.points[place].tokens
        if tokens < self.beliefs.minimum(terms.name, first.minimum):
            return Shared(-1, tokens, "below minimum")
        if self.beliefs.hopeless(first.points[place].digest, now):
            return Shared(-1, tokens, "unwarmable")
        if self.warm_at(first, terms, now) >= place:
            return Shared(-1, tokens, "warm")
        return Shared(place, tokens, "cold")

    def content(self, plan: Plan, now: float) -> None:
        """The first content of a request that was sent has come (and the provider's lag has passed)."""
        if plan.why in ("cold", "longer", "warm"):
            self._read(plan, now)
        flight = plan.flight
        if flight is None or flight.over:
            return
        self._end(flight)
        profile, name = plan.terms.profile, plan.terms.name
        lives = {plan.prompt.points[index].digest: life for index, life in plan.marks}
        begun = flight.begun if profile.life_from == "request_start" else now
        lag = self.beliefs.lag(name, profile)
        for digest in flight.digests:
            if (known := self.beliefs.warm.get(digest)) is not None:
                known.confirmed = True  # written once and now again, or read: either way it is there
            life = self.beliefs.life(name, profile, lives.get(digest, ""))
            self.beliefs.believe(digest, now=now, begun=begun, life=life, lag=lag)

    def failed(self, plan: Plan) -> None:
        """It ended without any content: nothing can be read that it was to write."""
        if plan.flight is not None and not plan.flight.over:
            self._end(plan.flight)

    def settle(self, plan: Plan, usage: Usage | None, now: float) -> None:
        """What a request that was sent has been billed; None where the provider does not say."""
        terms = plan.terms
        learned = self.beliefs.of(terms.name)
        if usage is None:
            learned.mute += 1
            return
        written = usage.prompt - usage.uncached - usage.read
        if usage.read or written:
            self.beliefs.above(terms.name, usage.read + written, plan.prompt.minimum)
        if plan.warm >= 0:
            digest = plan.prompt.points[plan.warm].digest
            # Our tokens are estimates: the bill of the whole prompt tells what its parts are likely to have.
            scale = usage.prompt / plan.prompt.tokens if usage.prompt else 1.0
            expected = round(plan.expected * scale)
            if not self.beliefs.judge(terms.name, terms.profile, digest, expected, usage, plan.begun):
                self._correct(plan, usage, written, scale, now)
        elif terms.paid and _asked(plan) and not usage.read and not written:
            self.beliefs.below(terms.name, plan.prompt.tokens)
            for digest in plan.flight.digests if plan.flight else ():
                self.beliefs.forget(digest)

    def _correct(self, plan: Plan, usage: Usage, written: int, scale: float, now: float) -> None:
        """After a miss: what lies behind the read was not there, and what was written is there now."""
        points = plan.prompt.points
        for point in points[: plan.warm + 1]:
            if point.tokens * scale * ENOUGH > usage.read:
                self.beliefs.forget(point.digest)
        for at, life in plan.marks if written else ():
            if points[at].tokens * scale * ENOUGH <= usage.read + written:
                seconds = self.beliefs.life(plan.terms.name, plan.terms.profile, life)
                self.beliefs.believe(points[at].digest, now=now, begun=plan.begun, life=seconds)

    def believe(self, prompt: Prompt, terms: Terms, index: int, begun: float, now: float) -> None:
        """A warm call has written the prefix up to this point, or read it."""
        life = self.beliefs.life(terms.name, terms.profile, prompt.points[index].mark)
        self.beliefs.believe(prompt.points[index].digest, now=now, begun=begun, life=life)

    def warmth(self, prompt: Prompt, terms: Terms, now: float) -> tuple[int, float]:
        """Tokens of this prompt that are believed to be readable, and for how many seconds still."""
        warm = self.warm_at(prompt, terms, now)
        if warm < 0:
            return 0, 0.0
        point = prompt.points[warm]
        return point.tokens, self.beliefs.warm[point.digest].until - now

    def known(self, prompt: Prompt) -> int:
        """The last point that the provider has been sent before, as far as is remembered; -1: none."""
        seen = (self.beliefs.warm, self.expectation, self.flights)
        for at in range(len(prompt.points) - 1, -1, -1):
            if any(prompt.points[at].digest in each for each in seen):
                return at
        return -1

    def warm_at(self, prompt: Prompt, terms: Terms, now: float) -> int:
        """The last point that can be read, by the request's own breakpoints where it has some."""
        own = _own(prompt)
        fixed = bool(own) and terms.profile.writes == "breakpoints"
        beliefs = self.beliefs
        for index in range(len(prompt.points) - 1, -1, -1):
            digest = prompt.points[index].digest
            if digest not in beliefs.warm or not beliefs.is_warm(digest, now + MARGIN):
                continue
            if not fixed or reachable(prompt, own, index, terms.profile.lookback):
                return index
        return -1

    def _doubtful(self, prompt: Prompt, terms: Terms, warm: int) -> bool:
        """Whether nobody has been seen to read there, at a provider who does not say when one can, or where what it
        says has just proved wrong: then one goes ahead, and the others wait for its content."""
        learned = self.beliefs.of(terms.name)
        sure = (learned.proven or terms.profile.readable_documented) and not learned.misses
        if warm < 0 or sure:
            return False
        return not self.beliefs.warm[prompt.points[warm].digest].confirmed

    def _in_flight(
        self, prompt: Prompt, terms: Terms, now: float, warm: int, minimum: int
    ) -> tuple[int, Flight | None]:
        """The longest point behind what is surely warm that a flight is about to make readable, if worth a wait."""
        if not self.flights:
            return -1, None
        sure = -1 if self._doubtful(prompt, terms, warm) else warm
        least = max(minimum, LEAST + (prompt.points[sure].tokens if sure >= 0 else 0))
        own = _own(prompt)
        fixed = bool(own) and terms.profile.writes == "breakpoints"
        for index in range(len(prompt.points) - 1, sure, -1):
            point = prompt.points[index]
            if point.tokens < least:
                break
            flight = self.flights.get(point.digest)
            if flight is None or (fixed and not reachable(prompt, own, index, terms.profile.lookback)):
                continue
            if not self.beliefs.hopeless(point.digest, now):
                return index, flight
        return -1, None

    def _flight(
        self, prompt: Prompt, terms: Terms, now: float, warm: int, minimum: int, marks: Sequence[Mark], explicit: bool
    ) -> Flight | None:
        """The request as one whom others may wait for; None where it writes nothing new."""
        profile, points = terms.profile, prompt.points
        end = len(points) - 1
        ends: Iterable[int]
        if profile.writes == "automatic":
            ends = range(end, end + 1) if profile.boundary == "unit" else range(len(points))
        else:
            own = _own(prompt)
            last = [end] if profile.writes == "both" and not explicit else []
            ends = sorted({*own, *(index for index, _ in marks), *last})
        sure = warm - 1 if self._doubtful(prompt, terms, warm) else warm
        fresh = tuple(
            points[index].digest
            for index in ends
            if index > sure and points[index].tokens >= minimum and points[index].digest not in self.flights
        )
        if not fresh:
            return None
        flight = Flight(fresh, now)
        if terms.strategy != "off":
            self.flights.update(dict.fromkeys(fresh, flight))
        return flight

    def _sent(self, prompt: Prompt, terms: Terms, now: float, family: bytes, found: Sequence[Candidate]) -> None:
        """Notes what was met, and watches what could be written, to learn what is worth writing."""
        self.expectation.met(map(digest_at, prompt.points), now)
        until = now + self.beliefs.life(terms.name, terms.profile)
        for candidate in found:
            self.expectation.wrote(prompt.points[candidate.at].digest, family, candidate.kind, until)

    def _read(self, plan: Plan, now: float) -> None:
        """Everything up to what was read lives anew, where reads refresh."""
        if plan.warm >= 0 and plan.terms.profile.refreshed:
            begun = plan.begun if plan.terms.profile.life_from == "request_start" else now
            self.beliefs.refresh(map(digest_at, plan.prompt.points[: plan.warm + 1]), begun)

    def _end(self, flight: Flight) -> None:
        flight.over = True
        for digest in flight.digests:
            if self.flights.get(digest) is flight:
                del self.flights[digest]


def _own(prompt: Prompt) -> list[int]:
    """Where the client's own breakpoints stand."""
    marks = list(map(mark_at, prompt.points))
    return [at for at, mark in enumerate(marks) if mark] if any(marks) else []


def _asked(plan: Plan) -> bool:
    """Whether the request had breakpoints."""
    return bool(plan.marks or any(map(mark_at, plan.prompt.points)))
