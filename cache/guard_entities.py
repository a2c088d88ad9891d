"""Names: what is written with a capital letter in one text is in the other as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from cache.guard_language import script_of
from cache.guard_lists import listed, table
from cache.guard_units import is_unit
from cache.phrase import Phrase
from cache.phrase_words import folded, stem
from cache.veto import Veto

_TABLE = table("words")
_FUNCTION = frozenset(listed(_TABLE["function"]))
_COMMON = _FUNCTION | frozenset(listed(_TABLE["requests"]))
_VERBS = frozenset(["is", "are", "was", "were", "has", "had", "does", "did", "will", "can"])
_LITTLE = frozenset(["the", "of", "and", "for", "in", "on", "a", "an", "to"])
SHARE = 0.6
"""Of the words of a sentence; above this capitals are its style and tell nothing."""
FEWEST = 4
LONG_WORD = 4
"""Letters from which a word of a title is written with a capital."""


class Names(NamedTuple):
    sure: tuple[str, ...]
    """Words with a capital letter where none is needed, with capitals or digits inside, and words of another script
    than most, each once and as they are written."""
    perhaps: tuple[str, ...]
    """Words that have a capital letter as their whole sentence has, or because they begin it."""


def guard_entities(a: Phrase, b: Phrase) -> Veto | None:
    """Vetoes where one text has a name that the other has not, and where each has a word that may be one."""
    ours, theirs = a.part(names), b.part(names)
    here, there = _missing(ours.sure, a, b), _missing(theirs.sure, b, a)
    if here or there:
        return Veto("entities", here, there)
    if not ours.perhaps or not theirs.perhaps:
        return None
    here, there = _missing(ours.perhaps, a, b), _missing(theirs.perhaps, b, a)
    return Veto("entities", here, there) if here and there else None


def _missing(entities: tuple[str, ...], a: Phrase, b: Phrase) -> tuple[str, ...]:
    """Those of the first text that the second has in no form: neither letter case nor plural nor `India` for `Indian`
    counts, and letters may stand for the words that begin with them."""
    theirs = b.part(names)
    entities = tuple(name for name in entities if name not in theirs.sure and name not in theirs.perhaps)
    if not entities:
        return ()
    forms = b.part(_forms)
    missing = [name for name in entities if forms.isdisjoint(_related(name))]
    if not missing:
        return ()
    letters, begun = b.part(_acronyms), b.part(_initials)
    missing = [name for name in missing if not (name.isascii() and len(name) > 1 and name.casefold() in begun)]
    if missing and letters:
        told = {a.words[place] for letter in letters for place in _told_by(letter, a.words)}
        missing = [name for name in missing if name.casefold() not in told]
    return tuple(missing)


def names(phrase: Phrase) -> Names:
    sure: dict[str, None] = {}
    perhaps: dict[str, None] = {}
    for words in phrase.sentences:
        long = [word for word in words if len(word) >= LONG_WORD]
        shouted = sum(map(str.isupper, long)) > SHARE * len(long) and len(words) >= FEWEST
        titled = len(long) >= FEWEST and sum(word[0].isupper() for word in long) > SHARE * len(long)
        for place, word in enumerate(words):
            if word.islower():
                continue
            inner = not shouted and _inner(word)
            if not (inner or word[0].isupper()) or _common(word):
                continue
            bare = word.partition("'")[0] or word
            first = place == 0 and not inner
            if inner or not (first or shouted or titled) or (first and not shouted and not titled and _named(words)):
                sure[bare] = None
            elif ((shouted or titled) and len(word) >= LONG_WORD) or (first and _told_of(words)):
                perhaps[bare] = None
    if not phrase.plain.isascii():
        sure.update(dict.fromkeys(_strange(phrase.words)))
    return Names(tuple(sure), tuple(perhaps))


def _inner(word: str) -> bool:
    """`iPhone`, `NASA`, `McDonald`; not `I` nor `I'm`."""
    word = word.partition("'")[0]
    return len(word) > 1 and word[0].isalpha() and not word[1:].islower() and not word.islower()


def _common(word: str) -> bool:
    """Words that are no names in any letter case, but for acronyms that look like them; and units."""
    bare = folded((word,))
    if not bare or not word[0].isalpha():
        return True
    return (bare[0] in _COMMON and not (word.isupper() and len(word) > 1)) or (len(word) > 1 and is_unit(bare[0]))


def _named(words: tuple[str, ...]) -> bool:
    """Whether a sentence begins with a name: another follows, or what follows belongs to it."""
    return "'s" in words[0] or (len(words) > 1 and words[1][0].isupper() and words[1] != "I")


def _told_of(words: tuple[str, ...]) -> bool:
    """Whether something is said of the first word: `Kalamazoo is in which state`."""
    return len(words) > 1 and words[1] in _VERBS


def _strange(words: tuple[str, ...]) -> Iterator[str]:
    """Words of another script than the first that most of them are in."""
    scripts = [script_of(word[0]) for word in words]
    most, count = Counter(filter(None, scripts)).most_common(1)[0] if any(scripts) else ("", 0)
    if count < len([script for script in scripts if script]):
        yield from (word for word, script in zip(words, scripts, strict=True) if script not in ("", most))


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
