"""Numbers in digits and in words: both texts have the same ones, each beside the same things."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from cache.guard_lists import Lexicon, listed, table, unequal, valued
from cache.phrase import Phrase
from cache.phrase_words import fraction, stem, times
from cache.veto import Veto

_TABLE = table("numbers")
_TONGUES = ("nl", "pt", "it", "es", "fr", "de", "en")


def _union(kind: str) -> dict[str, dict[str, str]]:
    """By language; under the empty name all of them, English last and therefore first in what it says."""
    by_language = {tongue: valued(_TABLE[tongue][kind]) for tongue in _TONGUES}
    every: dict[str, str] = {}
    for known in by_language.values():
        every |= known
    return {**by_language, "": every}


CARDINALS, ORDINALS, TIMES = _union("cardinals"), _union("ordinals"), _union("times")
MULTIPLIERS = {word: int(value) for word, value in valued(_TABLE["multipliers"]).items()}
PARTS = {word: int(value) for word, value in valued(_TABLE["parts"]).items()}
FIGURES = frozenset(_TABLE["chinese"]["figures"])
_ROMAN_HEADS = frozenset(listed(_TABLE["roman"]["heads"]))
_IDIOMS = Lexicon({"idiom": _TABLE["idioms"]["phrases"]})
_SECOND_BEFORE = frozenset(["per", "each", "every", "a", "this", "one", "split"])

# What a number may begin with, beside the words of a language.
_FIRST = frozenset("-0123456789ivx") | FIGURES
_KNOWN = {tongue: {*CARDINALS[tongue], *ORDINALS[tongue], *TIMES[tongue], *MULTIPLIERS} for tongue in CARDINALS}

_ROMAN = re.compile(r"(?=[ivx])(x{0,3})(ix|iv|v?i{0,3})$")


class Number(NamedTuple):
    value: str
    before: str
    """Stem of the word before it, empty at the beginning."""
    behind: str


def guard_numbers(a: Phrase, b: Phrase) -> Veto | None:
    here, there = a.part(numbers), b.part(numbers)
    if not here and not there:
        return None
    if veto := unequal("numbers", [number.value for number in here], [number.value for number in there]):
        return veto
    return _moved(here, there) or _moved(there, here)


def _moved(here: Sequence[Number], there: Sequence[Number]) -> Veto | None:
    """The same numbers in another order: none may stand between other words than before."""
    ours, theirs = [number.value for number in here], [number.value for number in there]
    if ours == theirs:
        return None
    for number in here:
        if not any(
            number.value == other.value and (number.before == other.before or number.behind == other.behind)
            for other in there
        ):
            return Veto("numbers", tuple(ours), tuple(theirs))
    return None


def numbers(phrase: Phrase) -> tuple[Number, ...]:
    """All of them, in their order."""
    words = phrase.words
    language = phrase.language
    if language not in CARDINALS:
        language = ""
    idle = {place for found in _IDIOMS.find(words) for place in range(found.start, found.stop)}
    found: list[Number] = []
    known = _KNOWN[language]
    stop = 0
    for place, word in enumerate(words):
        if place < stop or not (word in known or word[0] in _FIRST):
            continue
        stop, value = _read(words, place, language)
        if value and not (place in idle and stop == place + 1 and not words[place][0].isdecimal()):
            before = stem(words[place - 1]) if place else ""
            behind = stem(words[stop]) if stop < len(words) else ""
            found.append(Number(value, before, behind))
    return tuple(found)


def _read(words: Sequence[str], place: int, language: str) -> tuple[int, str]:
    """Where the number that begins here ends, and its value; empty where none begins."""
    word = words[place]
    if word[0] in "-0123456789":
        return _scaled(words, place + 1, word)
    small = CARDINALS[language].get(word) or ORDINALS[language].get(word)
    if small is not None:
        if word == "second" and not _ordinal_second(words, place):
            return place + 1, ""
        return _written_out(words, place, language)
    if word in MULTIPLIERS:
        return _scaled(words, place, "1")
    if word in TIMES[language]:
        value = TIMES[language][word]
        if value == "0.5" and words[place + 1 : place + 3] == ("a", "dozen"):
            return place + 3, "6"
        if value == "0.5" and words[place + 1 : place + 2] and words[place + 1] in MULTIPLIERS:
            return _scaled(words, place + 1, value)
        return place + 1, value
    if word in FIGURES:
        return place + 1, word
    return place + 1, _roman(words, place)


def _ordinal_second(words: Sequence[str], place: int) -> bool:
    """Whether `second` is a place in a row and not a stretch of time."""
    return not (place and (words[place - 1] in _SECOND_BEFORE or words[place - 1][0].isdecimal()))


def _scaled(words: Sequence[str], place: int, value: str) -> tuple[int, str]:
    """The number with the multipliers behind it: `5 million`."""
    while place < len(words) and words[place] in MULTIPLIERS:
        value = times(value, MULTIPLIERS[words[place]])
        place += 1
    return place, value


def _written_out(words: Sequence[str], place: int, language: str) -> tuple[int, str]:
    """`two hundred and five`, `twenty first`, `three quarters`. A row of figures (`one two three`) is not summed."""
    cardinals, ordinals = CARDINALS[language], ORDINALS[language]
    total, group, last, stop = 0, 0, -1, place
    while stop < len(words):
        word = words[stop]
        if word in MULTIPLIERS and last >= 0:
            if MULTIPLIERS[word] < 1000:
                group = max(group, 1) * MULTIPLIERS[word]
            else:
                total, group = total + max(group, 1) * MULTIPLIERS[word], 0
            last = 1000
        elif word in PARTS and last > 0 and total == 0 and word != "second":
            if stop > place and (word not in ordinals or last < 20):
                return stop + 1, fraction(group, PARTS[word])
            break
        elif word in cardinals or word in ordinals:
            value = int(cardinals.get(word) or ordinals[word])
            if last >= 0 and not (last >= 100 or (20 <= last < 100 and value < 10)):
                break
            group, last = group + value, value
        elif not (word == "and" and last == 1000 and stop + 1 < len(words) and words[stop + 1] in cardinals):
            break
        stop += 1
        if word in ordinals and word not in cardinals:
            break
    return max(stop, place + 1), str(total + group)


def _roman(words: Sequence[str], place: int) -> str:
    word = words[place]
    match = _ROMAN.match(word)
    before = words[place - 1] if place else ""
    if not match or not before:
        return ""
    # `Henry VIII` is known by its length; `type I` only by what stands before it, `I` being a word.
    if before not in _ROMAN_HEADS and len(word) < 2:
        return ""
    ones = {"ix": 9, "iv": 4}.get(match[2])
    if ones is None:
        ones = 5 * ("v" in match[2]) + match[2].count("i")
    return str(10 * len(match[1]) + ones)
