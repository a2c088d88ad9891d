"""What is asked of the form of the answer: language, format, length, manner, audience, tone; and what one text says
beyond the other."""

from __future__ import annotations

from cache.guard_lists import Lexicon, listed, table, unequal
from cache.guard_numbers import CARDINALS
from cache.phrase import Phrase
from cache.veto import Veto

_TABLE = table("constraints")
_SECTIONS = ("format", "length", "manner", "audience", "tone")
_ASKED = Lexicon({meaning: forms for section in _SECTIONS for meaning, forms in _TABLE[section].items()})
_READERS = Lexicon(_TABLE["readers"])
_EXPLAINING = frozenset(listed(_TABLE["explaining"]))
_MEASURES = frozenset(listed(_TABLE["measures"]))

_FOR = frozenset(["for", "to", "like"])
_LANGUAGES = frozenset(listed(_TABLE["languages"]))
_PROGRAMMING = frozenset(listed(_TABLE["programming"]))
_PROGRAMMING_AFTER = frozenset(listed(_TABLE["programming_after"]))
_AFTER = frozenset(listed(_TABLE["after"]))
_TELLING = _LANGUAGES | _PROGRAMMING | _PROGRAMMING_AFTER | _MEASURES | {"old"}
_JOINTS = frozenset(listed(_TABLE["joints"]))
LEAST_SHARED = 3
"""Words of a sentence that tells two texts apart from two that only look alike."""


def guard_constraints(a: Phrase, b: Phrase) -> Veto | None:
    return unequal("constraints", a.part(constraints), b.part(constraints))


def constraints(phrase: Phrase) -> frozenset[str]:
    words = phrase.asked
    found = set(_ASKED.meanings(words)) - {"idle"}
    for sentence in phrase.statements:
        if sentence[0] in _EXPLAINING:
            found |= _READERS.meanings(sentence)
    for place, word in enumerate(words):
        if word not in _TELLING:
            continue
        before = words[place - 1] if place else " "
        if word in _LANGUAGES or word in _PROGRAMMING or (word in _PROGRAMMING_AFTER and before in _AFTER):
            found.add(word)
        elif word in _MEASURES and (before[0].isdecimal() or before in CARDINALS["en"]):
            found.add(word.removesuffix("s"))
        elif word == "old" and place > 2 and _reader(words[max(place - 5, 0) : place]):
            found.add("reader of an age")
    return frozenset(found)


def _reader(before: tuple[str, ...]) -> bool:
    """Whether `old` ends `for a 5 year old`, `to my 12 years old`."""
    return before[-1] in ("year", "years") and before[-2][0].isdecimal() and not _FOR.isdisjoint(before)


def guard_additions(a: Phrase, b: Phrase) -> Veto | None:
    """A sentence that is in both makes every other sentence count; so does what stands behind a preposition at the end
    of a text that is otherwise the same."""
    ours, theirs = a.statements, b.statements
    if ours == theirs:
        return None
    shared = {words for words in ours if len(words) >= LEAST_SHARED} & set(theirs)
    if shared:
        left = [words for words in ours if words not in shared]
        right = [words for words in theirs if words not in shared]
        return unequal("additions", map(" ".join, left), map(" ".join, right))
    here, there = a.asked, b.asked
    if len(here) > len(there):
        extra = _added(here, there)
        return Veto("additions", extra, ()) if extra else None
    extra = _added(there, here)
    return Veto("additions", (), extra) if extra else None


def _added(longer: tuple[str, ...], shorter: tuple[str, ...]) -> tuple[str, ...]:
    size = len(shorter)
    if not size or len(longer) == size:
        return ()
    if longer[:size] == shorter and longer[size] in _JOINTS:
        return longer[size:]
    if longer[-size:] == shorter and longer[0] in _JOINTS:
        return longer[:-size]
    return ()
