"""Text into sentences and words, in any script: one spelling for what is written in several ways.

Digits of every script become ASCII, `$5` becomes `dollar 5`, `C++` `cpp`, `2020-05-12` `12 may 2020`, `1,000` `1000`,
`don't` `do not`. What could be meant in two ways (`1.000`, `05/12/2020`) stays as it is and equals only itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]

from cache.guard_lists import Lexicon, listed, table

_WORDS = table("words")
SHORT: dict[str, tuple[str, ...]] = {word: tuple(long.split()) for word, long in _WORDS["short"].items()}
IRREGULAR: dict[str, str] = {form: word for word, forms in _WORDS["irregular"].items() for form in forms.split()}

# Characters

_WRITTEN_OUT = str.maketrans(
    {
        **dict.fromkeys("’‘ʼ＇`´", "'"),
        **dict.fromkeys("−‐‑‒﹣－", "-"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
        **{character: f"^{digit}" for digit, character in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
        # Before NFKC would turn `1½` into `11/2`.
        **{c: f" {unicodedata.normalize('NFKC', c).replace('⁄', '/')} " for c in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"},
        "٫": ".",
        "٬": ",",
        "⁄": "/",
        "℃": " celsius ",
        "℉": " fahrenheit ",
    }
)
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _iso_date(match: re.Match[str]) -> str:
    year, month, day = match.groups()
    return f"{int(day)} {MONTHS[int(month) - 1]} {year}" if 1 <= int(month) <= 12 else match[0]


def _numeric_date(match: re.Match[str]) -> str:
    """Day and month in either order; where both could be the month, nobody knows."""
    one, other, year = int(match[1]), int(match[2]), match[3]
    if 1 <= one <= 12 < other:
        return f"{other} {MONTHS[one - 1]} {year}"
    if 1 <= other <= 12 and (one > 12 or one == other):
        return f"{one} {MONTHS[other - 1]} {year}"
    return match[0]


_Written = str | Callable[[re.Match[str]], str]

REWRITTEN: tuple[tuple[str, re.Pattern[str], _Written], ...] = (
    (
        ",",
        re.compile(r"^\s*((?:hi|hello|hey|good (?:morning|afternoon|evening))(?: there| all| everyone)?),\s", re.I),
        r"\1. ",
    ),
    (",", re.compile(r",\s*((?:please|thanks|thank you)[.!?]*)\s*$", re.I), r". \1"),
    ("Th", re.compile(r"(?<=\w)\s+((?:Thanks|Thank you)[.!]*)\s*$"), r". \1"),
    (".", re.compile(r"\b(?:[A-Za-z]\.){2,}"), lambda match: match[0].replace(".", "")),
    (".", re.compile(r"(?<![\w.])\.net\b", re.I), "dotnet"),
    (".", re.compile(r"\b(\w+)\.js\b", re.I), r"\1js"),
    (".", re.compile(r"\bno\.\s?(?=[0-9])", re.I), "number "),
    ("v", re.compile(r"\bv\.?(?=[0-9])"), "version "),
    ("U", re.compile(r"\bUSA?\b|\bUnited States(?: of America)?\b"), "USA"),
    ("U", re.compile(r"\bUnited Kingdom\b"), "UK"),
    ("u", re.compile(r"\bunited states(?: of america)?\b"), "usa"),
    ("u", re.compile(r"\bunited kingdom\b"), "uk"),
    ("+", re.compile(r"\bc\+\+", re.I), "cpp"),
    ("#", re.compile(r"\b([cfj])#", re.I), r"\1sharp"),
    ("#", re.compile(r"#(?=[0-9])"), " number "),
    ("%", re.compile(r"(?<=[0-9])\s?%"), " percent "),
    ("$", re.compile(r"(?:\bUS)?\$\s?(?=[0-9])|(?<=[0-9])\s?\$"), " dollar "),
    ("€", re.compile("€"), " euro "),
    ("£", re.compile("£"), " sterling "),
    ("¥", re.compile("¥"), " yen "),
    ("₹", re.compile("₹"), " rupee "),
    ("°", re.compile(r"°\s?C\b"), " celsius "),
    ("°", re.compile(r"°\s?F\b"), " fahrenheit "),
    ("°", re.compile("°"), " degrees "),
    ("&", re.compile(r"\s*&\s*"), " and "),
    ("/", re.compile(r"\bw/o\b", re.I), "without"),
    ("/", re.compile(r"\bw/\s?(?=\w)", re.I), "with "),
    ("/", re.compile(r"\b([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})\b"), _numeric_date),
    (".", re.compile(r"\b([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})\b"), _numeric_date),
    ("-", re.compile(r"\b([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})\b"), _iso_date),
    (":", re.compile(r"\b([0-9]{1,2}):00(?![0-9:])"), r"\1"),
)
"""What has to be in the text, what is looked for, and what it becomes."""


def normalised(text: str) -> str:
    """The same text in one spelling; letter case stays."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_WRITTEN_OUT))
        if not text.isascii():
            text = "".join([str(unicodedata.decimal(c)) if c > "9" and c.isdecimal() else c for c in text])
    for needed, pattern, written in REWRITTEN:
        if needed in text:
            text = pattern.sub(written, text)
    return text


