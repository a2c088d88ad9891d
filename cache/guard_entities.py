"""Names: what is written with a capital letter in one text is in the other as well."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from cache.guard_lists import listed, table
from cache.guard_units import is_unit
from cache.phrase import Phrase
from cache.phrase_words import folded, stem
from cache.veto import Veto

_TABLE = table("words")
_FUNCTION = frozenset(listed(_TABLE["function"]))
_COMMON = _FUNCTION | frozenset(listed(_TABLE["requests"]))
_LITTLE = frozenset(["the", "of", "and", "for", "in", "on", "a", "an", "to"])
SHARE = 0.6
"""Of the words of a sentence; above this capitals are its style and tell nothing."""
FEWEST = 4
LONG_WORD = 4
"""Letters from which a word of a title is written with a capital."""


def guard_entities(a: Phrase, b: Phrase) -> Veto | None:
    here, there = _missing(a, b), _missing(b, a)
    return Veto("entities", here, there) if here or there else None


def _missing(a: Phrase, b: Phrase) -> tuple[str, ...]:
    """The names of the first that the second has in no form: neither letter case nor plural nor `India` for `Indian`
    counts, and letters may stand for the words that begin with them."""
    entities = a.part(names)
    if not entities:
        return ()
    forms = b.part(_forms)
    missing = [name for name in entities if forms.isdisjoint(_related(name))]
    if not missing:
        return ()
    letters, begun = b.part(_acronyms), b.part(_initials)
    missing = [name for name in missing if not (name.isascii() and len(name) > 1 and name.casefold() in begun)]
    if missing and letters:
        told = {place for letter in letters for place in _told_by(letter, a.words)}
        spelled = {a.words[place] for place in told}
        missing = [name for name in missing if name.casefold() not in spelled]
    return tuple(missing)


def names(phrase: Phrase) -> tuple[str, ...]:
    """Words with a capital letter where none is needed, with capitals or digits inside, and words of another script
    than most, as they are written, each once."""
    return tuple(dict.fromkeys(name for words in phrase.sentences for name in _of(words)))


def _of(words: tuple[str, ...]) -> Iterator[str]:
    long = [word for word in words if len(word) >= LONG_WORD]
    capital = sum(word[0].isupper() for word in long)
    shouted = sum(word.isupper() for word in long) > SHARE * len(long) and len(words) >= FEWEST
    titled = len(long) >= FEWEST and capital > SHARE * len(long)
    for place, word in enumerate(words):
        if not word[0].isalpha():
            continue
        inner = not word.islower() and not word[1:].islower() and len(word) > 1 and not shouted
        if inner and "'" in word:
            inner = any(letter.isupper() for letter in word.partition("'")[0][1:])
        if not inner and not (word[0].isupper() and not titled and not shouted):
            continue
        if not inner and place == 0 and not _name_first(words):
            continue
        bare = folded((word,))
        common = bare and (
            (bare[0] in _COMMON and not (word.isupper() and len(word) > 1)) or (len(word) > 1 and is_unit(bare[0]))
        )
        if bare and not common:
            yield word.partition("'")[0] or word


def _name_first(words: tuple[str, ...]) -> bool:
    """Whether a sentence begins with a name: another follows, or what follows belongs to it."""
    return words[0].casefold() not in _FUNCTION and (
        "'s" in words[0] or (len(words) > 1 and words[1][0].isupper() and words[1] != "I")
    )


def _related(name: str) -> Iterator[str]:
    word = name.casefold()
    yield word
    yield stem(word)
    yield word + "s"
    yield word.removesuffix("s")
    # People and languages of a country, and back.
    if word.endswith("a"):
        yield word + "n"
    if word.endswith("an"):
        yield word[:-1]
    if word.endswith("n"):
        yield word + "ian"
    if word.endswith("nian"):
        yield word[:-3]


def _forms(phrase: Phrase) -> frozenset[str]:
    words = phrase.words
    # `GitHub` for `git hub`, `EECS280` for `EECS 280`.
    joined = (one + other for one, other in pairwise(words))
    return frozenset([*words, *map(stem, words), *joined])


def _acronyms(phrase: Phrase) -> tuple[str, ...]:
    return tuple(
        word.casefold() for words in phrase.sentences for word in words if word.isupper() and 2 <= len(word) <= 6
    )


def _initials(phrase: Phrase) -> frozenset[str]:
    """The letters that two to six words beside each other begin with."""
    found: set[str] = set()
    for words in (phrase.words, tuple(word for word in phrase.words if word not in _LITTLE)):
        letters = "".join(word[0] for word in words)
        found.update(letters[start : start + size] for size in range(2, 7) for start in range(len(letters) - size + 1))
    return frozenset(found)


def _told_by(letters: str, words: tuple[str, ...]) -> Iterator[int]:
    """Places of the words that these letters stand for."""
    places = [place for place, word in enumerate(words) if word not in _LITTLE]
    begun = "".join(words[place][0] for place in places)
    start = begun.find(letters)
    if start >= 0:
        yield from places[start : start + len(letters)]
