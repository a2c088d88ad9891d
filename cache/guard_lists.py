"""Word lists: data files beside this module, looking for their expressions in a text, and comparing what was found.

The lists are general vocabulary, written for this program. What is in them decides what a guard sees: a word that is
missing is one more thing left to the verifier, never an error.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from cache.veto import Veto


@cache
def table(name: str) -> dict[str, Any]:
    """`cache/data/NAME.toml`, read once."""
    return tomllib.loads((files("cache") / "data" / f"{name}.toml").read_text(encoding="utf-8"))


def listed(value: str | Sequence[str]) -> list[str]:
    """The expressions of a list: an array has one in each member, a string has words with white space between."""
    return value.split() if isinstance(value, str) else list(value)


def valued(value: str) -> dict[str, str]:
    """A list of `word=value`."""
    return dict(pair.split("=", 1) for pair in value.split())


class Found(NamedTuple):
    meaning: str
    start: int
    stop: int
    """Places among the words; `stop` is the one behind the last."""


class Lexicon:
    """Expressions of one or more words, each with what it means."""

    def __init__(self, meanings: Mapping[str, Iterable[str]]) -> None:
        """From each meaning to the expressions that have it. An expression may have several."""
        known: dict[tuple[str, ...], list[str]] = {}
        for meaning, expressions in meanings.items():
            for expression in expressions:
                known.setdefault(tuple(expression.split()), []).append(meaning)
        self._by_first: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
        for words in sorted(known, key=len, reverse=True):
            self._by_first.setdefault(words[0], []).append((words, tuple(known[words])))

    def find(self, words: Sequence[str]) -> list[Found]:
        """From left to right, the longest first, none within another; one for each meaning of an expression."""
        found: list[Found] = []
        by_first, free = self._by_first, 0
        if by_first.keys().isdisjoint(words):
            return found
        for start, word in enumerate(words):
            known = by_first.get(word)
            if known is None or start < free:
                continue
            for expression, meanings in known:
                stop = start + len(expression)
                if stop == start + 1 or tuple(words[start:stop]) == expression:
                    found += [Found(meaning, start, stop) for meaning in meanings]
                    free = stop
                    break
        return found

    def meanings(self, words: Sequence[str]) -> frozenset[str]:
        return frozenset(found.meaning for found in self.find(words))


def unequal(guard: str, here: Iterable[str], there: Iterable[str]) -> Veto | None:
    """A veto unless both have the same, in any order and equally often."""
    ours, theirs = Counter(here), Counter(there)
    if ours == theirs:
        return None
    return Veto(guard, tuple((ours - theirs).elements()), tuple((theirs - ours).elements()))
