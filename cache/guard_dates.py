"""Months, weekdays, seasons, words of time relative to now, and in which time something is asked."""

from __future__ import annotations

from cache.guard_lists import Lexicon, listed, table, unequal, valued
from cache.phrase import Phrase
from cache.phrase_words import MONTHS
from cache.veto import Veto

_TABLE = table("dates")
_TONGUES = tuple(tongue for tongue in _TABLE["weekdays"])


def _calendar(tongue: str) -> dict[str, str]:
    months = {word: _MONTH[int(number)] for word, number in valued(_TABLE["months"][tongue]).items()}
    days = {word: _DAY[number] for word, number in valued(_TABLE["weekdays"][tongue]).items()}
    return {**months, **days, **valued(_TABLE["seasons"][tongue])}


_MONTH = dict(enumerate(MONTHS, 1))
_DAY = dict(
    zip(
        ["1", "2", "3", "4", "5", "6", "7", "67", "15"],
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "weekend", "weekday"],
        strict=True,
    )
)
CALENDAR = {tongue: _calendar(tongue) for tongue in _TONGUES}
CALENDAR[""] = {word: name for tongue in reversed(_TONGUES) for word, name in CALENDAR[tongue].items()}
_RELATIVE = {tongue: Lexicon(_TABLE["relative"][tongue]) for tongue in _TONGUES}
_RELATIVE[""] = Lexicon(
    {
        meaning: [form for tongue in _TONGUES for form in _TABLE["relative"][tongue].get(meaning, [])]
        for tongue in _TONGUES
        for meaning in _TABLE["relative"][tongue]
    }
)
_DOUBTFUL = {
    **{word: _MONTH[int(number)] for word, number in valued(_TABLE["months"]["doubtful"]).items()},
    **valued(_TABLE["seasons"]["doubtful"]),
}
_BEFORE = frozenset(listed(_TABLE["months"]["before"])) | {"the"}
_SEASONAL = frozenset(valued(_TABLE["seasons"]["doubtful"]))
_DIRECTIONS = valued(_TABLE["stretches"]["directions"])
_TERMS, _UNMARKED, _BOUNDS = (frozenset(listed(_TABLE["stretches"][name])) for name in ("terms", "unmarked", "bounds"))
_SAME = valued(_TABLE["stretches"]["same"])
_STRETCHES = frozenset(listed(_TABLE["stretches"]["of"]))
_BEGINNING = _BOUNDS | frozenset(_DIRECTIONS)
_PAST, _OTHER = (frozenset(listed(_TABLE["tense"][name])) for name in ("past", "other"))


def guard_dates(a: Phrase, b: Phrase) -> Veto | None:
    here, there = a.part(dates), b.part(dates)
    if (here ^ there) <= _UNMARKED and not (here - _UNMARKED or there - _UNMARKED):
        # `now` is what a question in the present means without it; in the past it is not.
        past = a.part(_verbs)[0] or b.part(_verbs)[0]
        return unequal("dates", here, there) if past else None
    return unequal("dates", here, there)


def guard_tense(a: Phrase, b: Phrase) -> Veto | None:
    """What was is not what is: one text has verbs of the past only, the other has none."""
    here, there = a.part(_verbs), b.part(_verbs)
    (past, other), (past_there, other_there) = here, there
    if past and not other and other_there and not past_there:
        return Veto("tense", tuple(sorted(past)), tuple(sorted(other_there)))
    if other and not past and past_there and not other_there:
        return Veto("tense", tuple(sorted(other)), tuple(sorted(past_there)))
    return None


def _verbs(phrase: Phrase) -> tuple[frozenset[str], frozenset[str]]:
    words = frozenset(phrase.asked)
    return words & _PAST, words & _OTHER


def dates(phrase: Phrase) -> frozenset[str]:
    """What is said of time, each in one spelling. Days and years are numbers and left to their guard."""
    words = phrase.words
    tongue = phrase.language if phrase.language in CALENDAR else ""
    found = {each.meaning for each in _RELATIVE[tongue].find(words) if not _stretch(words, each.stop - 1)} - {"idle"}
    if tongue not in ("", "en"):
        found |= _RELATIVE["en"].meanings(words) & {"today", "tomorrow", "yesterday", "latest"}
    calendar = CALENDAR[tongue]
    for place, word in enumerate(words):
        if word in calendar:
            found.add(calendar[word])
        elif word in _DOUBTFUL and _meant(words, place):
            found.add(_DOUBTFUL[word])
        elif word in _BEGINNING and place + 1 < len(words):
            behind = words[place + 1]
            if word in _DIRECTIONS:
                found.add(_stretch(words, place))
            elif word in _BOUNDS and (behind[0].isdecimal() or behind in calendar or behind in _DOUBTFUL):
                found.add(word)
        elif word in ("am", "pm") and place and words[place - 1][0].isdecimal():
            # `6 am`: behind a number these are no verb.
            found.add(word)
    return frozenset(found - {""})


def _meant(words: tuple[str, ...], place: int) -> bool:
    """Whether `may`, `march`, `fall` or `spring` is of the calendar here."""
    before = words[place - 1] if place else ""
    behind = words[place + 1] if place + 1 < len(words) else ""
    if before[:1].isdecimal() or behind[:1].isdecimal():
        return True
    if words[place] in _SEASONAL and (
        behind in _TERMS or any(word in CALENDAR["en"] for word in words[max(place - 2, 0) : place + 3])
    ):
        return True
    return before in _BEFORE and (before != "the" or words[place] in _SEASONAL)


def _stretch(words: tuple[str, ...], place: int) -> str:
    """`last week`, `next 2 years`: what begins here, or nothing."""
    direction = _DIRECTIONS.get(words[place])
    behind = words[place + 1 : place + 3]
    if not direction or not behind:
        return ""
    of = behind[-1] if behind[0][0].isdecimal() else behind[0]
    return f"{direction} {_SAME.get(of.removesuffix('s'), of.removesuffix('s'))}" if of in _STRETCHES else ""