# Words

# Vowel signs and other marks are no letters for `\w`, but part of a word.
_MARKS = (
    r"\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0971-\u0dff\u0e31-\u0e4e\u0eb1-\u0ecd"
    r"\u0f71-\u0f84\u102b-\u103e\u17b4-\u17d3"
)
_IDEOGRAPHS = r"\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_NUMERAL = (
    # A fraction, but no part of a date.
    r"(?:(?<![^\s(=\[])-)?(?:(?<![/0-9])[0-9]+/[0-9]+(?![/0-9])|[0-9]+(?:[.,'][0-9]+)*)"
    r"(?:(?:st|nd|rd|th|ST|ND|RD|TH|k|K)(?![^\W_]))?"
)
_ASCII_WORD = re.compile(rf"{_NUMERAL}|[A-Za-z]+(?:'[A-Za-z]+)*")
_ANY_WORD = re.compile(
    rf"{_NUMERAL}|[{_IDEOGRAPHS}]|(?:(?![{_IDEOGRAPHS}])[^\W\d_{_MARKS}]|[{_MARKS}])+"
    rf"(?:'(?:(?![{_IDEOGRAPHS}])[^\W\d_])+)*"
)
_STOP = re.compile(r"(?<=[.!?])[\"')\]]*\s+|[。！？؟।\n]+\s*")
_NO_STOP = re.compile(r"\b(?:dr|mr|mrs|ms|prof|st|vs|no|inc|jr|sr|fig|approx|rs|etc|eg|ie|[A-Z])\.$", re.I)


def sentences(text: str) -> list[tuple[str, ...]]:
    """The words of each sentence of a normalised text, in their own letter case. A word of a script that is written
    without spaces is one character."""
    pattern = _ASCII_WORD if text.isascii() else _ANY_WORD
    found, before = [], ""
    for part in _STOP.split(text):
        whole = before + part
        if _NO_STOP.search(part[-8:]) and len(part) < len(text):
            before = whole + " "
            continue
        found.append(tuple(pattern.findall(whole)))
        before = ""
    if before:
        found.append(tuple(pattern.findall(before)))
    return [words for words in found if words]


def folded(words: Iterable[str]) -> list[str]:
    """Letter case gone, short forms written out, numerals as they are compared."""
    out: list[str] = []
    for word in words:
        word = word.casefold()
        if word[0] in "-0123456789":
            out.append(numeral(word))
        elif "'" in word:
            out += filter(None, _apostrophe(word))
        elif word in SHORT:
            out += SHORT[word]
        else:
            out.append(word)
    return out


_NEGATED, _ENDINGS, _ELIDED = _WORDS["negated"], _WORDS["endings"], _WORDS["elided"]
_IS = frozenset(listed(_WORDS["verbs"]["is"]))


