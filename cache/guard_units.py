"""Units: what is counted in kilometres is not counted in miles. `5 km` and `5 kilometres` are the same."""

from __future__ import annotations

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
_BEFORE = frozenset("many per".split())


class Units(NamedTuple):
    counted: frozenset[str]
    """Those behind a number."""
    named: frozenset[str]
    """All that are named."""


def guard_units(a: Phrase, b: Phrase) -> Veto | None:
    here, there = a.part(units), b.part(units)
    if here == there:
        return None
    missing, extra = here.counted - there.named, there.counted - here.named
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
    counted, named = set(), set()
    for found in _ALWAYS.find(words):
        named.add(found.meaning)
        if found.start and _number(words[found.start - 1]):
            counted.add(found.meaning)
    for place, word in enumerate(words):
        if place and word in _COUNTED:
            before = words[place - 1]
            figures = before[0].isdecimal()
            if figures or (word not in _LETTERS and (_number(before) or before in _BEFORE)):
                named.add(_COUNTED[word])
                if before not in _BEFORE:
                    counted.add(_COUNTED[word])
    return Units(frozenset(counted), frozenset(named))


def _number(word: str) -> bool:
    return word[0].isdecimal() or word in CARDINALS[""] or word in MULTIPLIERS or word in TIMES[""]


def is_unit(word: str) -> bool:
    """Whether it is a unit behind a number."""
    return word in _COUNTED or bool(_ALWAYS.find((word,)))
