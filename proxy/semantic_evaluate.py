"""How good the semantic cache is on a labelled set: a stream, pairs, or pairs of requests.

Every report has `n, hits, errors, hit_rate, error_rate, error_rate_upper95, precision, recall, by_kind, by_source`
(`proxy.semantic_figures`), and `oracle_hit_rate`, the share of requests whose answer was there. Besides, a stream has
`curve` and `tradeoff`, pairs have `by_source_and_kind` and `tradeoff`, pairs of requests have `bonus`: rewordings that
stand under another history, which nobody has to find, and which are in no other figure. `baselines` are the same set,
vectors and protocol under another policy, by its name.

The trade-off of pairs is read off their scores, which is exact, for each pair stands for itself. In a stream each
threshold has its own entries, so the stream is run again for each, on what was said of the same candidates before.
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
from proxy.semantic_policy import Decide, Decided
from proxy.semantic_sets import Pair, Prompt, Requests, SetError
from proxy.semantic_stream import Candidate, Choice, Choose, nearest, run
from proxy.semantic_vectors import Progress, Vectors, around, embedded, silent

STATIC = (0.80, 0.85, 0.90, 0.93, 0.95, 0.97, 0.99)
"""Thresholds of the baseline that serves the nearest entry by its similarity alone."""
NAIVE = 0.8
"""GPTCache's default threshold. It looks at the last message alone, whatever stands before it (its `last_content`)."""

GRID = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
"""Of the trade-off: thresholds for a score that is a probability as well as for one that is a cosine."""

TOLD = 256
"""Requests between two words of progress."""
OPTIONAL = "standalone_equivalent_optional"
MODEL = "any-model"
"""Of requests that name none."""


class Bench(NamedTuple):
    """What an evaluation is made with."""

    embedder: Embedder
    decide: Decide
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
    decided = Decided(bench.decide, texts)
    told = _told(bench.progress, "deciding", len(texts), decided.choose)
    outcomes = await run(classes, neighbours, told, bench.candidates, sources)
    report = _report(outcomes)
    report["oracle_hit_rate"] = figured.oracle_hit_rate(classes)
    report["curve"] = figured.curve(outcomes)
    report["tradeoff"] = []
    for place, threshold in enumerate(_grid(decided, bench)):
        bench.progress("other thresholds", place, len(GRID))
        again = await run(classes, neighbours, decided.at(threshold), bench.candidates)
        report["tradeoff"].append(figured.point(threshold, again))
    if bench.baselines:
        report["baselines"] = {}
        for name, threshold in (*((f"static {at:.2f}", at) for at in STATIC), (f"gptcache {NAIVE:.2f}", NAIVE)):
            bench.progress("baselines", len(report["baselines"]), len(STATIC) + 1)
            report["baselines"][name] = _report(await run(classes, neighbours, nearest(threshold), 1, sources))
    return report


def _told(progress: Progress, doing: str, of: int, choose: Choose) -> Choose:
    async def chosen(place: int, candidates: Sequence[Candidate]) -> Choice:
        if place % TOLD == 0:
            progress(doing, place, of)
        return await choose(place, candidates)

    return chosen


def _grid(decided: Decided, bench: Bench) -> list[float]:
    """Nothing where more than score and threshold decides: then another threshold can't be told from what was said."""
    if decided.differs:
        bench.note(f"no trade-off: {decided.differs:,} decisions do not follow from their scores and the threshold")
        return []
    return sorted({*GRID, *([decided.threshold] if decided.threshold is not None else [])})


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
    decided, outcomes = await _decided(compared, vectors, bench)
    report = _report(outcomes)
    report["oracle_hit_rate"] = figured.share(sum(pair.right for pair in given), len(given)) or 0.0
    report["by_source_and_kind"] = figured.grouped(outcomes, figured.by_both)
    report["tradeoff"] = [
        figured.point(threshold, figured.at_threshold(outcomes, threshold)) for threshold in _grid(decided, bench)
    ]
    if bench.baselines:
        report["baselines"] = _baselines(compared, vectors, _report)
    return report


async def multiturn(given: Sequence[Requests], bench: Bench) -> Figures:
    compared = [_compared(each) for each in given]
    vectors = await _embedded([text for each in compared for text in each[:2]], bench)
    _, outcomes = await _decided(compared, vectors, bench)
    report = _with_bonus(outcomes)
    if bench.baselines:
        report["baselines"] = _baselines(compared, vectors, _with_bonus)
    return report


def _with_bonus(outcomes: Sequence[Outcome]) -> Figures:
    required = [outcome for outcome in outcomes if outcome.kind != OPTIONAL]
    report = _report(required)
    report["oracle_hit_rate"] = figured.share(sum(outcome.right for outcome in required), len(required)) or 0.0
    report["bonus"] = figured.counts(outcome for outcome in outcomes if outcome.kind == OPTIONAL)
    return report


async def _decided(compared: Sequence[Compared], vectors: Vectors, bench: Bench) -> tuple[Decided, list[Outcome]]:
    """Each pair for itself: a cache in which there is nothing but `a` is asked `b`."""
    outcomes = []
    policy = Decided(bench.decide, [text for each in compared for text in (each.a, each.b)])
    for place, each in enumerate(compared):
        if place % TOLD == 0:
            bench.progress("deciding", place, len(compared))
        similarity = vectors.similarity(each.a, each.b) if each.alike else None
        choice = Choice(None)
        if similarity is not None:
            choice = await policy.choose(2 * place + 1, [(2 * place, similarity)])
        outcomes.append(Outcome(choice.served is not None, each.right, each.source, each.kind, choice.score))
    return policy, outcomes


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
