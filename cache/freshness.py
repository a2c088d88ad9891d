"""How long an answer stays true, judged by its question. Pure; the words are in `data/freshness.toml`.

Errors go to the safe side: what may be of this moment is taken to be. The three categories are those that AWS advises
for semantic caches (24 hours for static answers, 1 to 4 for general ones, 5 to 15 minutes for real-time ones; read
2026-11).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, NamedTuple

from adapters.body import mapping

STATIC, GENERAL, TEMPORAL = "static", "general", "temporal"
CATEGORIES = (STATIC, GENERAL, TEMPORAL)

SECONDS: Mapping[str, float] = {STATIC: 24 * 3600.0, GENERAL: 4 * 3600.0, TEMPORAL: 300.0}
"""By category, where the configuration says nothing; 0: never kept."""

AHEAD = 75
"""Years from now that a number of four digits may be a date of."""

OLD = 1800
"""From here on a number of four digits is taken for a year. Earlier ones are as often something else."""

SETTLED = 2
"""Years after which what happened in one is history. Seasons and terms of office go on into the next."""

_WORD = re.compile(r"[^\W_]+")
_SUM = re.compile(r"\d\s*(?:[+*×÷^=]|\s[-/]\s)\s*\d|√\s*\d|\d\s*%\s*(?:of|von|de|di|van)\b")
_CODE = re.compile(r"```|`[^`\n]+`|\w\(\)|[{;]\s*$|</\w+>|^\s*(?:def|class|import|#include|SELECT)\b", re.MULTILINE)

Phrases = dict[str, list[tuple[str, ...]]]
"""Phrases as their words, by the first one."""


def category_of(text: str, now: float) -> str:
    """One of `CATEGORIES`; `now` in Unix time. A text without any word is temporal: nothing is known of it."""
    plain = _plain(text)
    words = _WORD.findall(plain)
    year = datetime.fromtimestamp(now, UTC).year
    years = [int(word) for word in words if len(word) == 4 and word.isdecimal()]
    if not words or _temporal(plain, words) or any(year <= each <= year + AHEAD for each in years):
        return TEMPORAL
    if _has(words, TABLE.general) or any(year - SETTLED < each < year for each in years):
        return GENERAL
    past = any(OLD <= each <= year - SETTLED for each in years)
    if past or _has(words, TABLE.static) or _SUM.search(plain) or _CODE.search(text):
        return STATIC
    return GENERAL


def ttl_of(text: str, now: float, seconds: Mapping[str, float] = SECONDS) -> float:
    """How long the answer to this question may be kept, in seconds; 0: not at all, also where `seconds` does not name
    its category."""
    return max(0.0, seconds.get(category_of(text, now), 0.0))


class Table(NamedTuple):
    temporal: Phrases
    near: Phrases
    units: Phrases
    after: Phrases
    pairs: list[tuple[Phrases, Phrases]]
    ambiguous: dict[str, frozenset[str]]
    anywhere: tuple[str, ...]
    general: Phrases
    static: Phrases


def _temporal(plain: str, words: Sequence[str]) -> bool:
    if _has(words, TABLE.temporal) or any(word in plain for word in TABLE.anywhere) or _near(words):
        return True
    known = set(words)
    if any(word in known and known & hints for word, hints in TABLE.ambiguous.items()):
        return True
    return any(
        _has(words[end:], then) for first, then in TABLE.pairs if (end := next(iter(_ends(words, first)), 0)) > 0
    )


def _near(words: Sequence[str]) -> bool:
    """Whether a unit of time stands behind a word of nearness ("next Monday", "vor drei Tagen") or before one ("lunes
    pasado", "tre giorni fa"), with at most one word between."""
    return any(
        _at(words, place, second)
        for first, second in ((TABLE.near, TABLE.units), (TABLE.units, TABLE.after))
        for end in _ends(words, first)
        for place in (end, end + 1)
    )


def _has(words: Sequence[str], phrases: Phrases) -> bool:
    return next(iter(_ends(words, phrases)), 0) > 0


def _ends(words: Sequence[str], phrases: Phrases) -> Iterable[int]:
    """Places behind each phrase that stands in the words, in their order."""
    begun = [place for place, word in enumerate(words) if word in phrases]
    return (end for place in begun if (end := _at(words, place, phrases)))


def _at(words: Sequence[str], place: int, phrases: Phrases) -> int:
    """The place behind the phrase that begins here; 0 where none does."""
    for phrase in phrases.get(words[place], ()) if place < len(words) else ():
        if tuple(words[place : place + len(phrase)]) == phrase:
            return place + len(phrase)
    return 0


def _plain(text: str) -> str:
    """Without letter case, accents and forms of width; the same is done to the words of the table."""
    text = text.casefold()
    if text.isascii():
        return text
    split = unicodedata.normalize("NFKD", text)
    return "".join([char for char in split if not unicodedata.combining(char)])


def _phrases(values: Iterable[str]) -> Phrases:
    found: Phrases = {}
    for value in values:
        words = tuple(_WORD.findall(_plain(value)))
        found.setdefault(words[0], []).append(words)
    return found


def _all(tables: Mapping[str, Any], *names: str) -> list[str]:
    """The lists of these tables, joined, whatever language each is for."""
    return [value for name in names for values in mapping(tables[name]).values() for value in values]


def _read(text: str) -> Table:
    tables = tomllib.loads(text)
    return Table(
        temporal=_phrases(_all(tables, "temporal", "topics")),
        near=_phrases(tables["near"]["words"]),
        units=_phrases(tables["near"]["units"]),
        after=_phrases(tables["near"]["after"]),
        pairs=[(_phrases(pair["first"]), _phrases(pair["then"])) for pair in tables["pairs"]],
        ambiguous={_plain(word): frozenset(map(_plain, hints)) for word, hints in tables["ambiguous"].items()},
        anywhere=tuple(map(_plain, _all(tables, "anywhere"))),
        general=_phrases(_all(tables, "general")),
        static=_phrases(_all(tables, "static")),
    )


TABLE = _read((files("cache") / "data" / "freshness.toml").read_text(encoding="utf-8"))
