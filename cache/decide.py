"""Whether one of the entries near a question may answer it: guards, then the verifier, then what was learned of it.

Guards come first and are final. Of what they let pass the verifier says how likely it is to be right. Words that only
an embedder can compare are looked up at the very end, and only where the score could still get over its threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from cachetools import LRUCache

from adapters.embedder import Embedder, Matrix
from adapters.errors import EmbeddingError
from cache.features import Likeness, Pair, crowding, features, unknown
from cache.guards import veto, vetoes
from cache.near import Near
from cache.phrase import Phrase
from cache.verdict import Opinion, Verdict
from cache.verified import explore
from cache.verified_prior import Prior
from cache.verifier import Verifier
from cache.veto import Veto

NEAR = 4
"""How many of the nearest are looked at where nobody says otherwise."""

WORDS = 64
"""Words that are looked up for one question at most."""

REMEMBERED = 8192
"""Words whose vectors are remembered: 12 MB of them. Traffic on one subject has the same words again and again."""

Alike = Mapping[tuple[str, str], float]


class Terms(NamedTuple):
    """What an entry has to fulfil."""

    policy: str = "calibrated"
    """`static`: similarity and guards alone. `calibrated`: the verifier's score besides. `verified`: also what was
    learned of the entry."""
    floor: float = 0.8
    """The least similarity."""
    threshold: float = 1.0
    """The least score; nothing to `static`."""
    max_error: float = 0.005
    """Share of requests that may be answered wrong; for `verified`."""


class Pairs(Protocol):
    """A model that reads two questions together (`adapters.cross_encoder`)."""

    async def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """0 to 1, in their order; raises `EmbeddingError`."""

    async def close(self) -> None: ...


class Grey(NamedTuple):
    """What is asked where the verifier's score is below its threshold, and not far."""

    pairs: Pairs
    floor: float
    """The least score of the verifier."""
    threshold: float
    """What the other model's has to reach."""


