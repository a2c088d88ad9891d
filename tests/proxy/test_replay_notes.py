from typing import Any

from adapters.usage import Usage
from proxy.replay_facts import Survey
from proxy.replay_notes import notes
from proxy.replay_outcome import Outcome
from tests.replaying import fact


def told(found: Survey, *names: str, hits: int = 0, **more: Any) -> str:
    strategies = {name: {"hits": hits, "uncertain_hits": 1, "net": more.get("net", {}).get(name)} for name in names}
    outcomes = {name: more.get("outcome", Outcome()) for name in names}
    model, ttl = more.get("model"), more.get("ttl")
    arrivals, branches = more.get("arrivals", "recorded"), more.get("branches", 1)
    return "\n".join(notes(found, strategies, outcomes, model, ttl, arrivals, branches))


def test_they_say_what_the_figures_do_not_know() -> None:
    found = Survey(facts=[], untimed=3, estimated=4, simulated=5, blind=6, unanswered=7, wordless=8)
    found.with_dollars, found.dollars = 9, 10.0
    outcome = Outcome(unpriced={"": 1, "x": 1}, simulated=1)
    text = told(found, "none", "exact", hits=2, ttl=60.0, model="gpt-4o", outcome=outcome)
    for part in (
        "Siblings",
        "1 later hits",
        "kept for 60 s",
        "3 of 0 requests have no time",
        "4 of 0 requests carry no usage",
        "6 of 0 requests are recorded by their lengths",
        "7 of 0 requests have no recorded answer",
        "8 of 0 answers",
        "the cache is simulated",
        "$10.00 for 9 requests",
        "Priced as gpt-4o",
        "(no name), x",
    ):
        assert part in text


def test_nothing_is_said_of_what_is_not_there() -> None:
    assert told(Survey(), "none").count("\n") == 0
    assert "for ever" in told(Survey(), "exact")
    assert "lower bound" not in told(Survey(), "exact")


def test_warming_is_told_with_its_doubts() -> None:
    facts = [fact(0, "k", usage=Usage(1), recorded=True)]
    outcome = Outcome(simulated=1, best_effort=True)
    text = told(
        Survey(facts=facts),
        "none",
        "leader",
        outcome=outcome,
        net={"leader": -1.0, "none": 0.0},
        arrivals="together",
        branches=8,
    )
    for part in (
        "1 of 1 requests carry recorded usage: `none` is billed as recorded",
        "best effort",
        "no evidence that two runs",
        "Costs more than plain forwarding: leader.",
        "lower bound",
        "start at the same moment",
        "8 branches",
    ):
        assert part in text
