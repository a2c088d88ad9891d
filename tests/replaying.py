"""Facts and simulations made by hand, for the tests of the replay."""

from collections.abc import Sequence
from typing import Any

from adapters.prices import Prices
from adapters.prompt import Point
from adapters.usage import Usage
from adapters.vocabulary import PLAIN
from proxy.replay_arrivals import arrivals_of
from proxy.replay_bound import Served
from proxy.replay_facts import Fact, Survey
from proxy.replay_outcome import Outcome
from proxy.replay_provider import Provider
from proxy.replay_simulate import Setting, Simulation
from proxy.replay_strategies import Strategy, strategy_of

CLAUDE = "claude-sonnet-5"
"""Minimum 1,024 tokens; a write costs 1.25, a read 0.1, an answer 5 times what plain input costs."""

MILLION = {"input": 1.0, "output": 5.0, "cache_read": 0.1, "cache_write": 1.25}
PRICES = Prices({"m": {"input": 1.0, "output": 10.0, "cache_read": 0.1}, CLAUDE: MILLION, "gpt-5.6-sol": MILLION})


def fact(session: int, key: str, answer: str | None = "a", *, ts: float | None = 0.0, **more: Any) -> Fact:
    points = more.get("points", ())
    return Fact(
        session=session,
        ts=ts,
        model=more.get("model", "m"),
        key=key.encode() if key else None,
        usage=more.get("usage", Usage(points[-1].tokens if points else 1_000_000)),
        points=points,
        recorded=more.get("recorded", not points),
        answer=answer.encode() if answer is not None else None,
        storable=more.get("storable", True),
        controls=more.get("controls", PLAIN),
        follows=more.get("follows", False),
        prunable=more.get("prunable"),
    )


def chain(*pieces: tuple[str, int], system: int = 1) -> tuple[Point, ...]:
    """Points of a prompt: the text of each piece and its tokens. The first `system` pieces are the system prompt."""
    points, digest, tokens = list[Point](), b"", 0
    for place, (text, size) in enumerate(pieces):
        digest, tokens = digest + f"/{text}:{size}".encode(), tokens + size
        edge: Any = "system" if place < system else "message"
        points.append(Point(digest, tokens, place + 1, edge=edge))
    return tuple(points)


def survey_of(facts: Sequence[Fact], *names: str) -> Survey:
    sessions = max((fact.session for fact in facts), default=-1) + 1
    return Survey(facts=list(facts), sessions=list(names) or [f"s{number}" for number in range(sessions)])


def simulation(
    facts: Sequence[Fact],
    name: str,
    *,
    together: bool = False,
    names: Sequence[str] = (),
    hit: float = 1.0,
    **more: Any,
) -> Simulation:
    found, strategy = survey_of(facts, *names), strategy_of(name)
    assert strategy is not None
    outcome = Outcome()
    setting = Setting(strategy, more.get("model"), more.get("ttl"), more.get("branches", 1))
    provider = Provider(PRICES, outcome, hit=hit, chance=more.get("chance"))
    return Simulation(found.facts, arrivals_of(found, together), setting, PRICES, provider, outcome)


def simulated(facts: Sequence[Fact], name: str, **more: Any) -> Outcome:
    return simulation(facts, name, **more).run()


def served(facts: Sequence[Fact], **more: Any) -> list[Served]:
    """The arrivals that the lower bound is made of."""
    found, log = survey_of(facts), list[Served]()
    setting = Setting(Strategy("none", "none"), more.get("model"), None, more.get("branches", 1))
    outcome = Outcome()
    arrivals = arrivals_of(found, more.get("together", False))
    Simulation(found.facts, arrivals, setting, PRICES, Provider(PRICES, outcome), outcome, ideal=log).run()
    return log