class Decide:
    """`chance` gives numbers from 0 to 1; only the policy `verified` draws them."""

    def __init__(
        self,
        verifier: Verifier | None,
        embedder: Embedder,
        terms: Terms,
        chance: Callable[[], float],
        grey: Grey | None = None,
    ) -> None:
        self.verifier, self.embedder, self.terms, self.chance, self.grey = verifier, embedder, terms, chance, grey
        self._words: LRUCache[str, Matrix] = LRUCache(REMEMBERED)
        if verifier is None and terms.policy != "static":
            raise ValueError(f"the policy {terms.policy} needs a verifier")

    async def __call__(
        self, text: str, near: Sequence[Near], floor: float | None = None, *, thorough: bool = False
    ) -> Verdict:
        """`near`: the most similar first. `floor`: of this request, where it asks for more than the terms do.
        `thorough`: names all guards that object, not only the first of each entry.

        Raises nothing: where words can't be looked up they count as not alike.
        """
        question, crowd = Phrase(text), crowding([each.similarity for each in near])
        least = max(self.terms.floor, floor or 0.0)
        looked = []
        for each in near:
            if each.similarity < least and not thorough:
                looked.append(Opinion(each, None))  # nothing could make it good enough
                continue
            pair = Pair(question, _phrase(each.text), each.similarity, crowd)
            looked.append(self._opinion(pair, each, vetoes if thorough else _first))
        alike, spent = await self._alike(question, crowd, looked)
        if alike:
            looked = [self._again(question, crowd, opinion, alike) for opinion in looked]
        opinions = sorted(looked, key=lambda opinion: _rank(opinion, least), reverse=True)
        if not opinions:
            return Verdict(why="nothing near", threshold=self._threshold, spent=spent)
        best = opinions[0]
        why = self._against(best, least)
        if why and await self._read_together(text, best, least):
            why = ""
        return Verdict(None if why else best.near, why, best.score, self._threshold, tuple(opinions), spent)

    @property
    def _threshold(self) -> float:
        return self.terms.floor if self.terms.policy == "static" else self.terms.threshold

    def _opinion(self, pair: Pair, near: Near, against: Callable[[Phrase, Phrase], Sequence[Veto]]) -> Opinion:
        if found := tuple(against(pair.here, pair.there)):
            return Opinion(near, None, found)
        return Opinion(near, self._score(pair, _unasked))

    def _again(self, question: Phrase, crowd: float, opinion: Opinion, alike: Alike) -> Opinion:
        if opinion.score is None:
            return opinion
        near = opinion.near
        pair = Pair(question, _phrase(near.text), near.similarity, crowd)
        return opinion._replace(score=self._score(pair, lambda one, other: alike.get((one, other))))

    def _score(self, pair: Pair, likeness: Likeness) -> float | None:
        return None if self.verifier is None else self.verifier.score(features(pair, likeness))

    async def _alike(self, question: Phrase, crowd: float, looked: Sequence[Opinion]) -> tuple[Alike, float]:
        """The likeness of words that could make a difference, and what asking for it cost."""
        pairs: set[tuple[str, str]] = set()
        for near, score, _ in looked:
            if score is None or score >= self.terms.threshold:
                continue
            pair = Pair(question, _phrase(near.text), near.similarity, crowd)
            if (self._score(pair, _the_same) or 0.0) >= self.terms.threshold:
                pairs |= unknown(pair)
        words = {word for pair in pairs for word in pair}
        missing = sorted(words - self._words.keys())
        if not words or len(words) > WORDS:
            return {}, 0.0
        spent = 0.0
        if missing:
            try:
                embedded = await self.embedder.embed(missing)
            except EmbeddingError:
                return {}, 0.0
            self._words.update(zip(missing, embedded.vectors, strict=True))
            spent = embedded.cost or 0.0
        # Some may be gone already, if others were looked up meanwhile.
        known = {word: vector for word in words if (vector := self._words.get(word)) is not None}
        alike = {
            (one, other): float(np.dot(known[one], known[other]))
            for one, other in pairs
            if one in known and other in known
        }
        return alike, spent

    async def _read_together(self, text: str, best: Opinion, floor: float) -> bool:
        """Whether the second model takes what the verifier left open; never what a guard refused."""
        grey, score = self.grey, best.score
        open_to_it = self.terms.policy == "calibrated" and not best.vetoes and best.near.similarity >= floor
        if grey is None or not open_to_it or score is None or not score >= grey.floor:
            return False
        try:
            (together,) = await grey.pairs.score([(text, best.near.text)])
        except EmbeddingError:
            return False
        return together >= grey.threshold

    def _against(self, opinion: Opinion, floor: float) -> str:
        """Why this entry is not served; empty where it is."""
        near, score, terms = opinion.near, opinion.score, self.terms
        if opinion.vetoes:
            return str(opinion.vetoes[0])
        if near.similarity < floor:
            return f"similarity {near.similarity:.3f} below {floor:.3f}"
        if terms.policy == "static":
            return ""
        if score is None or not score >= 0.0:
            return "no score"
        if terms.policy == "verified":
            asks = explore(near.observed, score, terms.max_error, Prior())
            return f"score {score:.4f}, to be asked with chance {asks:.2f}" if self.chance() < asks else ""
        return "" if score >= terms.threshold else f"score {score:.4f} below {terms.threshold:.4f}"


@lru_cache(maxsize=8192)
def _phrase(text: str) -> Phrase:
    """Of an entry: what lies near one question lies near the next."""
    return Phrase(text)


def _first(question: Phrase, there: Phrase) -> tuple[Veto, ...]:
    found = veto(question, there)
    return () if found is None else (found,)


def _unasked(one: str, other: str) -> None:
    return None


def _the_same(one: str, other: str) -> float:
    return 1.0


def _rank(opinion: Opinion, floor: float) -> tuple[bool, bool, float, float]:
    score = opinion.score if opinion.score is not None and opinion.score >= 0.0 else -1.0
    return (not opinion.vetoes, opinion.near.similarity >= floor, score, opinion.near.similarity)
