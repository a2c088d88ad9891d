"""What a reader of a replay's figures has to know: how they were made, and what they do not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proxy.calibrate import Calibration
from proxy.replay_arrivals import THINK
from proxy.replay_facts import Survey
from proxy.replay_outcome import Outcome
from proxy.replay_prompts import VARIANT
from proxy.replay_strategies import strategy_of


def notes(
    found: Survey,
    strategies: Mapping[str, Mapping[str, Any]],
    outcomes: Mapping[str, Outcome],
    model: str | None,
    ttl: float | None,
    arrivals: str,
    branches: int,
) -> list[str]:
    """The general first. Unpriced models come last."""
    asked = [strategy for name in strategies if (strategy := strategy_of(name)) is not None]
    exact = next((strategies[strategy.name] for strategy in asked if strategy.exact), None)
    warmed = any(strategy.how != "none" for strategy in asked)
    simulated = any(outcome.simulated for outcome in outcomes.values())
    told = [
        "Latency is a model: 0.3 s + uncached prompt / 10,000 per s + answer / 100 per s; a hit takes 0.5 ms.",
        *(_of_hits(found, exact, ttl) if exact is not None else ()),
        *_of_traffic(found, arrivals, branches),
        *(_of_provider(found, outcomes, warmed) if simulated else ()),
        *_of_money(strategies, outcomes, warmed),
        *_of_records(found),
    ]
    if model is not None:
        told.append(f"Priced as {model}, whatever the recorded model.")
    unpriced = sorted({name or "(no name)" for outcome in outcomes.values() for name in outcome.unpriced})
    if unpriced:
        told.append(f"No price for: {', '.join(unpriced[:5])}. Such requests are missing from the dollars, not free.")
    return told


def _of_hits(found: Survey, exact: Mapping[str, Any], ttl: float | None) -> Iterator[str]:
    total = len(found.facts)
    yield (
        "Siblings: equal requests that ran side by side count as one request and hits (they would have shared one "
        "answer), although recorded answers to equal requests often differ."
    )
    if exact["hits"]:
        yield (
            "After a hit whose answer differs from the recorded one (or whose words are unknown) a session is taken to "
            f"have gone another way: {exact['uncertain_hits']} later hits of such sessions are not counted. Requests "
            "after a hit are billed as recorded."
        )
    if ttl is None:
        yield "Answers are kept for ever (no time to live was given), and the cache is large enough for all of them."
    else:
        yield f"Answers are kept for {ttl:g} s by the recorded times; the cache is large enough for all of them."
    if found.unanswered:
        yield f"{found.unanswered} of {total} requests have no recorded answer: nothing was stored for them."
    if found.wordless:
        yield (
            f"{found.wordless} of {total} answers are recorded by their length only: they may be stored, and a hit on "
            "one ends what is certain of its session."
        )


def _of_traffic(found: Survey, arrivals: str, branches: int) -> Iterator[str]:
    total = len(found.facts)
    if found.untimed:
        yield (
            f"{found.untimed} of {total} requests have no time: they run behind those that have one, {THINK:g} s after "
            "the answer before them; answers that the exact cache keeps do not expire there."
        )
    if arrivals == "together":
        yield "Sessions of one task start at the same moment, whenever they were recorded."
    if branches > 1:
        yield (
            f"Each request is sent as {branches} branches that differ in a last message of {VARIANT} tokens and are "
            "answered as the recorded one was; the conversation then goes on as recorded. Strategy `call` is told of "
            "these fan-outs, the others find out."
        )
    if found.blind:
        yield f"{found.blind} of {total} requests are recorded by their lengths only: no hit and no shared prefix."


def _of_provider(found: Survey, outcomes: Mapping[str, Outcome], warmed: bool) -> Iterator[str]:
    recorded = sum(fact.recorded for fact in found.facts)
    yield (
        "Where nobody recorded what the provider's cache did, or a strategy changes what it sees, the cache is "
        "simulated by what is known of the model's maker: minimum, life, breakpoints, steps, when an entry can be read."
    )
    if recorded and warmed:
        yield (
            f"{recorded} of {len(found.facts)} requests carry recorded usage: `none` is billed as recorded, the other "
            "strategies as simulated. A difference between them holds the errors of the simulation, too."
        )
    if warmed:
        yield (
            "Requests are taken to be the recorded ones whatever was answered before them. That holds for warming, "
            "which changes no answer; it is no evidence that two runs of one task would ask the same."
        )
    if any(outcome.pruned for outcome in outcomes.values()):
        yield (
            "Pruned prompts are taken to be answered as the whole ones were. A model that misses what was taken out "
            "may ask for it again: that is not in these figures."
        )
    if any(outcome.best_effort for outcome in outcomes.values()):
        yield (
            "Some providers promise nothing (best effort): their figures are a range, from a cache that always has "
            "what it should to one that has it with the probability given; all rows but the dollars show the latter."
        )


def _of_money(
    strategies: Mapping[str, Mapping[str, Any]], outcomes: Mapping[str, Outcome], warmed: bool
) -> Iterator[str]:
    losing = [name for name, strategy in strategies.items() if (strategy.get("net") or 0.0) < 0]
    if losing:
        yield f"Costs more than plain forwarding: {', '.join(losing)}."
    if warmed:
        yield (
            "The lower bound has every shared token written once for as long as it keeps being used within its life, "
            "and read otherwise; tokens that nobody uses again are never written, answers count in full. It knows the "
            "future: no strategy can."
        )


def _of_records(found: Survey) -> Iterator[str]:
    total = len(found.facts)
    if found.estimated:
        yield (
            f"{found.estimated} of {total} requests carry no usage: their tokens are {_counted(found)} (images by a "
            "constant)."
        )
    if found.with_dollars:
        yield f"The recordings themselves say ${found.dollars:,.2f} for {found.with_dollars} requests."


def _counted(found: Survey) -> str:
    if found.counter is not None and found.counter.vocabularies:
        return f"counted by tiktoken ({', '.join(found.counter.vocabularies)}), others' than OpenAI's by an estimate"
    return "estimated from the text, within about 20%"


def calibrated(calibration: Calibration) -> Iterator[str]:
    """What became of the simulation when it was held against recorded usage."""
    if not calibration.requests:
        yield "Calibration: no request carries both usage and its prompt."
        return
    off = "unknown, for want of prices" if calibration.total_error is None else f"{calibration.total_error:+.1%}"
    causes = ", ".join(f"{cause.replace('_', ' ')} {number:,}" for cause, number in calibration.causes.items())
    yield (
        f"Calibration: {calibration.explained:,} of {calibration.requests:,} requests explained "
        f"({calibration.share:.1%}), simulated against recorded dollars {off}; not explained: {causes or 'none'}."
    )
    if calibration.fit is not None:
        yield f"Of what could be read of best-effort caches {calibration.fit.reused:.1%} of the tokens were read."
