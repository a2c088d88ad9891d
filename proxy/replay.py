"""What recorded traffic would have cost through this proxy: `warmgate replay`.

Counting is conservative. A hit counts only while the recorded session could still have gone as it was recorded: once a
hit was served an answer other than the recorded one, the later requests of that session would not have been the same.
Hits of theirs are `uncertain` and count as requests to the provider, and their answers are not kept for anybody.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import msgspec

from adapters.prefix_cache import MINIMUM, PrefixCache
from adapters.prices import Prices
from adapters.prompt import Prompt
from adapters.tokenizer import TokenCounter
from adapters.usage import Usage
from proxy.replay_facts import Fact, Survey, survey
from proxy.replay_report import notes, reading, write_table
from proxy.sessions import NotARecording

STRATEGIES = ("none", "exact")
"""`none`: every request goes to the provider. `exact`: our exact cache stands in front of it."""

FIRST_TOKEN, PREFILL, DECODE, HIT = 0.3, 10_000.0, 100.0, 0.0005
"""The latency model: seconds to the first token of an empty prompt, tokens a second of a prompt (those not read from a
cache) and of an answer, seconds of a hit. Round figures for large hosted models: a model, not a measurement."""

PREFIXES = 300_000
"""Entries of the simulated prefix cache."""

CLASSES = ("uncached", "read", "write_5m", "write_1h", "write_30m", "write_12h", "output")


@dataclass(frozen=True, slots=True)
class Options:
    files: Sequence[Path]
    strategies: Sequence[str] = STRATEGIES
    model: str | None = None
    """Price every request as if it had gone to this model."""
    ttl: float | None = None
    """Seconds that an answer is kept; None: for ever. A `cache.ttl` in a recorded body goes before it."""
    json: bool = False
    prices: Prices | None = None
    """The table to price with, where the operator overrides some; None: the library's."""
    counter: TokenCounter | None = None
    """Counts the tokens that nobody reported; None: they are estimated."""


class Kept(NamedTuple):
    """An answer in the replayed cache."""

    answer: bytes | None
    ts: float | None
    ttl: float | None


@dataclass(slots=True)
class Outcome:
    """What one strategy came to. Tokens and dollars are those of the requests that reached the provider."""

    requests: int = 0
    hits: int = 0
    uncertain: int = 0
    tokens: list[int] = field(default_factory=lambda: [0] * len(CLASSES))
    dollars: float = 0.0
    priced: int = 0
    unpriced: dict[str, int] = field(default_factory=dict)
    """Requests to models without a price, by model."""
    first: array[float] = field(default_factory=lambda: array("d"))
    """Seconds to the first token."""
    whole: array[float] = field(default_factory=lambda: array("d"))
    """Seconds to the last token."""

    def hit(self) -> None:
        self.requests += 1
        self.hits += 1
        self.first.append(HIT)
        self.whole.append(HIT)

    def sent(self, model: str, usage: Usage, prices: Prices) -> None:
        self.requests += 1
        for index, name in enumerate(CLASSES):
            self.tokens[index] += getattr(usage, name)
        cost = prices.cost(model, usage)
        if cost is None:
            self.unpriced[model] = self.unpriced.get(model, 0) + 1
        else:
            self.priced += 1
            self.dollars += cost
        first = FIRST_TOKEN + (usage.prompt - usage.read) / PREFILL
        self.first.append(first)
        self.whole.append(first + usage.output / DECODE)


def run(options: Options, out: TextIO, err: TextIO, progress: bool = True) -> int:
    """Writes the report to `out`. Returns 0, or 2 where an argument or a file is no good (said on `err`).

    `progress`: show a bar on `err`, provided that is a terminal.
    """
    unknown = [name for name in options.strategies if name not in STRATEGIES]
    if unknown or not options.strategies:
        what = f"no such strategy: {unknown[0]}" if unknown else "no strategy given"
        err.write(f"warmgate replay: {what}; there are {', '.join(STRATEGIES)}\n")
        return 2
    try:
        with reading(options.files, err, progress) as advance:
            found = survey(options.files, advance, options.counter)
    except NotARecording as error:
        err.write(f"warmgate replay: {error}\n")
        return 2
    for skipped in found.skipped:
        err.write(f"{skipped} (skipped)\n")
    if found.skipped_lines > len(found.skipped):
        err.write(f"... and {found.skipped_lines - len(found.skipped)} more lines skipped\n")
    report = report_of(options, found)
    if options.json:
        out.write(msgspec.json.encode(report).decode() + "\n")
    else:
        write_table(report, out)
    return 0


