"""A short answer that is a number, with or without a unit: what it amounts to, and whether two of them agree. Pure.

Numbers in digits (either decimal sign, thousands marked or not) and English number words; metric and imperial units of
length, mass, time, volume, speed and data, percent, and a few currencies. Any other noun counts what it stands behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

LONGEST = 80
"""Characters of a text that may be one number."""

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_REST = " eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = dict(zip((_SMALL + _REST).split(), range(20), strict=True))
WORDS |= dict(zip(_TENS.split(), range(20, 100, 10), strict=True))
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

_M, _KG, _S, _L, _B = "length", "mass", "time", "volume", "data"
_UNITS: list[tuple[str, str, str]] = [
    ("mm millimeter millimetre", _M, "1/1000"),
    ("cm centimeter centimetre", _M, "1/100"),
    ("m meter metre", _M, "1"),
    ("km kilometer kilometre", _M, "1000"),
    ("in inch inches", _M, "0.0254"),
    ("ft foot feet", _M, "0.3048"),
    ("yd yard", _M, "0.9144"),
    ("mi mile", _M, "1609.344"),
    ("mg milligram", _KG, "1/1000000"),
    ("g gram gramme", _KG, "1/1000"),
    ("kg kilo kilogram kilogramme", _KG, "1"),
    ("t tonne", _KG, "1000"),
    ("oz ounce", _KG, "0.028349523125"),
    ("lb lbs pound", _KG, "0.45359237"),
    ("ms millisecond", _S, "1/1000"),
    ("s sec second", _S, "1"),
    ("min minute", _S, "60"),
    ("h hr hour", _S, "3600"),
    ("d day", _S, "86400"),
    ("week", _S, "604800"),
    ("month", "years", "1/12"),
    ("yr year", "years", "1"),
    ("ml milliliter millilitre", _L, "1/1000"),
    ("cl centiliter centilitre", _L, "1/100"),
    ("l liter litre", _L, "1"),
    ("km/h kph kmh", "speed", "1/3.6"),
    ("m/s mps", "speed", "1"),
    ("mph", "speed", "0.44704"),
    ("byte", _B, "1"),
    ("kb kilobyte", _B, "1000"),
    ("mb megabyte", _B, "1000000"),
    ("gb gigabyte", _B, "1000000000"),
    ("tb terabyte", _B, "1000000000000"),
    ("kib kibibyte", _B, "1024"),
    ("mib mebibyte", _B, "1048576"),
    ("gib gibibyte", _B, "1073741824"),
    ("% percent", "percent", "1"),
    ("°c c celsius", "celsius", "1"),
    ("°f f fahrenheit", "fahrenheit", "1"),
    ("k kelvin", "kelvin", "1"),
    ("$ usd dollar", "dollars", "1"),
    ("€ eur euro", "euros", "1"),
    ("£ gbp", "pounds sterling", "1"),
    ("¥ jpy yen", "yen", "1"),
]


def _ratio(text: str) -> Fraction:
    above, _, below = text.partition("/")
    return Fraction(above) / Fraction(below or "1")


UNITS = {name: (kind, _ratio(times)) for names, kind, times in _UNITS for name in names.split()}
"""What each unit measures, and how much of it. A plural `s` is taken off a name before it is looked up."""

ABOUT = re.compile(r"(?:about|approximately|approx\.?|around|roughly|nearly|almost|some|circa|ca\.?|~|≈)\s*")
_DIGITS = r"[0-9]{1,3}(?:(?P<mark>[,.' ])[0-9]{3})(?:(?P=mark)[0-9]{3})*(?:[.,][0-9]+)?|[0-9]+(?:[.,][0-9]+)?"
_NUMBER = re.compile(
    rf"(?P<money>[$€£¥])?\s*(?P<minus>-)?\s*(?P<more>[$€£¥])?(?P<digits>{_DIGITS})(?P<rest>.*)", re.DOTALL
)
_NO_NOUN = re.compile(rf"\b(?:and|or|to|but|plus|minus|times|by|than|if|hundred|{'|'.join((*WORDS, *SCALES))})\b")
_COUNTED = re.compile(r"[^\W\d_]+(?: [^\W\d_]+){0,2}")


class Quantity(NamedTuple):
    value: Fraction
    kind: str
    """What is measured; empty for a mere number."""
    counted: str
    """The noun that the number counts; empty where it measures, or nothing follows."""
    about: bool
    other: Fraction | None
    """What the digits mean where they are written by the other convention (1,234 and 1.234)."""
    step: Fraction
    """What one more in its last digit would add."""
    unit: Fraction = Fraction(1)
    """What its unit amounts to."""


def quantity(text: str) -> Quantity | None:
    """What a text says that is one number and no more; None where it is something else. It has been normalised: lower
    case, plain signs, single spaces."""
    if not 0 < len(text) <= LONGEST:
        return None
    about = ABOUT.match(text)
    text = text[about.end() :] if about else text
    found = _NUMBER.fullmatch(text)
    if found is None:
        return _spelled(text, about is not None)
    money = found["money"] or found["more"] or ""
    value, other, places = _value(found["digits"], found["mark"] or "")
    rest, times = found["rest"], 1
    if rest.startswith("k") and not rest[1:2].isalpha() and (money or not rest[1:].strip()):
        rest, times = rest[1:], 1000
    rest = rest.strip()
    first, _, behind = rest.partition(" ")
    if first in SCALES:
        rest, times = behind, times * SCALES[first]
    sign = -times if found["minus"] else times
    step = Fraction(abs(times), 10**places)
    return _with_unit(value * sign, rest or money, bool(about), None if other is None else other * sign, step)


def agree(one: Quantity, other: Quantity) -> bool | None:
    """True where both are the same amount, False where they plainly are not, None where that depends."""
    if one.kind != other.kind:
        return None
    if one.counted and other.counted and one.counted != other.counted:
        return None
    if one.value == other.value:
        return True
    if other.value in (one.other, one.value) or one.value == other.other or one.about or other.about:
        return None
    return None if _rounded(one, other) else False


def _rounded(one: Quantity, other: Quantity) -> bool:
    """Whether they may be the same amount, converted from another unit or in fewer digits."""
    apart = abs(one.value - other.value)
    if one.unit != other.unit:
        return apart * 20 <= max(abs(one.value), abs(other.value))
    return one.step != other.step and apart * 2 <= max(one.step, other.step)


def _value(digits: str, mark: str) -> tuple[Fraction, Fraction | None, int]:
    """The number, what else it may be, and its decimal places. `mark`: between groups of three, where there are any."""
    groups = digits.count(mark) if mark else 0
    if mark in ",." and groups == 1 and len(re.split("[.,]", digits)) == 2:
        # 1,234 or 1.234: English by its sign, but nobody said English. A zero in front makes it a fraction.
        whole, fraction = Fraction(digits.replace(mark, "")), Fraction(digits.replace(mark, "."))
        if digits.startswith("0"):
            return fraction, None, 3
        return (whole, fraction, 0) if mark == "," else (fraction, whole, 3)
    plain = digits
    if groups:
        head, _, _ = digits.rpartition(mark)
        decimals = re.search(r"[.,]([0-9]+)$", digits)
        if decimals is not None and decimals[0][0] != mark:
            head = digits[: decimals.start()]
            return Fraction(f"{re.sub('[^0-9]', '', head)}.{decimals[1]}"), None, len(decimals[1])
        plain = re.sub("[^0-9]", "", digits)
    plain = plain.replace(",", ".")
    return Fraction(plain), None, len(plain.partition(".")[2])


def _spelled(text: str, about: bool) -> Quantity | None:
    """A number in words, from the first word on."""
    negative = text.startswith("minus ")
    words = text.removeprefix("minus ").replace("-", " ").split(" ")
    total = group = used = 0
    last = ""
    for place, word in enumerate(words):
        if word == "and" and used and place + 1 < len(words) and words[place + 1] in WORDS:
            continue
        if word in WORDS and _follows(last, word):
            group += WORDS[word]
        elif word == "hundred" and 0 < group < 10:
            group *= 100
        elif word in SCALES and group:
            total, group = total + group * SCALES[word], 0
        else:
            break
        last, used = word, place + 1
    if not used:
        return None
    value = Fraction(total + group)
    return _with_unit(-value if negative else value, " ".join(words[used:]), about, None, Fraction(1))


def _follows(last: str, word: str) -> bool:
    """Whether a number word goes on with the same number: forty two, a hundred two, but not two two."""
    return last not in WORDS or (WORDS[last] >= 20 and 0 < WORDS[word] < 10)


def _with_unit(value: Fraction, rest: str, about: bool, other: Fraction | None, step: Fraction) -> Quantity | None:
    unit = UNITS.get(rest) or UNITS.get(rest.removesuffix("s"))
    if unit is not None:
        kind, times = unit
        return Quantity(value * times, kind, "", about, None if other is None else other * times, step * times, times)
    rest = rest.removesuffix(" old")
    if not rest:
        return Quantity(value, "", "", about, other, step)
    if UNITS.get(rest.removesuffix("s"), ("",))[0] == "years":
        return _with_unit(value, rest, about, other, step)
    if not _COUNTED.fullmatch(rest) or _NO_NOUN.search(rest):
        return None
    return Quantity(value, "", rest.removesuffix("s"), about, other, step)


def numbers(words: list[str]) -> Iterator[Quantity | None]:
    """For each word what it amounts to; None where it is no number."""
    for word in words:
        found = quantity(word) if word[:1].isdigit() or word in WORDS else None
        yield found if found is not None and not found.counted else None
