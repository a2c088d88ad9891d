"""How good the semantic cache is on a labelled set: a stream, pairs, or pairs of requests.

Every report has `n, hits, errors, hit_rate, error_rate, error_rate_upper95, precision, recall, by_kind, by_source`
(`proxy.semantic_figures`), and `oracle_hit_rate`, the share of requests whose answer was there. Besides, a stream has
`curve` and `tradeoff`, pairs have `by_source_and_kind` and `tradeoff`, pairs of requests have `bonus`: rewordings that
stand under another history, which nobody has to find, and which are in no other figure. `baselines` are the same set,
vectors and protocol under another policy, by its name.

The trade-off is exact: the set is gone through again for each threshold, with the vectors of the first time. In a
stream each threshold has its own entries, and the decision may look up more where more depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.embedder import Embedder
from adapters.errors import Refused
from adapters.openai_chat import OPENAI_CHAT
from adapters.vocabulary import Call
from cache.key import scope_of
from proxy import semantic_figures as figured
from proxy.semantic_figures import Figures, Outcome
from proxy.semantic_policy import Decide, deciding, entry
from proxy.semantic_sets import Pair, Prompt, Requests, SetError
from proxy.semantic_stream import Candidate, Choose, nearest, run
from proxy.semantic_vectors import Progress, Vectors, around, embedded, silent

STATIC = (0.80, 0.85, 0.90, 0.93, 0.95, 0.97, 0.99)
"""Thresholds of the baseline that serves the nearest entry by its similarity alone."""
NAIVE = 0.8
"""GPTCache's default threshold. It looks at the last message alone, whatever stands before it (its `last_content`)."""

