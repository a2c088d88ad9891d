"""What the largest, the most or the least of something is said of."""

from __future__ import annotations

from itertools import pairwise

from cache.guard_lists import listed, table
from cache.phrase import Phrase
from cache.synonyms import Unit, units
from cache.veto import Veto

_DEGREE = table("antonyms")["degree"]
_SUPERLATIVES = frozenset(listed(_DEGREE["superlatives"]))
_NOT = frozenset(listed(_DEGREE["not_superlatives"]))

SHORTEST = 4


def guard_extremes(a: Phrase, b: Phrase) -> Veto | None:
    """`The largest city of the smallest state` and `the smallest city of the largest state` have the same words.

    Vetoes where a superlative stands before one thing here and before another there, and both questions speak of both.
    """
    here, there = a.part(_pairs), b.part(_pairs)
    for extreme, thing in here:
        others = [other for same, other in there if same.means(extreme)]
        if others and not any(thing.means(other) for other in others) and _among(thing, b) and _among(others[0], a):
            return Veto("extremes", (extreme.word, thing.word), (extreme.word, others[0].word))
    return None


def _among(thing: Unit, phrase: Phrase) -> bool:
    return any(thing.means(unit) for unit in units(phrase))


def _pairs(phrase: Phrase) -> tuple[tuple[Unit, Unit], ...]:
    said = units(phrase)
    return tuple(
        (unit, behind)
        for unit, behind in pairwise(said)
        if _superlative(unit) and unit.stop == behind.start and not _superlative(behind)
    )


def _superlative(unit: Unit) -> bool:
    return any(
        word in _SUPERLATIVES or (word.endswith("est") and len(word) > SHORTEST and word not in _NOT)
        for word in unit.word.split()
    )
