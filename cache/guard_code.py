"""Code, addresses, identifiers and signs: compared as they are written."""

from __future__ import annotations

import re

from cache.guard_lists import listed, table, unequal
from cache.guard_numbers import MULTIPLIERS
from cache.guard_units import is_unit
from cache.phrase import Phrase
from cache.phrase_words import folded, sentences, stem
from cache.veto import Veto


def guard_code(a: Phrase, b: Phrase) -> Veto | None:
    """Blocks of code are the same, indentation included; what is code within a line is somewhere in the other text."""
    here, there = a.layout, b.layout
    if here.blocks != there.blocks:
        return unequal("code", here.blocks, there.blocks) or Veto("code", here.blocks, there.blocks)
    tags = [(one, other) for one, other in zip(here.tags, there.tags, strict=True) if one and other and one != other]
    if tags:
        return Veto("code", (tags[0][0],), (tags[0][1],))
    missing = tuple(code for code in here.inline if code not in there.inline and not occurs(code, b.prose))
    extra = tuple(code for code in there.inline if code not in here.inline and not occurs(code, a.prose))
    return Veto("code", missing, extra) if missing or extra else None


def guard_task(a: Phrase, b: Phrase) -> Veto | None:
    """What is to be done with the same code: beside a block of code the few words of an order are all that tells two
    questions apart, and hardly move a vector. Each may say more than the other, but not both, and not of nothing."""
    if not a.layout.blocks or not b.layout.blocks:
        return None
    here, there = a.part(_task), b.part(_task)
    ours, theirs = here - there, there - here
    if (ours and theirs) or bool(here) != bool(there):
        return Veto("task", tuple(sorted(ours)), tuple(sorted(theirs)))
    return None


_ITSELF = frozenset(map(stem, listed(table("words")["code"])))


def _task(phrase: Phrase) -> frozenset[str]:
    return frozenset(phrase.content) - _ITSELF


def occurs(code: str, text: str) -> bool:
    """Whether the text has it as a whole word, letter case included."""
    start = text.find(code)
    while start >= 0:
        before, behind = text[start - 1 : start], text[start + len(code) : start + len(code) + 1]
        if not (before.isalnum() and code[0].isalnum()) and not (behind.isalnum() and code[-1].isalnum()):
            return True
        start = text.find(code, start + 1)
    return False


# Bounded everywhere: a text may be one word of ten thousand letters.
_MAYBE_ADDRESS = re.compile(r"[/@\\]|\w\.\w|(?<![^\s(])-[A-Za-z-]")
_MAYBE_IDENTIFIER = re.compile(r"[_($]|::|\w\.\w|[a-z][A-Z]")
_ADDRESS = re.compile(
    r"(?:https?|ftp|file|ssh|git|s3)://\S+|\bwww\.\S+|[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,190}|(?<!\w)@\w{2,}"
    r"|(?<![\w/.])(?:~|\.{1,2})?/[\w.*-]+(?:/[\w.*-]*)*|\b[A-Za-z]:\\\S+|(?<![\w-])--[A-Za-z][\w-]*|(?<![\w-])-[A-Za-z](?![\w-])"
    r"|\b[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,4}\.(?:com|org|net|io|dev|ai|gov|edu|co|app|de|fr|es|it|nl|uk|eu|info|me)\b(?:/\S*)?"
)
_IDENTIFIER = re.compile(
    r"\b\w*[^\W_]_[^\W_]\w*\b|\b[A-Za-z]\w*(?:\.[A-Za-z_]\w+)+\b|\b\w+(?:::\w+)+|\b\w+\(\w*\)|\b[a-z]+[A-Z]\w*|(?<![\w$])\$[A-Za-z_]\w*"
)
_INNER = re.compile(r"(?<=[a-z])(?=[A-Z])|[_.()$:]+")
_SIGN_LETTERS = frozenset("+*=<>^|~\\@{}[]$→←≤≥≠≈∈∀∃∑∫√÷×-/!")
_SIGNS = re.compile(
    r"[+*=<>^|~\\@{}\[\]$→←≤≥≠≈∈∀∃∑∫√÷×]+|(?<=\s)[-/](?=\s[0-9(])|(?<=\))/(?=[0-9(a-z])|!=|(?<=[0-9])!(?!\w)"
)
_ENDS = ".,;:!?)\"'"


