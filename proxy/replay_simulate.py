"""One strategy on virtual time: requests arrive, wait, are sent, and end, in the order of a heap of events.

The planner that decides who waits for whom and where breakpoints go is the one of the live gate. What a client sends
later does not depend on what it was answered: only its moment does, where no times were recorded.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from adapters.prices import Prices
from adapters.prompt import Prompt
from adapters.usage import Usage
from proxy.replay_arrivals import THINK, Arrivals
from proxy.replay_bound import Served
from proxy.replay_exact import ExactCache
from proxy.replay_facts import Fact
from proxy.replay_outcome import DECODE, FIRST_TOKEN, HIT, Outcome, Sent, sent
from proxy.replay_prompts import MARKED, VARIANT, naive, prompt_of, with_marks
from proxy.replay_provider import Model, Provider
from proxy.replay_strategies import Strategy
from warming.plan import Flight, Plan
from warming.planner import Planner
from warming.terms import Terms

DEADLINE = 10.0
"""Seconds that a request waits for another at most: the default of `warming.deadline`."""

WARM_OUTPUT, PLACEHOLDER = 10, 10
"""Tokens of the answer to a warm call, and of what stands in its prompt behind the shared prefix."""


class Setting(NamedTuple):
    strategy: Strategy
    model: str | None = None
    """Every request goes to this model."""
    ttl: float | None = None
    """Seconds that the exact cache keeps an answer; None: for ever."""
    branches: int = 1


@dataclass(slots=True, eq=False)
class Ask:
    """One request on its way."""

    index: int
    fact: Fact
    model: Model
    prompt: Prompt
    usage: Usage
    variant: int
    arrived: float
    shared: int = -1
    waited: bool = False
    waits: Flight | None = None


@dataclass(slots=True)
class Simulation:
    facts: Sequence[Fact]
    arrivals: Arrivals
    setting: Setting
    prices: Prices
    provider: Provider
    outcome: Outcome
    planner: Planner = field(default_factory=Planner)
    ideal: list[Served] | None = None
    """Where it is given, nothing is billed and everything is served at once: the arrivals of the lower bound."""
    _events: list[tuple[float, int, Callable[[Any], None], Any]] = field(default_factory=list)
    _count: int = 0
    _now: float = 0.0
    _next: dict[int, int] = field(default_factory=dict)
    """What follows a request that has no time."""
    _open: dict[int, int] = field(default_factory=dict)
    """Branches of a request that are not over."""
    _last: dict[int, int] = field(default_factory=dict)
    """The latest request of each session."""
    _late: dict[int, list[int]] = field(default_factory=dict)
    """What comes once the branches of a request are over."""
    _lanes: int = 0
    """Sessions of the present wave that are not over."""
    _wave: int = 0
    _gathered: dict[int, list[Ask]] = field(default_factory=dict)
    _sizes: dict[int, int] = field(default_factory=dict)
    _waiting: dict[int, list[Ask]] = field(default_factory=dict)
    """By flight."""
    _terms: dict[str, Terms] = field(default_factory=dict)
    _exact: ExactCache = field(init=False)

    def __post_init__(self) -> None:
        self._exact = ExactCache(self.setting.ttl)

    def run(self) -> Outcome:
        for at, index in self.arrivals.timed:
            self._at(at, self._arrive, index)
        for lanes in self.arrivals.waves:
            for lane in lanes:
                self._next |= dict(pairwise(lane))
        for group in self.arrivals.starts.values():
            self._sizes[group] = self._sizes.get(group, 0) + 1
        if self.arrivals.waves:
            self._at(max((at for at, _ in self.arrivals.timed), default=-THINK) + THINK, self._start, None)
        while self._events:
            self._now, _, act, what = heapq.heappop(self._events)
            act(what)
        self.provider.close()
        return self.outcome

    def _at(self, when: float, act: Callable[[Any], None], what: Any) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, act, what))

    # Who comes when

    def _start(self, _: None) -> None:
        """The next sessions without times begin."""
        if self._wave < len(self.arrivals.waves):
            lanes = self.arrivals.waves[self._wave]
            self._wave, self._lanes = self._wave + 1, len(lanes)
            for lane in lanes:
                self._arrive(lane[0])

    def _arrive(self, index: int) -> None:
        fact, branches = self.facts[index], self.setting.branches
        if fact.follows and self._open.get(last := self._last.get(fact.session, -1)):
            # It was recorded after an answer that is not there yet: our provider is slower than the real one was.
            self._late.setdefault(last, []).append(index)
            return
        self._last[fact.session] = index
        model = self.provider.model(self.setting.model or fact.model)
        asks = []
        usage = fact.usage if branches == 1 else fact.usage._replace(uncached=fact.usage.uncached + VARIANT)
        for variant in range(branches):
            prompt = prompt_of(fact.points, model.profile, variant if branches > 1 else -1)
            asks.append(Ask(index, fact, model, prompt, usage, variant, self._now))
        self._open[index] = branches
        group = self.arrivals.starts.get(index)
        asks = [ask for ask in asks if not self._hit(ask)]
        if not self._calls(model) or (branches == 1 and group is None):
            for ask in asks:
                self._go(ask)
        elif branches > 1 or group is None:
            self._fan_out(asks)
        else:
            gathered = self._gathered.setdefault(group, [])
            gathered += asks
            self._sizes[group] -= 1
            if not self._sizes[group]:
                self._fan_out(self._gathered.pop(group))

    def _calls(self, model: Model) -> bool:
        """Whether a declared fan-out gets a warm call."""
        how = self.setting.strategy.how
        return how == "call" or (how == "auto" and model.profile.boundary == "unit")

    def _over(self, index: int) -> None:
        """One branch of a request has ended."""
        self._open[index] -= 1
        if self._open[index]:
            return
        for late in self._late.pop(index, ()):
            self._arrive(late)
        if self.facts[index].ts is not None:
            return
        follows = self._next.get(index)
        if follows is not None:
            self._at(self._now + THINK, self._arrive, follows)
            return
        self._lanes -= 1
        if not self._lanes:
            self._at(self._now + THINK, self._start, None)

    def _hit(self, ask: Ask) -> bool:
        """Whether the exact cache answers it."""
        if not self.setting.strategy.exact:
            return False
        found = self._exact.ask(ask.fact, ask.variant, self._now)
        self.outcome.uncertain += found == "uncertain"
        if found == "hit":
            self.outcome.hit()
            self._at(self._now + HIT, self._over, ask.index)
        return found == "hit"

    # The provider's cache

    def _go(self, ask: Ask) -> None:
        if self.ideal is not None or self.setting.strategy.how in ("none", "naive"):
            self._send(ask, None)
            return
        patient = self._now < ask.arrived + DEADLINE
        plan = self.planner.plan(
            ask.prompt, self._terms_of(ask.model), self._now, patient=patient, waited=ask.waited, shared=ask.shared
        )
        if plan.wait is None:
            self._send(ask, plan)
            return
        if not ask.waited:
            self._at(ask.arrived + DEADLINE, self._lose_patience, ask)
        ask.waited, ask.waits = True, plan.wait
        self._waiting.setdefault(id(plan.wait), []).append(ask)

    def _lose_patience(self, ask: Ask) -> None:
        if ask.waits is not None:
            self._waiting[id(ask.waits)].remove(ask)
            ask.waits = None
            self._go(ask)

    def _send(self, ask: Ask, plan: Plan | None) -> None:
        now, model = self._now, ask.model
        prompt = ask.prompt
        if self.ideal is not None:
            self.ideal.append(Served(model.name, prompt, ask.usage.prompt, ask.usage.output, now))
            self._at(now + FIRST_TOKEN + ask.usage.output / DECODE, self._over, ask.index)
            return
        if plan is None and self._recorded(ask):
            reply = sent(ask.usage)
        else:
            if plan is not None:
                prompt = with_marks(prompt, plan.marks, only=plan.explicit)
            elif self.setting.strategy.how == "naive":
                prompt = with_marks(prompt, naive(prompt, model.profile))
            reply = self.provider.send(model, prompt, ask.usage.prompt, ask.usage.output, now)
        self.provider.explain(model, prompt, reply, ask.fact.session, now, int(self.setting.branches > 1))
        self.outcome.answered(now - ask.arrived, reply)
        self._bill(ask, reply.usage)
        if plan is not None:
            self._at(reply.readable(model.profile, now), self._content, plan)
        self._at(now + reply.whole, self._end, (ask, plan, reply))

    def _bill(self, ask: Ask, usage: Usage, warm: bool = False) -> None:
        model, minimum = ask.model.name, ask.prompt.minimum
        self.outcome.bill(model, usage, self.prices, session=ask.fact.session, at=self._now, minimum=minimum, warm=warm)

    def _content(self, plan: Plan) -> None:
        self.planner.content(plan, self._now)
        for ask in self._waiting.pop(id(plan.flight), ()) if plan.flight is not None else ():
            ask.waits = None
            self._go(ask)

    def _end(self, ended: tuple[Ask, Plan | None, Sent]) -> None:
        ask, plan, reply = ended
        if plan is not None:
            self.planner.settle(plan, reply.usage, self._now)
        self._over(ask.index)

    def _fan_out(self, asks: list[Ask]) -> None:
        """A declared fan-out: a warm call first, where it is worth one."""
        by_model: dict[str, list[Ask]] = {}
        for ask in asks:
            by_model.setdefault(ask.model.name, []).append(ask)
        for siblings in by_model.values():
            model, terms = siblings[0].model, self._terms_of(siblings[0].model)
            shared = self.planner.worthwhile([ask.prompt for ask in siblings], terms, self._now)
            if shared.at < 0:
                self._release(siblings)
                continue
            points = siblings[0].prompt.points[: shared.at + 1]
            prompt = Prompt(points, siblings[0].prompt.minimum)
            if model.profile.boundary in MARKED:
                prompt = with_marks(prompt, ((shared.at, terms.usual),), only=model.profile.boundary == "message")
            output = max(WARM_OUTPUT, min((form.output for form in model.profile.warm), default=WARM_OUTPUT))
            reply = self.provider.send(model, prompt, prompt.tokens + PLACEHOLDER, output, self._now)
            self._bill(siblings[0], reply.usage, warm=True)
            for ask in siblings:
                ask.shared = shared.at
            begun = self._now
            done = max(begun + reply.whole, reply.readable(model.profile, begun))
            self._at(done, self._warmed, (prompt, terms, shared.at, begun))
            self._at(min(done, self._now + DEADLINE), self._release, siblings)

    def _warmed(self, warm: tuple[Prompt, Terms, int, float]) -> None:
        prompt, terms, at, begun = warm
        self.planner.believe(prompt, terms, at, begun, self._now)

    def _release(self, asks: list[Ask]) -> None:
        for ask in asks:
            self._go(ask)

    def _terms_of(self, model: Model) -> Terms:
        found = self._terms.get(model.name)
        if found is None:
            strategy = "auto" if self.setting.strategy.how == "auto" else "leader"
            found = self._terms[model.name] = Terms(model.profile, model.prices, strategy, name=model.name)
        return found

    def _recorded(self, ask: Ask) -> bool:
        """Whether what the provider's cache did then is what it would do now."""
        if self.setting.strategy.how != "none" or not ask.fact.recorded or self.setting.branches > 1:
            return False
        then, now = self.provider.model(ask.fact.model).profile, ask.model.profile
        return (then.writes, then.boundary, then.lives) == (now.writes, now.boundary, now.lives)