def _apostrophe(word: str) -> list[str]:
    head, _, tail = word.partition("'")
    if tail == "t" and head.endswith("n"):
        return [_NEGATED.get(head[:-1], head[:-1]), "not"]
    if tail in _ENDINGS:
        return [head, _ENDINGS[tail]]
    if tail == "s":
        return ["let", "us"] if head == "let" else [head, "is"] if head in _IS else [head]
    if head in _ELIDED:
        return [part for part in (_ELIDED[head], tail.replace("'", "")) if part]
    return [word.replace("'", "")]


_GROUPED = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?:\.[0-9]+)?$|-?[0-9]{1,3}(?:'[0-9]{3})+(?:\.[0-9]+)?$")
_CONTINENTAL = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{3})*,(?:[0-9]{1,2}|[0-9]{4,})$")
_SIMPLE = re.compile(r"(-?[0-9]{1,6})/([0-9]{1,6})$")
DECIMAL = {2, 4, 5, 8, 10}
LONGEST = 15


def numeral(word: str) -> str:
    """One spelling of a numeral: `1,000` and `1'000` are 1000, `1.000,5` is 1000.5, `2.5k` is 2500, `1/2` is 0.5,
    `3rd` is 3. A lone `1.000` may be a thousand or one and stays as it is, and so does `3.10`, a version."""
    thousandfold = word.endswith("k")
    word = word.rstrip("stndrhk")
    if _GROUPED.match(word):
        word = word.replace(",", "").replace("'", "")
    elif _CONTINENTAL.match(word):
        word = word.replace(".", "").replace(",", ".")
    elif simple := _SIMPLE.match(word):
        word = fraction(int(simple[1]), int(simple[2])) or word
    return times(word, 1000) if thousandfold else word


def fraction(upper: int, lower: int) -> str:
    """As a decimal where that is short; empty for a division by zero."""
    if not lower:
        return ""
    value = Fraction(upper, lower)
    return f"{float(value):g}" if value.denominator in DECIMAL else str(value)


def times(number: str, factor: int) -> str:
    """Digits with at most one point, multiplied; anything else comes back with the factor behind it."""
    whole, _, part = number.lstrip("-").partition(".")
    if not (whole + part).isdecimal() or len(number) > LONGEST:
        return f"{number}x{factor}"
    value = Fraction(int(whole + part) * factor, 10 ** len(part))
    sign = "-" if number.startswith("-") else ""
    return sign + (str(value.numerator) if value.denominator == 1 else f"{float(value):.15g}")


# What a word comes from

LONGEST_STEMMED = 40


def stem(word: str) -> str:
    """The stem of an English word, irregular forms included; a word of another script as it is."""
    if word.isascii() and word.isalpha() and 2 < len(word) <= LONGEST_STEMMED:
        return _stem(word)
    return word


@lru_cache(maxsize=1 << 15)
def _stem(word: str) -> str:
    # A stemmer holds the word it works on: one for each word may be used by any thread, and costs half a microsecond.
    stemmed: str = snowballstemmer.stemmer("english").stemWord(IRREGULAR.get(word, word))
    return stemmed


# Courtesy

_COURTESY = _WORDS["courtesy"]
_OPENERS = Lexicon({"polite": _COURTESY["openers"]})
_POLITE = Lexicon({"polite": [*_COURTESY["openers"], *_COURTESY["greetings"]]})
_FILLERS = frozenset(listed(_COURTESY["fillers"]))


def asked(words: Sequence[str]) -> tuple[str, ...]:
    """A sentence without the courtesies it begins with; empty where nothing else is in it."""
    polite = _POLITE.find(words)
    if not polite:
        return tuple(words)
    within = {place for found in polite for place in range(found.start, found.stop)}
    if all(word in _FILLERS for place, word in enumerate(words) if place not in within):
        return ()
    start = 0
    for found in _OPENERS.find(words):
        if found.start == start:
            start = found.stop
    return tuple(words[start:])
