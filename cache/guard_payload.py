"""What an instruction is about (quoted text, text behind a colon or on lines of its own) is the same word by word."""

from __future__ import annotations

from cache.phrase import LONG_PAYLOAD, TRANSFORMING, Phrase
from cache.phrase_words import stem
from cache.veto import Veto

_STEMS = frozenset(map(stem, TRANSFORMING))
_ENDS = ".,;:!?。，！？ \t\"'"


def guard_quotes(a: Phrase, b: Phrase) -> Veto | None:
    """What one text quotes, the other quotes or has as it is, letter case aside."""
    here, there = a.quotes, b.quotes
    if here == there:
        return None
    missing = tuple(quote for quote in here if quote not in there and not _has(b, quote))
    extra = tuple(quote for quote in there if quote not in here and not _has(a, quote))
    return Veto("quotes", missing, extra) if missing or extra else None


def guard_payload(a: Phrase, b: Phrase) -> Veto | None:
    here, there = a.payload, b.payload
    if here == there:
        return _transformed(a, b)
    if (here and not _within(b, here)) or (there and not _within(a, there)):
        return Veto("payload", (here,) if here else (), (there,) if there else ())
    return _transformed(a, b)


def _has(phrase: Phrase, quote: str) -> bool:
    """Whether a text has it outside quotation marks."""
    text = phrase.prose
    for other in phrase.quotes:
        text = text.replace(other, " \n ")
    return _whole(quote, text)


def _within(phrase: Phrase, payload: str) -> bool:
    return len(payload) <= LONG_PAYLOAD and _whole(payload.strip(_ENDS), " ".join(phrase.prose.split()))


def _whole(part: str, text: str) -> bool:
    """Whether the text has it from the beginning of a word to the end of one."""
    part, text = part.casefold(), text.casefold()
    start = text.find(part) if part else -1
    while start >= 0:
        if not text[start - 1 : start].isalnum() and not text[start + len(part) : start + len(part) + 1].isalnum():
            return True
        start = text.find(part, start + 1)
    return False


def _transformed(a: Phrase, b: Phrase) -> Veto | None:
    """Two orders to do something with a text (`translate good morning`): their words are the text."""
    if not (a.asked and b.asked and a.asked[0] in TRANSFORMING and b.asked[0] in TRANSFORMING):
        return None
    ours, theirs = frozenset(a.content) - _STEMS, frozenset(b.content) - _STEMS
    missing, extra = ours - theirs, theirs - ours
    return Veto("payload", tuple(sorted(missing)), tuple(sorted(extra))) if missing and extra else None
