"""What recorded traffic would have cost through this proxy: `warmgate replay`.

Counting is conservative. A hit of the exact cache counts only while the recorded session could still have gone as it
was recorded: once a hit was served an answer other than the recorded one, the later requests of that session would not
have been the same. Hits of theirs are `uncertain` and count as requests to the provider, and their answers are not kept
for anybody.

`--json` prints one object; its members are stable, and more may be added:

    files, requests, skipped_lines, prices {table, as_of}, notes [text]
    arrivals    `recorded` or `together`
    branches    variants that each recorded request was sent as
    strategies  by name, see below
    lower_bound {dollars, prompt_dollars, unpriced_requests, above_minimum}: `proxy.replay_bound`; null where no
                strategy but `none` and `exact` was asked for
    calibration {requests, explained, total_error, causes {cause: requests}}: the simulated provider held against
                recorded usage (`proxy.calibrate`); null members unless that was asked for
    sessions    {name: {strategy: dollars}}; only with `--per-session`

A strategy has

    requests, hits, hit_rate, uncertain_hits   of clients, and of the exact cache
    extra_requests, extra_dollars   warm calls; their tokens and dollars are in the sums
    tokens, dollars_by_class   {uncached, read, write_5m, write_1h, write_30m, write_12h, output}, each token in one
    dollars          null where nothing has a price; `unpriced_requests` are missing from it
    range            null, or {hit: [1.0, P], dollars: [least, most]} where a provider only does its best: all other
                     members are those of P, the probability that a read succeeds
    net              dollars less than `none`, negative where it is more; null where that is unknown
    ttft_ms, latency_ms   {p50, p95} to the first and the last token, waiting included
    waited           requests that waited for another
    pruned_tokens    what hooks took out of prompts
    hit_rate_real, hit_rate_warm   tokens read from the provider's cache, as a part of the prompts of clients' requests
                     and of warm calls (null where there were none)
    unread_writes    {tokens, dollars}: written, paid for and never read; dollars above plain input
    misses           {cause: tokens}: why prompts were not read (`replay_outcome.CAUSES`)
    above_minimum    {requests, dollars, prompt_dollars} of requests long enough to be cached; `prompt_dollars` leave
                     out the answers. Warm calls are in the dollars and not in the requests
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import msgspec

from adapters.prices import Prices
from adapters.prompt_caches import Chance
from adapters.tokenizer import TokenCounter
from proxy.calibrate import Calibrator
from proxy.replay_arrivals import ARRIVALS, Arrivals, arrivals_of
from proxy.replay_bound import Bound, Served, bound_of
from proxy.replay_facts import Survey, survey
from proxy.replay_html import page
from proxy.replay_notes import calibrated, notes
from proxy.replay_outcome import Outcome, net, summary
from proxy.replay_provider import Provider
from proxy.replay_prune import Hooks, Pruner, built_in
from proxy.replay_report import reading, write_table
from proxy.replay_simulate import Setting, Simulation
from proxy.replay_strategies import TOLD, Strategy, strategy_of, unknown
from proxy.sessions import NotARecording

__all__ = ["ARRIVALS", "TOLD", "Hooks", "Options", "run"]

ASSUMED_HIT = 0.87
"""Probability that a read of a best-effort cache succeeds, where nobody says another: what one customer of OpenAI's
came to who helped the routing (cookbook Prompt Caching 201, 2026; 0.60 before that)."""

NOT_CALIBRATED: dict[str, Any] = {"requests": None, "explained": None, "total_error": None, "causes": {}}


@dataclass(frozen=True, slots=True)
class Options:
    files: Sequence[Path]
    strategies: Sequence[str] = ("none", "exact")
    model: str | None = None
    """Price and simulate every request as if it had gone to this model."""
    ttl: float | None = None
    """Seconds that an answer is kept; None: for ever. A `cache.ttl` in a recorded body goes before it."""
    json: bool = False
    prices: Prices | None = None
    """The table to price with, where the operator overrides some; None: the library's."""
    counter: TokenCounter | None = None
    """Counts the tokens that nobody reported; None: they are estimated."""
    arrivals: str = "recorded"
    branches: int = 1
    hit: float | None = None
    """Probability that a read of a best-effort cache succeeds; None: as calibrated, else `ASSUMED_HIT`."""
    calibrate: bool = False
    """Hold the simulated caches against the recorded usage first (`proxy.calibrate`)."""
    chances: Callable[[], Chance] | None = None
    """A new source of random numbers, the same each time. Without one, best-effort caches always do their best."""
    per_session: bool = False
    report: Path | None = None
    """Where to write the report as a page."""
    hooks: Hooks | None = None
    """What `+prune` prunes with; None: all hooks that are built in, as they are by default."""


class Replayed(NamedTuple):
    report: dict[str, Any]
    outcomes: dict[str, Outcome]


