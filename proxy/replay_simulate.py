"""One strategy on virtual time: requests arrive, wait, are sent, and end, in the order of a heap of events.

The planner that decides who waits for whom and where breakpoints go is the one of the live gate. What a client sends
later does not depend on what it was answered: only its moment does, where no times were recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from adapters.prices import Prices
from adapters.prompt import Point, Prompt
from adapters.usage import Usage
from proxy.replay_arrivals import Arrivals
from proxy.replay_bound import Served
from proxy.replay_exact import ExactCache
from proxy.replay_facts import Fact
from proxy.replay_outcome import DECODE, FIRST_TOKEN, HIT, Outcome, Sent, sent
from proxy.replay_prompts import MARKED, VARIANT, naive, prompt_of, with_marks
from proxy.replay_provider import Model, Provider
from proxy.replay_prune import Cutter
from proxy.replay_strategies import Strategy
from proxy.replay_timeline import Timeline
from warming.breakpoints import of_warm_call
from warming.cheapest import for_fanout
from warming.economics import CALLS
from warming.hooks import Options as PruningOptions
from warming.plan import Flight, Plan
from warming.planner import Planner
from warming.pruning import terms_of as pruning_terms
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
    turns: int = PruningOptions().turns
    """That a conversation is expected to go on for, when pruning it is weighed."""


@dataclass(slots=True, eq=False)
class Ask:
    """One request on its way."""

    index: int
    fact: Fact
    model: Model
    prompt: Prompt
    tokens: int
    """Of the prompt, which may go on behind its last point."""
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
    _time: Timeline = field(init=False)
    _exact: ExactCache = field(init=False)
    _cutter: Cutter | None = None
    _open: dict[int, int] = field(default_factory=dict)
    """Branches of a request that are not over."""
    _gathered: dict[int, list[Ask]] = field(default_factory=dict)
    _sizes: dict[int, int] = field(default_factory=dict)
    """Sessions that are still to come of those that start together."""
    _waiting: dict[int, list[Ask]] = field(default_factory=dict)
    """By flight."""
    _terms: dict[str, Terms] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._time = Timeline(self.facts, self.arrivals, self._arrive)
        self._exact = ExactCache(self.setting.ttl)
        if self.setting.strategy.prune:
            self._cutter = Cutter(self.setting.turns)
        for group in self.arrivals.starts.values():
            self._sizes[group] = self._sizes.get(group, 0) + 1

    def run(self) -> Outcome:
        self._time.run()
        self.provider.close()
        return self.outcome

    def _arrive(self, index: int) -> None:
        fact, branches = self.facts[index], self.setting.branches
        model = self.provider.model(self.setting.model or fact.model)
        points, tokens = self._pruned(fact, model), fact.usage.prompt
        if points:
            tokens -= fact.points[-1].tokens - points[-1].tokens
        asks = []
        for variant in range(branches):
            prompt = prompt_of(points, model.profile, variant if branches > 1 else -1)
            asks.append(Ask(index, fact, model, prompt, tokens + VARIANT * (branches > 1), variant, self._time.now))
        self.outcome.pruned += branches * (fact.usage.prompt - tokens)
        self._open[index] = branches
        group = self.arrivals.starts.get(index)
        asks = [ask for ask in asks if not self._hit(ask)]
        how = self.setting.strategy.how
        if branches > 1 and how in ("call", "auto"):
            self._fan_out(asks)
        elif how != "call" or group is None:
            self._release(asks)
        else:
            gathered = self._gathered.setdefault(group, [])
            gathered += asks
            self._sizes[group] -= 1
            if not self._sizes[group]:
                self._fan_out(self._gathered.pop(group))

    def _over(self, index: int) -> None:
        """One branch of a request has ended."""
        self._open[index] -= 1
        if not self._open[index]:
            del self._open[index]
            self._time.over(index)

    def _pruned(self, fact: Fact, model: Model) -> Sequence[Point]:
        if self._cutter is None or fact.prunable is None:
            return fact.points

        def warm(points: Sequence[Point]) -> tuple[float, float]:
            prompt = prompt_of(points, model.profile)
            if self.setting.strategy.how == "naive":
                prompt = with_marks(prompt, naive(prompt, model.profile))
                return model.cache.lookup(prompt, self._time.now).read, math.inf
            return self.planner.warmth(prompt, self._terms_of(model), self._time.now)

        terms = pruning_terms(self.prices, "maker", model.name)
        return self._cutter.points(fact.points, fact.prunable, fact.session, warm, terms, self.setting.branches)

    def _hit(self, ask: Ask) -> bool:
        """Whether the exact cache answers it."""
        if not self.setting.strategy.exact:
            return False
        found = self._exact.ask(ask.fact, ask.variant, self._time.now)
        self.outcome.uncertain += found == "uncertain"
        if found == "hit":
            self.outcome.hit()
            self._time.at(self._time.now + HIT, self._over, ask.index)
        return found == "hit"

    # The provider's cache

    def _go(self, ask: Ask) -> None:
        if self.ideal is not None or self.setting.strategy.how in ("none", "naive"):
            self._send(ask, None)
            return
        patient = self._time.now < ask.arrived + DEADLINE
        plan = self.planner.plan(
            ask.prompt, self._terms_of(ask.model), self._time.now, patient=patient, waited=ask.waited, shared=ask.shared
        )
        if plan.wait is None:
            self._send(ask, plan)
            return
        if not ask.waited:
            self._time.at(ask.arrived + DEADLINE, self._lose_patience, ask)
        ask.waited, ask.waits = True, plan.wait
        self._waiting.setdefault(id(plan.wait), []).append(ask)

    def _lose_patience(self, ask: Ask) -> None:
        if ask.waits is not None:
            self._waiting[id(ask.waits)].remove(ask)
            ask.waits = None
            self._go(ask)

    def _send(self, ask: Ask, plan: Plan | None) -> None:
        now, model = self._time.now, ask.model
        prompt = ask.prompt
        if self.ideal is not None:
            self.ideal.append(Served(model.name, prompt, ask.tokens, ask.fact.usage.output, now))
            self._time.at(now + FIRST_TOKEN + ask.fact.usage.output / DECODE, self._over, ask.index)
            return
        if plan is None and self._recorded(ask):
            reply = sent(ask.fact.usage)
        else:
            if plan is not None:
                prompt = with_marks(prompt, plan.marks, only=plan.explicit)
            elif self.setting.strategy.how == "naive":
                prompt = with_marks(prompt, naive(prompt, model.profile))
            reply = self.provider.send(model, prompt, ask.tokens, ask.fact.usage.output, now)
        self.provider.explain(model, prompt, reply, ask.fact.session, now, int(self.setting.branches > 1))
        self.outcome.answered(now - ask.arrived, reply)
        self._bill(ask, reply.usage)
        if plan is not None:
            self._time.at(reply.readable(model.profile, now), self._content, plan)
        self._time.at(now + reply.whole, self._end, (ask, plan, reply))

    def _bill(self, ask: Ask, usage: Usage, warm: bool = False) -> None:
        model, minimum = ask.model.name, ask.prompt.minimum
        self.outcome.bill(
            model, usage, self.prices, session=ask.fact.session, at=self._time.now, minimum=minimum, warm=warm
        )

    def _content(self, plan: Plan) -> None:
        self.planner.content(plan, self._time.now)
        for ask in self._waiting.pop(id(plan.flight), ()) if plan.flight is not None else ():
            ask.waits = None
            self._go(ask)

    def _end(self, ended: tuple[Ask, Plan | None, Sent]) -> None:
        ask, plan, reply = ended
        if plan is not None:
            self.planner.settle(plan, reply.usage, self._time.now)
        self._over(ask.index)

    def _fan_out(self, asks: list[Ask]) -> None:
        """A declared fan-out: a warm call first, where it is worth one."""
        by_model: dict[str, list[Ask]] = {}
        for ask in asks:
            by_model.setdefault(ask.model.name, []).append(ask)
        for siblings in by_model.values():
            first, terms = siblings[0], self._terms_of(siblings[0].model)
            shared = self.planner.worthwhile([ask.prompt for ask in siblings], terms, self._time.now)
            if shared.at >= 0:
                for ask in siblings:
                    ask.shared = shared.at
            calls = self.setting.strategy.how == "call" or self._calls_pay(siblings, shared.tokens)
            if shared.at < 0 or not calls:
                self._release(siblings)
                continue
            prompt = Prompt(first.prompt.points[: shared.at + 1], first.prompt.minimum)
            if first.model.profile.boundary in MARKED:
                only = first.model.profile.boundary == "message"
                warm = self.planner.warm_at(prompt, terms, self._time.now)
                prompt = with_marks(prompt, of_warm_call(prompt, terms, shared.at, warm), only=only)
            self._call(first, prompt, siblings)

    def _call(self, first: Ask, prompt: Prompt, siblings: list[Ask]) -> None:
        now, profile = self._time.now, first.model.profile
        output = max(WARM_OUTPUT, min((form.output for form in profile.warm), default=WARM_OUTPUT))
        reply = self.provider.send(first.model, prompt, prompt.tokens + PLACEHOLDER, output, now)
        self._bill(first, reply.usage, warm=True)
        done = max(now + reply.whole, reply.readable(profile, now))
        self._time.at(done, self._warmed, (first.prompt, self._terms_of(first.model), len(prompt.points) - 1, now))
        self._time.at(min(done, now + DEADLINE), self._release, siblings)

    def _calls_pay(self, asks: Sequence[Ask], shared: int) -> bool:
        """Whether a warm call costs less than to let one go ahead (`warming.cheapest`)."""
        terms = self._terms_of(asks[0].model)
        prompt = asks[0].prompt
        warm, _ = self.planner.warmth(prompt, terms, self._time.now)
        own = max(0, prompt.tokens - shared)
        return for_fanout(terms, len(asks), shared=shared, warm=warm, own=own).strategy in CALLS

    def _warmed(self, warm: tuple[Prompt, Terms, int, float]) -> None:
        prompt, terms, at, begun = warm
        self.planner.believe(prompt, terms, at, begun, self._time.now)

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
