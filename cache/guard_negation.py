"""Whether something is asked or the reverse of it: negators, and words with and without a prefix that turns them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cache.guard_lists import Lexicon, listed, table
from cache.phrase import Phrase
from cache.veto import Veto

_TABLE = table("negation")
_TONGUES = ("en", "de", "fr", "es", "it", "pt", "nl")
_NEGATORS = {
    tongue: Lexicon({"negator": _TABLE[tongue]["negators"], "idiom": _TABLE[tongue].get("idioms", ())})
    for tongue in _TONGUES
}
_NEGATORS[""] = Lexicon(
    {
        "idiom": _TABLE["en"]["idioms"],
        "negator": dict.fromkeys(form for tongue in _TONGUES for form in _TABLE[tongue]["negators"]),
    }
)
_TURNING = frozenset(listed(_TABLE["prefixes"]["turning"]))


def _both_ways(pairs: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """From each member of a pair to the other ones it is paired with."""
    found: dict[str, tuple[str, ...]] = {}
    for one, other in pairs:
        found[one] = (*found.get(one, ()), other)
        found[other] = (*found.get(other, ()), one)
    return found


_PREFIXES = _both_ways(pair.split() for pair in _TABLE["prefixes"]["opposite"])
_SUFFIXES = _both_ways(pair.split(" ") for pair in _TABLE["prefixes"]["suffixes"])
_LONGEST = max(map(len, [*_TURNING, *_PREFIXES, *_SUFFIXES])) + 1
SHORTEST = 3
"""Letters of what a prefix is taken from."""


def guard_negation(a: Phrase, b: Phrase) -> Veto | None:
    """Vetoes unless both are turned round equally often: `not legal` is as good as `illegal`."""
    here, there = a.part(negators), b.part(negators)
    ours, theirs = a.part(_vocabulary) - b.part(_vocabulary), b.part(_vocabulary) - a.part(_vocabulary)
    turned_here, turned_there = _turned(ours, theirs), _turned(theirs, ours)
    if len(here) + len(turned_here) != len(there) + len(turned_there):
        return Veto("negation", here + turned_here, there + turned_there)
    return None


def guard_opposites(a: Phrase, b: Phrase) -> Veto | None:
    """Words that differ in a prefix or a suffix only, and mean the opposite: `import` and `export`."""
    ours, theirs = a.part(_vocabulary) - b.part(_vocabulary), b.part(_vocabulary) - a.part(_vocabulary)
    if ours and theirs:
        for word in sorted(ours):
            for other in _opposites(word):
                if other in theirs:
                    return Veto("opposites", (word,), (other,))
    return None


def negators(phrase: Phrase) -> tuple[str, ...]:
    """Those of the language the text is in; of every language where it is not known."""
    words = phrase.asked
    lexicon = _NEGATORS.get(phrase.language, _NEGATORS[""])
    return tuple(
        " ".join(words[found.start : found.stop]) for found in lexicon.find(words) if found.meaning == "negator"
    )


def _vocabulary(phrase: Phrase) -> frozenset[str]:
    return frozenset(phrase.words)


def _turned(ours: frozenset[str], theirs: frozenset[str]) -> tuple[str, ...]:
    """Which of our words are one of theirs behind a prefix."""
    if not theirs:
        return ()
    return tuple(
        word
        for word in sorted(ours)
        for size in range(1, min(len(word) - SHORTEST + 1, _LONGEST))
        if word[size:] in theirs and word[:size] in _TURNING
    )


def _opposites(word: str) -> Iterator[str]:
    """What would be the opposite of this word, if there is such a word."""
    for size in range(1, min(len(word) - SHORTEST + 1, _LONGEST)):
        for prefix in _PREFIXES.get(word[:size], ()):
            yield prefix + word[size:]
        for suffix in _SUFFIXES.get(word[-size:], ()):
            yield word[:-size] + suffix
    # A suffix whose opposite is that there is none: `sugar` and `sugarless`.
    if len(word) >= SHORTEST:
        for suffix in _SUFFIXES.get("", ()):
            yield word + suffix