def guard_addresses(a: Phrase, b: Phrase) -> Veto | None:
    """Addresses, paths, options, and names of code are the same. `getName` may be written without its capitals."""
    return unequal("addresses", a.part(addresses), b.part(addresses)) or _identifiers(a, b)


def addresses(phrase: Phrase) -> frozenset[str]:
    text = phrase.prose
    if not _MAYBE_ADDRESS.search(text):
        return frozenset()
    return frozenset(found.rstrip(_ENDS) for found in _ADDRESS.findall(text))


def _identifiers(a: Phrase, b: Phrase) -> Veto | None:
    here, there = a.part(identifiers), b.part(identifiers)
    missing = tuple(name for name in sorted(here - there) if not _spelled(name, b))
    extra = tuple(name for name in sorted(there - here) if not _spelled(name, a))
    return Veto("addresses", missing, extra) if missing or extra else None


def identifiers(phrase: Phrase) -> frozenset[str]:
    text = phrase.prose
    return frozenset(_IDENTIFIER.findall(text)) if _MAYBE_IDENTIFIER.search(text) else frozenset()


def _spelled(name: str, phrase: Phrase) -> bool:
    """Whether the text has the words of the name beside each other, in singular or plural."""
    words = folded(sentence for words in sentences(_INNER.sub(" ", name)) for sentence in words)
    return bare(name) in phrase.part(_joined) or "".join(map(stem, words)) in phrase.part(_joined_stems)


def bare(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _joined(phrase: Phrase) -> frozenset[str]:
    """Words, and up to four of them beside each other as one."""
    return joined(phrase.words)


def _joined_stems(phrase: Phrase) -> frozenset[str]:
    return joined(tuple(map(stem, phrase.words)))


def joined(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset("".join(words[start : start + size]) for size in range(1, 5) for start in range(len(words)))


def guard_signs(a: Phrase, b: Phrase) -> Veto | None:
    """Signs of mathematics and of programs."""
    return unequal("signs", a.part(_signs), b.part(_signs))


def _signs(phrase: Phrase) -> tuple[str, ...]:
    text = phrase.plain
    return () if _SIGN_LETTERS.isdisjoint(text) else tuple(_SIGNS.findall(text))


_DIGIT = re.compile("[0-9]")
_MIXED = re.compile(r"\b(?=\w*[0-9])(?=\w*[^\W\d_])[^\W_]+(?:-[0-9]+)?\b|\b[^\W\d_]+-[0-9]+\b")
_PLURAL = re.compile(r"[0-9]+0s$")
_NUMBER_FIRST = re.compile(r"-?[0-9][0-9.,]*([^\W\d_]+)$")


def guard_codes(a: Phrase, b: Phrase) -> Veto | None:
    """Words of letters and digits: `6s`, `B2B`, `EECS280`, which may be written `EECS 280`."""
    here, there = a.part(codes), b.part(codes)
    missing = tuple(code for code in sorted(here - there) if code not in b.part(_joined))
    extra = tuple(code for code in sorted(there - here) if code not in a.part(_joined))
    return Veto("codes", missing, extra) if missing or extra else None


def codes(phrase: Phrase) -> frozenset[str]:
    """Without hyphens and letter case. What is a number and its unit is left to their guards."""
    found = set()
    text = phrase.plain
    for word in _MIXED.findall(text) if _DIGIT.search(text) else ():
        word = word.casefold()
        number = _NUMBER_FIRST.match(word)
        if _PLURAL.match(word) or (
            number
            and (
                number[1] in MULTIPLIERS or number[1] in ("st", "nd", "rd", "th", "k", "am", "pm") or is_unit(number[1])
            )
        ):
            continue
        found.add(bare(word))
    return frozenset(found)
