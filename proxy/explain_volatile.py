"""Whether a difference between two prompts is one that comes anew each time: a time stamp, an id, a counter.

By patterns alone, at the one place where two texts begin to differ: both must hold a thing of one kind there, begun at
the same character. Names of months and days are those of a dozen languages. A number counts only where the rest of its
line is the same, since code and tables are edited in their numbers, too. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

REACH = 120
"""Characters before and after the difference that are looked at: client text must not cost more than this."""

KINDS = {
    "time": "a date or a time of day",
    "uuid": "a UUID",
    "id": "a random id",
    "counter": "a number",
}
"""What a volatile difference can be, in the order of what says most."""

_MONTHS = """
january february march april may june july august september october november december
jan feb mar apr jun jul aug sep sept oct nov dec
januar februar märz mai juni juli oktober dezember jänner mrz okt dez
janvier février mars avril juin juillet août septembre octobre novembre décembre janv févr avr juil déc
enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre ene abr ago dic
janeiro fevereiro março maio junho julho setembro outubro novembro dezembro fev
gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre gen mag giu lug ott
januari februari maart mei augustus
stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
januari februari mars april maj juni juli augusti
tháng
"""

_DAYS = """
monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag
lundi mardi mercredi jeudi vendredi samedi dimanche
lunes martes miércoles jueves viernes sábado domingo
segunda-feira terça-feira quarta-feira quinta-feira sexta-feira
lunedì martedì mercoledì giovedì venerdì sabato domenica
maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
poniedziałek wtorek środa czwartek piątek sobota niedziela
понедельник вторник среда четверг пятница суббота воскресенье
pazartesi salı çarşamba perşembe cuma cumartesi pazar
måndag tisdag onsdag torsdag fredag lördag söndag
"""


def _any(words: str) -> str:
    return "(?:" + "|".join(sorted(set(words.split()), key=lambda word: (-len(word), word))) + ")"


_MONTH, _DAY = _any(_MONTHS), _any(_DAYS)
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:\s?[ap]\.?m\b\.?)?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[A-Z]{3,4}|[+-]\d{2}:?\d{2}))?"
_NUMERIC = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})"
_EAST = r"\d{2,4}\s?[年년]\s?\d{1,2}\s?[月월]\s?\d{1,2}\s?[日号일]?"

_patterns: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("time", rf"(?<![\w]){_NUMERIC}(?:[T ,]+{_CLOCK})?{_ZONE}(?!\w)"),
        ("time", rf"{_EAST}(?:\s?[上下午前後전후오]*\s?\d{{1,2}}[:時时시点]\s?\d{{1,2}}[分분]?)?"),
        ("time", r"\d{1,2}\s?[時时시点]\s?\d{1,2}\s?[分분]"),
        ("time", rf"(?<!\w){_DAY}(?!\w)(?:,?\s+(?:{_MONTH}|\d{{1,2}})[^\n]{{0,40}}?\d{{4}})?"),
        ("time", rf"(?<!\w){_MONTH}\.?\s+\d{{1,4}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?(?:[ ,]+(?:at\s)?{_CLOCK})?"),
        ("time", rf"(?<!\w)\d{{1,2}}(?:st|nd|rd|th|\.|º)?\s+(?:de\s)?{_MONTH}(?!\w)(?:\s+(?:de\s)?\d{{4}})?"),
        ("time", rf"(?<![\w:.]){_CLOCK}{_ZONE}(?![\w:])"),
        ("time", r"(?<!\w)\d{1,2}\s?h\s?\d{2}(?!\w)"),
        ("time", r"(?<![\w.-])1[0-9]{9}(?:\d{3}|\.\d{1,7}|\d{6}|\d{9})?(?![\w-])"),  # the epoch, to the year 2033
        ("time", r"(?<!\w)(?:19|20)\d{6}[T_-]?\d{6}(?:Z|(?!\w))"),
        ("uuid", r"(?<!\w)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?!\w)"),
        ("id", r"(?<![\w])[a-z]{2,12}[_-](?=[a-z_-]*\d)[a-z0-9]{8,64}(?!\w)"),
        ("id", r"(?<!\w)(?=[a-z0-9]{0,24}\d)(?=[0-9]{0,24}[a-z])[a-z0-9]{10,64}(?!\w)"),
        ("id", r"(?<![\w/+-])(?=[\w+/-]*\d)(?=[\w+/-]*[a-z])[\w+/-]{20,86}={0,2}(?![\w/+=-])"),
        ("counter", r"(?<![\w.])[0-9]+(?:[ ,._'][0-9]{3})*(?:\.[0-9]+)?%?(?![\w])"),
    )
)


def volatile(before: str, now: str, offset: int) -> str:
    """The kind (of `KINDS`) of what differs at `offset`, the first character in which the texts differ; empty where it
    looks like something that somebody wrote."""
    start = max(0, offset - REACH)
    old, new = before[start : offset + REACH], now[start : offset + REACH]
    at = offset - start
    for kind, begin, was in _things(old, at):
        for other, begun, became in _things(new, at):
            alike = (kind, begin) == (other, begun) and was != became
            if alike and (kind in ("time", "uuid") or _rest_agrees(before, now, offset)):
                return kind
    return ""


def _things(text: str, at: int) -> Iterator[tuple[str, int, str]]:
    """Kind, beginning and text of everything volatile that lies across that character, or ends right before it."""
    for kind, pattern in _patterns:
        for match in pattern.finditer(text):
            if match.start() <= at <= match.end():
                yield kind, match.start(), match[0]
            elif match.start() > at:
                break


def _rest_agrees(before: str, now: str, offset: int) -> bool:
    """Whether the two lines are the same but for what is volatile in them."""
    return _masked(before, offset) == _masked(now, offset)


def _masked(text: str, offset: int) -> str:
    start = max(text.rfind("\n", 0, offset) + 1, offset - REACH)
    end = text.find("\n", offset)
    line = text[start : end if 0 <= end < offset + REACH else offset + REACH]
    for kind, pattern in _patterns:
        line = pattern.sub(f"<{kind}>", line)
    return line[:REACH]
