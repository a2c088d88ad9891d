"""Whether two texts can be compared at all: their size, their script, their language, their lengths."""

from __future__ import annotations

from cache.phrase import Phrase
from cache.veto import Veto

LARGEST = 10_000
"""Characters. What is longer is compared as a whole, but for white space: nobody paraphrases it word by word."""

RATIO, FEWEST = 3.0, 8
"""How much longer one content may be than the other, where it has more words than this."""

# First characters of blocks of scripts, and what is written in them. Digits and signs are in none.
_SCRIPTS = (
    (0x41, "Latin"),
    (0x2B0, ""),
    (0x370, "Greek"),
    (0x400, "Cyrillic"),
    (0x530, "Armenian"),
    (0x590, "Hebrew"),
    (0x600, "Arabic"),
    (0x700, "another"),
    (0x900, "Devanagari"),
    (0x980, "Indic"),
    (0xE00, "Thai"),
    (0xE80, "another"),
    (0x10A0, "Georgian"),
    (0x1100, "Hangul"),
    (0x1200, "another"),
    (0x1E00, "Latin"),
    (0x1F00, "Greek"),
    (0x2000, ""),
    (0x3040, "Kana"),
    (0x3100, "Han"),
    (0xAC00, "Hangul"),
    (0xD800, ""),
    (0xF900, "Han"),
    (0xFB00, ""),
    (0x20000, "Han"),
)


def guard_size(a: Phrase, b: Phrase) -> Veto | None:
    """An empty text and a very long one equal only themselves."""
    if a.text == b.text or (len(a.text) <= LARGEST and len(b.text) <= LARGEST and a.text.strip() and b.text.strip()):
        return None
    if a.text.split() == b.text.split():
        return None
    return Veto("size", (f"{len(a.text)} characters",), (f"{len(b.text)} characters",))


def guard_language(a: Phrase, b: Phrase) -> Veto | None:
    here, there = a.part(scripts), b.part(scripts)
    if here != there:
        return Veto("language", tuple(sorted(here - there)), tuple(sorted(there - here)))
    if a.language and b.language and a.language != b.language:
        return Veto("language", (a.language,), (b.language,))
    return None


def guard_length(a: Phrase, b: Phrase) -> Veto | None:
    shorter, longer = sorted((len(a.content), len(b.content)))
    if longer <= FEWEST or longer <= RATIO * max(shorter, 1):
        return None
    return Veto("length", (f"{len(a.content)} words",), (f"{len(b.content)} words",))


def scripts(phrase: Phrase) -> frozenset[str]:
    text = phrase.plain
    if text.isascii():
        return frozenset(["Latin"]) if any(map(str.isalpha, text)) else frozenset()
    return frozenset(script_of(letter) for letter in set(text) if letter.isalpha()) - {""}


def script_of(letter: str) -> str:
    found = ""
    for start, script in _SCRIPTS:
        if ord(letter) < start:
            break
        found = script
    return found
