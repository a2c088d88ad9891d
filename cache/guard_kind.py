"""What kind of answer is wanted: a person, a time, a place, a number, a reason, a manner, yes or no, or things."""

from __future__ import annotations

from cache.guard_lists import Lexicon, listed, table
from cache.phrase import Phrase
from cache.veto import Veto

_TABLE = table("kinds")
_WANTED = Lexicon(_TABLE["wanted"])
_AUXILIARIES = frozenset(listed(_TABLE["grammar"]["auxiliaries"]))
_REQUESTS = frozenset(listed(_TABLE["grammar"]["requests"]))
_AFTER_HOW = frozenset(listed(_TABLE["grammar"]["after_how"]))
_COMPATIBLE = frozenset(frozenset(pair.split("|")) for pair in _TABLE["grammar"]["compatible"])


def guard_kind(a: Phrase, b: Phrase) -> Veto | None:
    """Vetoes where none of what the one wants would do for the other. A text that does not tell wants anything."""
    here, there = a.part(kinds), b.part(kinds)
    if not here or not there or here & there:
        return None
    if any(frozenset((one, other)) in _COMPATIBLE for one in here for other in there):
        return None
    return Veto("kind", tuple(sorted(here)), tuple(sorted(there)))


def kinds(phrase: Phrase) -> frozenset[str]:
    if phrase.language != "en":
        return frozenset()
    found: set[str] = set()
    for words in phrase.statements:
        found |= _of(words)
    if len(found) > 1:
        # What answers a question with a word of its own answers the yes or no beside it.
        found -= {"yes or no", "existence"}
    return frozenset(found)


def _of(words: tuple[str, ...]) -> set[str]:
    found = {each.meaning for each in _WANTED.find(words)} - {"idle"}
    if words[0] == "count":
        found.add("number")
    for place, word in enumerate(words[:-1]):
        if word == "how":
            behind = words[place + 1]
            if behind in _AFTER_HOW:
                found.add(f"how {behind}")
            elif behind not in ("many", "much", "come", "about"):
                found.add("manner")
    if found - {"things"}:
        return found - {"things"}
    if words[0] in _AUXILIARIES and len(words) > 2:
        found.add("existence" if words[1] == "there" else "yes or no")
    elif words[0] in _REQUESTS:
        found.add("things")
    return found
