"""Units: what is counted in kilometres is not counted in miles. `5 km` and `5 kilometres` are the same."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from cache.guard_lists import Lexicon, listed, table
from cache.guard_numbers import CARDINALS, MULTIPLIERS, TIMES
from cache.phrase import Phrase
from cache.veto import Veto

_TABLE = table("units")
KINDS = {unit: kind for kind, units in _TABLE.items() for unit in units}
_ALWAYS = Lexicon({unit: listed(forms.get("always", "")) for units in _TABLE.values() for unit, forms in units.items()})
_COUNTED: dict[str, str] = {
    form: unit
    for units in _TABLE.values()
    for unit, forms in units.items()
    for form in listed(forms.get("counted", ""))
}
_LETTERS = frozenset(form for form in _COUNTED if len(form) < 2)
LONG = 3
"""Letters of a word that may be a unit without a number before it."""


class Units(NamedTuple):
    counted: frozenset[str]
    """Those behind a number."""
    named: Counter[str]
    """All that are named, and how often."""


def guard_units(a: Phrase, b: Phrase) -> Veto | None:
    here, there = a.part(units), b.part(units)
    if here == there:
        return None
    missing, extra = here.counted - there.named.keys(), there.counted - here.named.keys()
    if missing or extra:
        return Veto("units", tuple(sorted(missing)), tuple(sorted(extra)))
    ours, theirs = here.named - there.named, there.named - here.named
    kinds = {KINDS[unit] for unit in ours} & {KINDS[unit] for unit in theirs}
    if kinds:
        return Veto(
            "units",
            tuple(sorted(unit for unit in ours if KINDS[unit] in kinds)),
            tuple(sorted(unit for unit in theirs if KINDS[unit] in kinds)),
        )
    return None


def units(phrase: Phrase) -> Units:
    words = phrase.words
    counted: set[str] = set()
    named: Counter[str] = Counter()
    taken: set[int] = set()
    for found in _ALWAYS.find(words):
        taken.update(range(found.start, found.stop))
        named[found.meaning] += 1
        if found.start and _number(words[found.start - 1]):
            counted.add(found.meaning)
    for place, word in enumerate(words):
        if word not in _COUNTED or place in taken:
            continue
        before = words[place - 1] if place else " "
        if before[0].isdecimal() or (word not in _LETTERS and _number(before)):
            counted.add(_COUNTED[word])
        elif len(word) < LONG:
            continue
        # Not behind a number it may be something else (`second`, `foot`), which only another unit makes unlikely.
        named[_COUNTED[word]] += 1
    return Units(frozenset(counted), named)


def _number(word: str) -> bool:
    return word[0].isdecimal() or word in CARDINALS[""] or word in MULTIPLIERS or word in TIMES[""]


def is_unit(word: str) -> bool:
    """Whether it is a unit behind a number."""
    return word in _COUNTED or bool(_ALWAYS.find((word,)))
