"""On which side of a number lies what is asked for, and whether a list is to be sorted."""

from __future__ import annotations

from cache.guard_lists import Lexicon, listed, table, unequal
from cache.phrase import Phrase
from cache.veto import Veto

_TABLE = table("bounds")
_BOUNDS = Lexicon(_TABLE["bounds"])
_SORTING = Lexicon(_TABLE["sorting"])

_SPANS = frozenset(listed(_TABLE["spans"]["of"]))

WITHIN = 3
"""Words between a bound and its number, at most; without a number `over` and `under` say where something is."""

WORDS = 2
"""An expression of so many words bounds something even where its number stands elsewhere."""


def guard_bounds(a: Phrase, b: Phrase) -> Veto | None:
    """More than 5, at least 5, less than 5 and at most 5 are four different questions."""
    return unequal("bounds", a.part(_bounds), b.part(_bounds))


def guard_sorting(a: Phrase, b: Phrase) -> Veto | None:
    """A list that is to be sorted is not one in any order. By what, and which way, others see."""
    here, there = a.part(_sorted), b.part(_sorted)
    if bool(here) == bool(there):
        return None
    return Veto("sorting", here[:1], there[:1])


def _bounds(phrase: Phrase) -> tuple[str, ...]:
    words = phrase.words
    return tuple(
        found.meaning.replace("_", " ")
        for found in _BOUNDS.find(words)
        if found.stop - found.start >= WORDS or _near_number(words, found.start, found.stop)
    )


def _near_number(words: tuple[str, ...], start: int, stop: int) -> bool:
    if words[stop : stop + 2] and not _SPANS.isdisjoint(words[stop : stop + 2]):
        return False  # `over the next 6 weeks` is during them
    return any(word[:1].isdigit() for word in (*words[stop : stop + WITHIN], *words[max(0, start - 1) : start]))


def _sorted(phrase: Phrase) -> tuple[str, ...]:
    words = phrase.words
    return tuple(" ".join(words[found.start : found.stop]) for found in _SORTING.find(words))
