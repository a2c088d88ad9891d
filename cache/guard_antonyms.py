"""Words that exclude each other, what is reckoned over many, and comparing against not comparing."""

from __future__ import annotations

from collections.abc import Iterator

from cache.guard_lists import Lexicon, listed, table, unequal
from cache.phrase import Phrase
from cache.veto import Veto

_TABLE = table("antonyms")
SHORTEST_INFLECTED = 3


def inflected(word: str) -> Iterator[str]:
    """A regular noun or verb in all its forms; forms that nobody uses do no harm."""
    yield word
    if len(word) < SHORTEST_INFLECTED or not word.isalpha():
        return
    vowel = word[-2] in "aeiou"
    if word.endswith("e"):
        yield from (word + "s", word + "d", word[:-1] + "ing", word + "r", word + "rs")
    elif word.endswith("y") and not vowel:
        yield from (word[:-1] + "ies", word[:-1] + "ied", word + "ing")
    elif word.endswith(("s", "x", "z", "ch", "sh")):
        yield from (word + "es", word + "ed", word + "ing")
    else:
        yield from (word + "s", word + "ed", word + "ing")
        if vowel and word[-1] not in "wxy" and (len(word) < 3 or word[-3] not in "aeiou"):
            yield from (word + word[-1] + "ed", word + word[-1] + "ing")


def _expressions(pole: str, inflect: bool) -> Iterator[str]:
    for word in pole.split():
        if inflect:
            first, plus, rest = word.partition("+")
            for form in inflected(first):
                yield f"{form} {rest.replace('+', ' ')}" if plus else form
        else:
            yield word.replace("+", " ")


def _poles() -> dict[str, list[str]]:
    """From `group:pole` to the expressions of the pole."""
    rows = [*((row, False) for row in _TABLE["words"]), *((row, True) for row in _TABLE["inflected"])]
    return {
        f"{group}:{place}": list(_expressions(pole, inflect))
        for group, (row, inflect) in enumerate(rows)
        for place, pole in enumerate(row.split("|"))
    }


_POLES = Lexicon(_poles())
_AGGREGATES = Lexicon(_TABLE["aggregates"])
_SUPERLATIVES = Lexicon(
    {
        "superlative": listed(_TABLE["degree"]["superlatives"]),
        "idiom": listed(_TABLE["degree"]["idioms"]),
    }
)
_NOT_SUPERLATIVES = frozenset(listed(_TABLE["degree"]["not_superlatives"]))
_GRADED = 5
"""Letters that a word in -est has at least."""


def guard_antonyms(a: Phrase, b: Phrase) -> Veto | None:
    here, there = a.part(poles), b.part(poles)
    ours, theirs = here.keys() - there.keys(), there.keys() - here.keys()
    if not ours or not theirs:
        return None
    by_group = {pole.partition(":")[0]: pole for pole in sorted(theirs)}
    for pole in sorted(ours):
        other = by_group.get(pole.partition(":")[0])
        if other:
            return Veto("antonyms", (here[pole],), (there[other],))
    return None


def poles(phrase: Phrase) -> dict[str, str]:
    """From each pole that is named to the expression that names it."""
    words = phrase.asked
    return {found.meaning: " ".join(words[found.start : found.stop]) for found in _POLES.find(words)}


def guard_aggregates(a: Phrase, b: Phrase) -> Veto | None:
    return unequal("aggregates", a.part(aggregates), b.part(aggregates))


def aggregates(phrase: Phrase) -> frozenset[str]:
    words = phrase.asked
    found = _AGGREGATES.meanings(words)
    # `how many in total` and `the total number of` count: nothing is summed up.
    counted = "total" in found and ("many" in words or "number" in words or "count" in words)
    return found - {"total"} if counted else found


def guard_degree(a: Phrase, b: Phrase) -> Veto | None:
    """`large` against `larger` and `largest`, and a text that asks for the utmost against one that does not."""
    here, there = a.part(_in_degree), b.part(_in_degree)
    if here != there:
        ours, theirs = frozenset(a.asked).difference(b.asked), frozenset(b.asked).difference(a.asked)
        for word in sorted(here & ours):
            for other in sorted(theirs):
                if _graded(word, other):
                    return Veto("degree", (word,), (other,))
        for other in sorted(there & theirs):
            for word in sorted(ours):
                if _graded(other, word):
                    return Veto("degree", (word,), (other,))
    utmost, utmost_there = a.part(superlatives), b.part(superlatives)
    return None if bool(utmost) == bool(utmost_there) else Veto("degree", utmost, utmost_there)


def superlatives(phrase: Phrase) -> tuple[str, ...]:
    words = phrase.asked
    named = [words[found.start] for found in _SUPERLATIVES.find(words) if found.meaning == "superlative"]
    return tuple(dict.fromkeys([*named, *(word for word in words if is_superlative(word))]))


def is_superlative(word: str) -> bool:
    return len(word) >= _GRADED and word.endswith("est") and word not in _NOT_SUPERLATIVES


def bases(word: str, ending: str) -> frozenset[str]:
    """What the word may be a degree of: `largest` of `largest` without its ending in each regular way."""
    if not word.endswith(ending) or len(word) < len(ending) + 2:
        return frozenset()
    short = word[: -len(ending)]
    found = {short, short + "e"}
    if short[-1] == "i":
        found.add(short[:-1] + "y")
    if short[-1] == short[-2]:
        found.add(short[:-1])
    return frozenset(found)


_NAMED = frozenset(word for row in _TABLE["words"] for word in row.replace("|", " ").split())
COMPARATIVES = {word: known for word in _NAMED if (known := bases(word, "er") & _NAMED)}
"""Words in -er that are no agents: those whose adjective is in the list as well."""


_ENDINGS = ("er", "est")


def _in_degree(phrase: Phrase) -> frozenset[str]:
    """Words that may be another degree of one."""
    return frozenset(word for word in phrase.asked if word.endswith(_ENDINGS))


def _graded(word: str, other: str) -> bool:
    """Whether the first is another degree of the second."""
    if is_superlative(word):
        of = bases(word, "est")
        return other in of or any(base in of for base in bases(other, "er"))
    return other in COMPARATIVES.get(word, ())
