"""What the verifier weighs: how two questions differ, in figures that say nothing of any one vocabulary.

Words that one question has and the other has not are paired off with each other by how alike they are: one group of
synonyms, one spelling apart, or the likeness that the embedder gives for the two words alone. What finds no counterpart
is what the answer could go wrong by.

There are few on purpose. Length ratio, overlap of all words, weight and number of the words left over, neighbouring
words and the kind of question were measured beside these; each made the verifier worse for sources that it had not been
fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from cache.guard_lists import listed, table
from cache.phrase import Phrase
from cache.synonyms import ASKING, Unit, units

Likeness = Callable[[str, str], float | None]
"""How alike the embedder takes two words to be (cosine); None where it has not been asked."""

FEATURES = {"similarity": 1, "crowding": -1, "matched": 1, "alike": 1, "head": 1}
"""Name to the sign that its weight must have: 1 speaks for the same answer, -1 against it.

* `similarity`: cosine of the two questions.
* `crowding`: cosine of the question and the fourth nearest entry of its scope: among questions that are all alike, a
  similarity says less.
* `matched`: how many words of content both have.
* `alike`: the least alike word left over on either side, and its best counterpart; 1 where nothing is left over.
* `head`: how alike the first words are that say what is asked for.
"""

CROWD = 4
"""Which neighbour tells the crowding."""
UNKNOWN_CROWD = 0.75
"""Where a scope has fewer entries, so that nothing tells: as in a crowded one."""

SYNONYM = 0.95
"""Likeness of two words of one group: nearly the same, for no two words always are."""
MISSPELT = 0.9
SHORTEST_MISSPELT = 5
SPELT_ALIKE = 0.86
"""Share of characters in common (Ratcliff and Obershelp)."""
PAIRED = 0.4
"""Two words less alike than this have nothing to do with each other."""
SAID = 0.75
"""A word that is more alike than this to one that has its own counterpart is said by it, ..."""
ELSEWHERE = 0.9
"""... which counts for so much of that likeness."""
UNTOLD = 0.5
"""Likeness of heads where one question has none."""


class Pair(NamedTuple):
    """Two questions as the verifier sees them."""

    here: Phrase
    there: Phrase
    similarity: float
    crowding: float


def crowding(similarities: Sequence[float]) -> float:
    """Of a question, by the similarities of what lies near it, the most similar first."""
    return similarities[CROWD - 1] if len(similarities) >= CROWD else UNKNOWN_CROWD


def features(pair: Pair, likeness: Likeness) -> tuple[float, ...]:
    """In the order of `FEATURES`."""
    ours, theirs = units(pair.here), units(pair.there)
    matched, alike = paired(ours, theirs, likeness)
    here, there = head(pair.here), head(pair.there)
    heads = _alike(here, there, likeness) if here is not None and there is not None else UNTOLD
    return (pair.similarity, pair.crowding, float(matched), alike, heads)


def unknown(pair: Pair) -> frozenset[tuple[str, str]]:
    """The pairs of words whose likeness these features depend on."""
    asked: set[tuple[str, str]] = set()

    def likeness(one: str, other: str) -> float | None:
        asked.add((one, other))
        return None

    features(pair, likeness)
    return frozenset(asked)


def paired(ours: Sequence[Unit], theirs: Sequence[Unit], likeness: Likeness) -> tuple[int, float]:
    """How many words both have, and how alike the least alike of the others is to its best counterpart."""
    here = {unit.stem: unit for unit in ours}
    there = {unit.stem: unit for unit in theirs}
    common = here.keys() & there.keys()
    left_here = [unit for stem, unit in here.items() if stem not in common]
    left_there = [unit for stem, unit in there.items() if stem not in common]
    values = sorted(
        (
            (_alike(one, other, likeness), place, at)
            for place, one in enumerate(left_here)
            for at, other in enumerate(left_there)
        ),
        reverse=True,
    )
    best_here: dict[int, float] = {}
    best_there: dict[int, float] = {}
    for value, place, at in values:
        if value >= PAIRED and place not in best_here and at not in best_there:
            best_here[place] = best_there[at] = value
    alike = [_said(unit, best_here.get(place, 0.0), theirs) for place, unit in enumerate(left_here)]
    alike += [_said(unit, best_there.get(place, 0.0), ours) for place, unit in enumerate(left_there)]
    return len(common), min(alike, default=1.0)


def _said(unit: Unit, found: float, others: Sequence[Unit]) -> float:
    """Without the embedder: it would have to be asked of every word, and it was measured to change nothing."""
    if found > SAID:
        return found
    best = max((_alike(unit, other, _unasked) for other in others), default=0.0)
    return max(found, best * ELSEWHERE if best > SAID else 0.0)


def _unasked(one: str, other: str) -> None:
    return None


def _alike(one: Unit, other: Unit, likeness: Likeness) -> float:
    if one.stem == other.stem:
        return 1.0
    if one.means(other):
        return SYNONYM
    if min(len(one.word), len(other.word)) >= SHORTEST_MISSPELT and _spelt_alike(one.word, other.word):
        return MISSPELT
    return likeness(one.word, other.word) or 0.0


def _spelt_alike(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 2 or one[0] != other[0]:
        return False
    return SequenceMatcher(None, one, other, autojunk=False).ratio() > SPELT_ALIKE


_ASKS = ASKING | frozenset(listed(table("words")["requests"]))
_NO_HEAD = frozenset(listed(table("synonyms")["no_head"]))


def head(phrase: Phrase) -> Unit | None:
    """What is asked for: the first word that says something, behind the first one that asks."""
    return phrase.part(_head)


def _head(phrase: Phrase) -> Unit | None:
    words = phrase.asked
    asks = next((place for place, word in enumerate(words) if word in _ASKS), -1)
    behind = set(words[asks + 1 :])
    said = units(phrase)
    for unit in said:
        parts = unit.word.split()
        if parts[0] in behind and _NO_HEAD.isdisjoint(parts) and not unit.word.endswith("est"):
            return unit
    return said[0] if said else None
