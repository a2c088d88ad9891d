"""The proxy's own decision as a policy that is evaluated, at its threshold and at others.

What the decision thinks of the candidates (`Verdict.opinions`) does not depend on the threshold, so it is asked once
for each list of candidates, and other thresholds are applied to what it said: the best opinion without a veto is served
where its score reaches the threshold. Whether that rule is the decision's own is checked at its own threshold.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf

from cache.near import Near
from cache.verdict import Opinion, Verdict
from proxy.semantic_stream import Candidate, Choice, Choose

Decide = Callable[[str, Sequence[Near]], Awaitable[Verdict]]
"""Of a question, among the entries near to it, the most similar first: guards, verifier, threshold, as in the proxy."""


def near(place: int, similarity: float, text: str) -> Near:
    """An entry for `Decide`; the place plus one is its id."""
    return Near(place + 1, similarity, text, 0.0, inf)


def deciding(opinion: Opinion) -> float | None:
    """What is held against the threshold: the verifier's score, or the similarity where none was asked; None where a
    guard vetoed it."""
    if opinion.vetoes:
        return None
    return opinion.near.similarity if opinion.score is None else opinion.score


class Decided:
    """`decide` over the questions of a stream."""

    def __init__(self, decide: Decide, texts: Sequence[str]) -> None:
        self._decide, self._texts = decide, texts
        self._known: dict[tuple[int, tuple[int, ...]], Choice] = {}
        """The best candidate without a veto and its score, by question and candidates."""
        self.differs = 0
        """How often the decision served something else than the rule of the module at the decision's own threshold."""
        self.spent = 0.0
        self.threshold: float | None = None

    async def choose(self, place: int, candidates: Sequence[Candidate]) -> Choice:
        """What the decision serves."""
        verdict, best = await self._ask(place, candidates)
        served = verdict.served.id - 1 if verdict.served is not None else None
        by_rule = best.served if best.score is not None and best.score >= verdict.threshold else None
        self.differs += served != by_rule
        self.threshold = verdict.threshold
        return Choice(served, best.score)

    def at(self, threshold: float) -> Choose:
        """What the rule serves at another threshold."""

        async def choose(place: int, candidates: Sequence[Candidate]) -> Choice:
            best = self._known.get(_listed(place, candidates))
            if best is None:
                _, best = await self._ask(place, candidates)
            return best if best.score is not None and best.score >= threshold else Choice(None, best.score)

        return choose

    async def _ask(self, place: int, candidates: Sequence[Candidate]) -> tuple[Verdict, Choice]:
        texts = self._texts
        verdict = await self._decide(
            texts[place], [near(other, similarity, texts[other]) for other, similarity in candidates]
        )
        self.spent += verdict.spent
        best = Choice(None)
        for opinion in verdict.opinions:
            score = deciding(opinion)
            if score is not None and (best.score is None or score > best.score):
                best = Choice(opinion.near.id - 1, score)
        self._known[_listed(place, candidates)] = best
        return verdict, best


def _listed(place: int, candidates: Sequence[Candidate]) -> tuple[int, tuple[int, ...]]:
    return place, tuple(other for other, _ in candidates)
