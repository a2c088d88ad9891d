"""Who does it to whom, and in which direction: the same words in another order are another question.

Let through are orders that mean the same: a clause moved across a comma, `A or B` for `B or A`, and the passive voice
(`was it found by him` for `did he find it`), which is turned round before anything is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from cache.guard_lists import listed, table, valued
from cache.phrase import Phrase
from cache.phrase_words import IRREGULAR, stem
from cache.veto import Veto

_TABLE = table("order")
_DIRECTIONS = frozenset(listed(_TABLE["directions"]))
_SYMMETRIC = frozenset(listed(_TABLE["symmetric"]))
_ORDERED = frozenset(listed(_TABLE["ordered"]))
_BE = frozenset(listed(_TABLE["be"]))
_REVERSE = tuple(pair for one, other in valued(_TABLE["reverse"]).items() for pair in ((one, other), (other, one)))
_MODIFIERS = frozenset(listed(_TABLE["modifiers"]))
_ARTICLES = frozenset(listed(_TABLE["articles"]))
_ROLES = {word: role for role, words in _TABLE["roles"].items() for word in listed(words)}
REACH = 4
"""Words around a word of direction that it may belong to."""
LEAST_TURNED = 4
"""Words of content from which a clause may have changed its place."""
LONGEST = 200
"""Words of content; above this nothing is known of roles, and an order that differs vetoes."""


def guard_order(a: Phrase, b: Phrase) -> Veto | None:
    ours, theirs = a.content, b.content
    if a.words == b.words:
        return None
    if Counter(ours) == Counter(theirs):
        return _same_words(a, b)
    return _crossed(a, b)


def _same_words(a: Phrase, b: Phrase) -> Veto | None:
    ours, theirs = a.part(active), b.part(active)
    # What is said in the passive has its words in another order already.
    spoken = ours == a.content and theirs == b.content
    if (
        ours == theirs
        or (spoken and a.part(modified) == b.part(modified))
        or _turned(a, b, ours, theirs)
        or (len(ours) < LONGEST and _swapped(a, b))
    ):
        return _crossed(a, b)
    first = next(place for place, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other)
    return Veto("order", tuple(ours[first : first + 4]), tuple(theirs[first : first + 4]))


def active(phrase: Phrase) -> tuple[str, ...]:
    """The content; of a sentence in the passive voice with its agent in front and what is done to it behind."""
    words = phrase.asked
    if "by" not in words:
        return phrase.content
    by = len(words) - 1 - words[::-1].index("by")
    be = next((place for place, word in enumerate(words[:by]) if word in _BE), None)
    if be is None or by + 1 == len(words):
        return phrase.content
    verb = next((place for place in range(by - 1, be, -1) if participle(words[place])), None)
    if verb is None:
        return phrase.content
    content = frozenset(phrase.content)
    patient, done, agent = (
        [stemmed for word in part if (stemmed := stem(word)) in content]
        for part in (words[:verb], words[verb:by], words[by + 1 :])
    )
    turned = (*agent, *done, *patient)
    return turned if Counter(turned) == Counter(phrase.content) else phrase.content


def modified(phrase: Phrase) -> tuple[str, ...]:
    """The content with what modifies a word in front of it: `types of music` like `music types`, `papers about cats in
    2016` like `2016 cat papers`."""
    content = frozenset(phrase.content)
    out: list[str] = []
    runs: list[list[str]] = [[]]
    for word in phrase.asked:
        stemmed = stem(word)
        if stemmed in content:
            runs[-1].append(stemmed)
        elif word in _MODIFIERS:
            runs.append([])
        elif word not in _ARTICLES:
            out += chain.from_iterable(reversed(runs))
            runs = [[]]
    return (*out, *chain.from_iterable(reversed(runs)))


def participle(word: str) -> bool:
    return (word.endswith("ed") and len(word) > 3) or word in IRREGULAR or word.endswith("en")


def _turned(a: Phrase, b: Phrase, ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether one is the other with its end in front, and a comma or a preposition marks where."""
    if len(ours) < LEAST_TURNED or not ("," in a.plain or "," in b.plain):
        return False
    return any(
        ours[cut] == theirs[0] and tuple(ours[cut:]) + tuple(ours[:cut]) == tuple(theirs) for cut in range(1, len(ours))
    )