def run(options: Options, out: TextIO, err: TextIO, progress: bool = True) -> int:
    """Writes the report to `out`. Returns 0, or 2 where an argument or a file is no good (said on `err`).

    `progress`: show a bar on `err`, provided that is a terminal.
    """
    if wrong := objection(options):
        err.write(f"warmgate replay: {wrong}\n")
        return 2
    calibrator = Calibrator() if options.calibrate else None
    try:
        with reading(options.files, err, progress) as advance:
            found = survey(options.files, advance, options.counter, _pruner(options), calibrator)
    except NotARecording as error:
        err.write(f"warmgate replay: {error}\n")
        return 2
    for skipped in found.skipped:
        err.write(f"{skipped} (skipped)\n")
    if found.skipped_lines > len(found.skipped):
        err.write(f"... and {found.skipped_lines - len(found.skipped)} more lines skipped\n")
    replayed = replay(options, found, calibrator)
    if options.report is not None:
        try:
            options.report.write_text(page(replayed.report, replayed.outcomes), encoding="utf-8")
        except OSError as error:
            err.write(f"warmgate replay: {options.report}: {error.strerror or error}\n")
            return 2
    if options.json:
        out.write(msgspec.json.encode(replayed.report).decode() + "\n")
    else:
        write_table(replayed.report, out)
    return 0


def _pruner(options: Options) -> Pruner | None:
    """None where no strategy prunes."""
    if not any(strategy.prune for name in options.strategies if (strategy := strategy_of(name)) is not None):
        return None
    hooks = options.hooks or built_in()
    return Pruner(hooks._replace(model=options.model))


def objection(options: Options) -> str:
    """What is wrong with the arguments; empty where nothing is."""
    if wrong := unknown(options.strategies):
        return wrong
    if options.arrivals not in ARRIVALS:
        return f"no such arrivals: {options.arrivals}; there are {', '.join(ARRIVALS)}"
    if not 1 <= options.branches <= 1000:
        return "branches: must be from 1 to 1000"
    if options.hit is not None and not 0.0 <= options.hit <= 1.0:
        return "hit: must be a probability, from 0 to 1"
    return ""


def replay(options: Options, found: Survey, calibrator: Calibrator | None = None) -> Replayed:
    prices = options.prices or Prices()
    calibration = calibrator.result(prices) if calibrator is not None else None
    if calibration is not None and calibration.fit is not None and options.hit is None:
        options = replace(options, hit=min(1.0, calibration.fit.reused))
    strategies = [each for name in dict.fromkeys(options.strategies) if (each := strategy_of(name)) is not None]
    arrivals = arrivals_of(found, options.arrivals == "together")
    outcomes: dict[str, Outcome] = {}
    told: dict[str, dict[str, Any]] = {}
    done: dict[Strategy, tuple[Outcome, dict[str, Any]]] = {}
    for strategy in strategies:
        same = strategy.alone(declared=options.branches > 1, starts=bool(arrivals.starts))
        if same not in done:
            done[same] = _strategy(options, found, arrivals, same, prices)
        outcomes[strategy.name], told[strategy.name] = done[same][0], dict(done[same][1])
    net(told)
    bound = None
    if any(strategy.how != "none" for strategy in strategies):
        bound = _bound(options, found, arrivals, prices)
    report = {
        "files": [str(path) for path in options.files],
        "requests": len(found.facts),
        "skipped_lines": found.skipped_lines,
        "prices": {"table": prices.table, "as_of": prices.as_of},
        "arrivals": options.arrivals,
        "branches": options.branches,
        "strategies": told,
        "lower_bound": bound.told() if bound is not None else None,
        "calibration": calibration.report() if calibration is not None else NOT_CALIBRATED,
        "notes": [
            *notes(found, told, outcomes, options.model, options.ttl, options.arrivals, options.branches),
            *(calibrated(calibration) if calibration is not None else ()),
        ],
    }
    if options.per_session:
        report["sessions"] = _sessions(found, outcomes)
    return Replayed(report, outcomes)


def _strategy(
    options: Options, found: Survey, arrivals: Arrivals, strategy: Strategy, prices: Prices
) -> tuple[Outcome, dict[str, Any]]:
    """One strategy; twice, where a provider only does its best."""
    hooks = options.hooks or built_in()
    setting = Setting(strategy, options.model, options.ttl, options.branches, hooks.options.turns)

    def simulated(hit: float) -> Outcome:
        outcome = Outcome()
        chance = options.chances() if options.chances is not None else None
        provider = Provider(prices, outcome, hit=hit, chance=chance)
        return Simulation(found.facts, arrivals, setting, prices, provider, outcome).run()

    best = simulated(1.0)
    hit = ASSUMED_HIT if options.hit is None else options.hit
    if not best.best_effort or options.chances is None or hit == 1.0:
        return best, {**summary(best), "range": None}
    outcome = simulated(hit)
    span = [round(each.dollars, 9) for each in (best, outcome)] if outcome.known else [None, None]
    return outcome, {**summary(outcome), "range": {"hit": [1.0, hit], "dollars": span}}


def _bound(options: Options, found: Survey, arrivals: Arrivals, prices: Prices) -> Bound:
    provider, served = Provider(prices, Outcome()), list[Served]()
    plain = Setting(Strategy("none", "none"), options.model, options.ttl, options.branches)
    Simulation(found.facts, arrivals, plain, prices, provider, Outcome(), ideal=served).run()
    return bound_of(served, provider, prices)


def _sessions(found: Survey, outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, float]]:
    """Dollars by session and strategy. Sessions of one name (in several files) are numbered."""
    told: dict[str, dict[str, float]] = {}
    for number, name in enumerate(found.sessions):
        unique = name if name not in told else f"{name} ({number})"
        told[unique] = {strategy: round(each.sessions.get(number, 0.0), 9) for strategy, each in outcomes.items()}
    return told