def report_of(options: Options, found: Survey) -> dict[str, Any]:
    """The report as `--json` prints it; its members are stable."""
    prices = options.prices or Prices()
    names = dict.fromkeys(options.strategies)
    outcomes = {name: simulate(found.facts, name, prices, model=options.model, ttl=options.ttl) for name in names}
    strategies = {name: _summary(outcome) for name, outcome in outcomes.items()}
    unpriced = {model for outcome in outcomes.values() for model in outcome.unpriced}
    return {
        "files": [str(path) for path in options.files],
        "requests": len(found.facts),
        "skipped_lines": found.skipped_lines,
        "prices": {"table": prices.table, "as_of": prices.as_of},
        "strategies": strategies,
        "notes": notes(found, strategies, unpriced=unpriced, ttl=options.ttl, model=options.model),
    }


def simulate(facts: Sequence[Fact], strategy: str, prices: Prices, *, model: str | None, ttl: float | None) -> Outcome:
    """Runs the requests, which stand in the order of their times, against a cold cache."""
    outcome = Outcome()
    provider = PrefixCache(max_entries=PREFIXES)
    answers: dict[bytes, Kept] = {}
    diverged: set[int] = set()
    for fact in facts:
        key = fact.key if strategy == "exact" else None
        kept = answers.get(key) if key is not None else None
        if kept is not None and _serves(kept, fact):
            if fact.session not in diverged:
                if kept.answer is None or kept.answer != fact.answer:
                    diverged.add(fact.session)
                outcome.hit()
                continue
            outcome.uncertain += 1
        outcome.sent(model or fact.model, _billed(fact, provider), prices)
        if key is not None and fact.storable and fact.session not in diverged:
            asked = fact.controls.ttl
            answers[key] = Kept(fact.answer, fact.ts, asked if asked is not None else ttl)
    return outcome


def _serves(kept: Kept, fact: Fact) -> bool:
    if fact.controls.no_cache:
        return False
    if kept.ts is None or fact.ts is None:
        return True
    limits = [limit for limit in (kept.ttl, fact.controls.max_age) if limit is not None]
    return all(fact.ts - kept.ts < limit for limit in limits)


def _billed(fact: Fact, provider: PrefixCache) -> Usage:
    """Usage as it was recorded, or as the provider's automatic prefix cache would have made it."""
    if fact.links is None:
        return fact.usage
    # Without times nothing is ever forgotten: one and the same moment for all such requests.
    now = fact.ts or 0.0
    read = min(provider.lookup_and_store(Prompt(tuple(fact.links), MINIMUM), now, now).read, fact.usage.prompt)
    return fact.usage._replace(uncached=fact.usage.prompt - read, read=read)


def _summary(outcome: Outcome) -> dict[str, Any]:
    # Where nothing that was sent has a price there is no sum; where some of it has, the sum is a part and says so.
    known = outcome.priced or not outcome.unpriced
    return {
        "requests": outcome.requests,
        "hits": outcome.hits,
        "hit_rate": round(outcome.hits / outcome.requests, 6) if outcome.requests else 0.0,
        "uncertain_hits": outcome.uncertain,
        "extra_requests": 0,
        "tokens": dict(zip(CLASSES, outcome.tokens, strict=True)),
        "dollars": round(outcome.dollars, 9) if known else None,
        "unpriced_requests": sum(outcome.unpriced.values()),
        "latency_ms": _percentiles(outcome.whole),
        "ttft_ms": _percentiles(outcome.first),
    }


def _percentiles(seconds: array[float]) -> dict[str, float]:
    """Nearest rank: a value that occurred."""
    ordered = sorted(seconds)
    return {
        f"p{percent}": round(1000 * ordered[math.ceil(len(ordered) * percent / 100) - 1], 3) if ordered else 0.0
        for percent in (50, 95)
    }
