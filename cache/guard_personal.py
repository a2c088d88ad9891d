"""Whose it is, and who is spoken of: mine is not yours."""

from __future__ import annotations

from cache.guard_lists import listed, table
from cache.phrase import Phrase
from cache.veto import Veto

_TABLE = table("personal")
_OWNERS = {word: owner for owner, words in _TABLE["owners"].items() for word in listed(words)}
_SUBJECTS = {word: subject for subject, words in _TABLE["subjects"].items() for word in listed(words)}
_VERBS = frozenset(listed(_TABLE["verbs"]["before"]))
_GENERAL_SUBJECTS, _BE = (frozenset(listed(_TABLE["verbs"][name])) for name in ("anybody", "be"))
_GENERAL = frozenset(listed(_TABLE["verbs"]["general"]))


def guard_personal(a: Phrase, b: Phrase) -> Veto | None:
    """Vetoes where each has an owner that the other has not, where only one is about his, hers or yours, or where one
    asks what I am and the other what you are. `How do I` and `how do you` are the same; `my` and `their` may be
    missing, and `your` where `you` is anybody."""
    for read in (owners, subjects):
        here, there = a.part(read), b.part(read)
        ours, theirs = here - there, there - here
        if ours and theirs:
            return Veto("personal", tuple(sorted(ours)), tuple(sorted(theirs)))
    ours, theirs = _somebody(a) - b.part(owners), _somebody(b) - a.part(owners)
    if ours or theirs:
        return Veto("personal", tuple(sorted(ours)), tuple(sorted(theirs)))
    return None


def _somebody(phrase: Phrase) -> frozenset[str]:
    """Owners that can't be left out without another meaning."""
    anybody = {"my", "their", "your"} if "you" in phrase.asked else {"my", "their"}
    return phrase.part(owners) - anybody


def owners(phrase: Phrase) -> frozenset[str]:
    return frozenset(_OWNERS[word] for word in phrase.asked if word in _OWNERS)


def subjects(phrase: Phrase) -> frozenset[str]:
    """Who is asked about by a verb in front of a pronoun (`are you`, `did I`), where it does not mean anybody."""
    words = phrase.asked
    return frozenset(
        _SUBJECTS[word]
        for place, word in enumerate(words)
        if word in _SUBJECTS and place and words[place - 1] in _VERBS and not _anybody(words, place)
    )


def _anybody(words: tuple[str, ...], place: int) -> bool:
    """Whether `how do I` or `what can you` stands here; `who are you` asks for somebody."""
    return (
        words[place] in _GENERAL_SUBJECTS and place > 1 and words[place - 2] in _GENERAL and words[place - 1] not in _BE
    )