GRID = (0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
"""Of the trade-off: thresholds for a score that is a probability as well as for one that is a cosine."""

TOLD = 256
"""Requests between two words of progress."""
OPTIONAL = "standalone_equivalent_optional"
MODEL = "any-model"
"""Of requests that name none."""


class Bench(NamedTuple):
    """What an evaluation is made with."""

    embedder: Embedder
    decide: Callable[[float | None], Decide]
    """At this threshold; None for the configured one."""
    threshold: float | None = None
    candidates: int = 4
    """How many entries the decision is given."""
    baselines: bool = False
    progress: Progress = silent
    note: Callable[[str], None] = lambda told: None
    """Is told what a reader of the figures has to know."""


async def _embedded(texts: Sequence[str], bench: Bench) -> Vectors:
    vectors = await embedded(texts, bench.embedder, bench.progress)
    if vectors.refused:
        bench.note(f"{vectors.refused:,} texts have no vector and are never hits: the embedder refuses them")
    return vectors


async def stream(prompts: Sequence[Prompt], bench: Bench) -> Figures:
    texts, classes = [prompt.query for prompt in prompts], [prompt.cls for prompt in prompts]
    sources = [prompt.source for prompt in prompts]
    neighbours = around(texts, await _embedded(texts, bench))

    async def outcomes(threshold: float | None) -> list[Outcome]:
        choose = _told(bench.progress, len(texts), deciding(bench.decide(threshold), texts))
        return await run(classes, neighbours, choose, bench.candidates, sources)

    served = await outcomes(bench.threshold)
    report = _report(served)
    report["oracle_hit_rate"] = figured.oracle_hit_rate(classes)
    report["curve"] = figured.curve(served)
    report["tradeoff"] = [figured.point(threshold, await outcomes(threshold)) for threshold in GRID]
    if bench.baselines:
        report["baselines"] = {}
        for name, threshold in (*((f"static {at:.2f}", at) for at in STATIC), (f"gptcache {NAIVE:.2f}", NAIVE)):
            bench.progress("baselines", len(report["baselines"]), len(STATIC) + 1)
            report["baselines"][name] = _report(await run(classes, neighbours, nearest(threshold), 1, sources))
    return report


def _told(progress: Progress, of: int, choose: Choose) -> Choose:
    async def chosen(place: int, near: Sequence[Candidate]) -> int | None:
        if place % TOLD == 0:
            progress("deciding", place, of)
        return await choose(place, near)

    return chosen


class Compared(NamedTuple):
    """May the answer to `a` be served to `b`?"""

    a: str
    b: str
    right: bool
    source: str
    kind: str
    alike: bool = True
    """Whether they are equal in everything else."""


async def pairs(given: Sequence[Pair], bench: Bench) -> Figures:
    compared = [Compared(*pair) for pair in given]
    vectors = await _embedded([text for pair in given for text in pair[:2]], bench)
    outcomes = await _decided(compared, vectors, bench, bench.threshold)
    report = _report(outcomes)
    report["oracle_hit_rate"] = figured.share(sum(pair.right for pair in given), len(given)) or 0.0
    report["by_source_and_kind"] = figured.grouped(outcomes, figured.by_both)
    report["tradeoff"] = [
        figured.point(threshold, await _decided(compared, vectors, bench, threshold)) for threshold in GRID
    ]
    if bench.baselines:
        report["baselines"] = _baselines(compared, vectors, _report)
    return report


async def multiturn(given: Sequence[Requests], bench: Bench) -> Figures:
    compared = [_compared(each) for each in given]
    vectors = await _embedded([text for each in compared for text in each[:2]], bench)
    report = _with_bonus(await _decided(compared, vectors, bench, bench.threshold))
    if bench.baselines:
        report["baselines"] = _baselines(compared, vectors, _with_bonus)
    return report


def _with_bonus(outcomes: Sequence[Outcome]) -> Figures:
    required = [outcome for outcome in outcomes if outcome.kind != OPTIONAL]
    report = _report(required)
    report["oracle_hit_rate"] = figured.share(sum(outcome.right for outcome in required), len(required)) or 0.0
    report["bonus"] = figured.counts(outcome for outcome in outcomes if outcome.kind == OPTIONAL)
    return report


async def _decided(
    compared: Sequence[Compared], vectors: Vectors, bench: Bench, threshold: float | None
) -> list[Outcome]:
    """Each pair for itself: a cache in which there is nothing but `a` is asked `b`."""
    decide = bench.decide(threshold)
    outcomes = []
    for place, each in enumerate(compared):
        if place % TOLD == 0:
            bench.progress("deciding", place, len(compared))
        similarity = vectors.similarity(each.a, each.b) if each.alike else None
        hit = similarity is not None and (await decide(each.b, [entry(0, similarity, each.a)])).served is not None
        outcomes.append(Outcome(hit, each.right, each.source, each.kind))
    return outcomes


def _baselines(
    compared: Sequence[Compared], vectors: Vectors, report: Callable[[Sequence[Outcome]], Figures]
) -> dict[str, Figures]:
    """The static ones keep to what is alike in everything else; GPTCache does not look."""
    near_to = [vectors.similarity(each.a, each.b) for each in compared]

    def outcomes(threshold: float, *, blind: bool) -> list[Outcome]:
        return [
            Outcome(
                (each.alike or blind) and similarity is not None and similarity >= threshold,
                each.right,
                each.source,
                each.kind,
            )
            for each, similarity in zip(compared, near_to, strict=True)
        ]

    found = {f"static {threshold:.2f}": report(outcomes(threshold, blind=False)) for threshold in STATIC}
    return {**found, f"gptcache {NAIVE:.2f}": report(outcomes(NAIVE, blind=True))}


def _compared(given: Requests) -> Compared:
    a, b = _call(given.a, given.place), _call(given.b, given.place)
    scope = scope_of(a)
    alike = scope is not None and scope == scope_of(b)
    return Compared(_asked(a), _asked(b), given.right, given.source, given.kind, alike)


def _call(given: dict[str, Any], place: str) -> Call:
    raw = msgspec.json.encode({"model": MODEL, **given})
    try:
        parsed = OPENAI_CHAT.parse(raw)
    except Refused as error:
        raise SetError(f"{place}: no chat request: {error.message}") from None
    return Call("POST", "/chat/completions", {}, raw, OPENAI_CHAT, parsed)


def _asked(call: Call) -> str:
    assert call.dialect is not None
    return call.dialect.question(call.parsed).text


def _report(outcomes: Sequence[Outcome]) -> Figures:
    return {
        **figured.figures(outcomes),
        "by_kind": figured.grouped(outcomes, figured.by_kind),
        "by_source": figured.grouped(outcomes, figured.by_source),
    }