def _swapped(a: Phrase, b: Phrase) -> bool:
    """Whether the texts differ in nothing but the two sides of an `and`, `or` or `versus`."""
    ours, theirs = a.words, b.words
    if len(ours) != len(theirs) or not _ORDERED.isdisjoint(ours):
        return False
    for middle, word in enumerate(ours):
        if word not in _SYMMETRIC:
            continue
        for start in range(max(0, middle - 5), middle):
            for stop in range(middle + 2, min(len(ours), middle + 6) + 1):
                swapped = (*ours[middle + 1 : stop], word, *ours[start:middle])
                if ours[:start] + swapped + ours[stop:] == theirs:
                    return True
    return False


def _crossed(a: Phrase, b: Phrase) -> Veto | None:
    """Whether a word that says where to or from, or a pronoun, has what it belongs to exchanged between the texts."""
    if a.part(roles) and b.part(roles) and a.part(roles) != b.part(roles):
        return Veto("order", a.part(roles), b.part(roles))
    there = b.part(directions)
    for word, (sources, goal) in a.part(directions).items():
        other = there.get(word)
        if other and other.goal != goal and other.goal in sources and goal in other.sources:
            return Veto("order", (word, goal), (word, other.goal))
    return _reversed(a, b) or _names_crossed(a, b)


def _reversed(a: Phrase, b: Phrase) -> Veto | None:
    """`to Boston` against `from Boston`."""
    here = {word: direction.goal for word, direction in a.part(directions).items()}
    there = {word: direction.goal for word, direction in b.part(directions).items()}
    for one, other in _REVERSE:
        goal = here.get(one)
        if goal and goal == there.get(other) and goal not in (here.get(other), there.get(one)):
            return Veto("order", (one, goal), (other, goal))
    return None


class Direction(NamedTuple):
    sources: tuple[str, ...]
    """Stems of content before the word of direction, at most `REACH`."""
    goal: str
    """The first one behind it."""


def directions(phrase: Phrase) -> dict[str, Direction]:
    """By each word of direction, at its first place."""
    words = phrase.asked
    content = frozenset(phrase.content)
    found: dict[str, Direction] = {}
    for place, word in enumerate(words):
        if word in _DIRECTIONS:
            sources = [
                stemmed for each in words[max(place - 2 * REACH, 0) : place] if (stemmed := stem(each)) in content
            ]
            goal = next(
                (stemmed for each in words[place + 1 : place + REACH] if (stemmed := stem(each)) in content), ""
            )
            if sources and goal:
                direction = "to" if word in ("into", "onto") else word
                found.setdefault(direction, Direction(tuple(sources[-REACH:]), goal))
    return found


def roles(phrase: Phrase) -> tuple[str, ...]:
    """The pronouns of third persons in their order, where there are two and more: who of them acts on whom."""
    found = tuple(_ROLES[word] for word in phrase.asked if word in _ROLES)
    return found if len(set(found)) > 1 else ()


def _names_crossed(a: Phrase, b: Phrase) -> Veto | None:
    """Two names that both texts have, each once and in another order, and nothing that makes the order idle."""
    ours, theirs = a.part(names), b.part(names)
    shared = [name for name in ours if name in theirs]
    if len(shared) < 2:
        return None
    if any(not _SYMMETRIC.isdisjoint(phrase.words) or "between" in phrase.words for phrase in (a, b)):
        return None
    if [name for name in theirs if name in ours] == shared:
        return None
    left = [name for name in a.part(active) if name in shared]
    right = [name for name in b.part(active) if name in shared]
    moved = {"," in a.plain, "," in b.plain} != {False}
    return None if left == right or moved else Veto("order", tuple(left[:4]), tuple(right[:4]))


def names(phrase: Phrase) -> tuple[str, ...]:
    """Stems of words with a capital letter, each once, in their order; the first of a sentence with them."""
    found = (word.casefold() for words in phrase.sentences for word in words if word[0].isupper())
    content = frozenset(phrase.content)
    return tuple(dict.fromkeys(stemmed for word in found if (stemmed := stem(word)) in content))
