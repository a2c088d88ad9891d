"""What a question is made of, word by word: stems, and the groups of words that mostly mean the same.

Groups stand in `cache/data/synonyms.toml`. They are for the verifier, which weighs; guards take words as they are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cache.guard_lists import Lexicon, listed, table
from cache.phrase import Phrase
from cache.phrase_words import stem


class Unit(NamedTuple):
    """A word of a question that says something, or an expression of several that stands for one."""

    word: str
    """As it was written, without letter case; an expression has spaces in it."""
    stem: str
    groups: frozenset[str]
    """Of those that it is in."""
    start: int = 0
    stop: int = 0
    """Places among the words that are asked (`Phrase.asked`); `stop` is the one behind the last."""

    def means(self, other: Unit) -> bool:
        return self.stem == other.stem or not self.groups.isdisjoint(other.groups)


@lru_cache(maxsize=1)
def _groups() -> Lexicon:
    lines = table("synonyms")["groups"].split("\n")
    members = {str(place): line.split() for place, line in enumerate(lines) if line.strip()}
    return Lexicon(
        {group: {" ".join(map(stem, word.split("_"))) for word in words} for group, words in members.items()}
    )


_FUNCTION = frozenset(listed(table("words")["function"]))
LIGHT = _FUNCTION | frozenset(listed(table("synonyms")["light"]))
_REQUESTS = frozenset(listed(table("words")["requests"]))
ASKING = frozenset(listed("what which who whom whose when where why how"))
_ORDER = (LIGHT | _REQUESTS) - ASKING
"""What an order may begin with: "Could you state" is one, "what state" is none."""


def units(phrase: Phrase) -> tuple[Unit, ...]:
    """Of the words that are asked for, in their order."""
    return phrase.part(_units)


def _units(phrase: Phrase) -> tuple[Unit, ...]:
    words = phrase.asked
    stems = [stem(word) for word in words]
    groups: dict[int, set[str]] = {}
    ends: dict[int, int] = {}
    for found in _groups().find(stems):
        groups.setdefault(found.start, set()).add(found.meaning)
        ends[found.start] = found.stop
    made: list[Unit] = []
    place, ordering = 0, True
    while place < len(words):
        stop = ends.get(place, place + 1)
        several = stop > place + 1
        word = " ".join(words[place:stop])
        if (several and groups.get(place)) or not (words[place] in LIGHT or (ordering and words[place] in _REQUESTS)):
            made.append(Unit(word, " ".join(stems[place:stop]), frozenset(groups.get(place, ())), place, stop))
        ordering = ordering and words[place] in _ORDER
        place = stop
    return tuple(made)
