"""What the header lines and the query of a request for a value say. Pure; what can't be read is refused (400)."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from multidict import MultiMapping

from adapters.errors import Refused
from cache.labels import ENTRY, FILE, LONGEST, MOST, BadLabel, tag_of, tags_of
from proxy.value_path import Place, parted, text_of

TAGS, DEPENDS, MARK = "Cache-Tags", "X-Warmgate-Depends", "X-Warmgate-Mark"

BYTES = "application/octet-stream"
"""Of a value that came without a `Content-Type`."""

LONGEST_PATH = 4096
"""Characters (PATH_MAX of Linux)."""

_TYPE = re.compile(r"[\x20-\x7e]{1,256}")
_SECONDS = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[0-9]{1,19}")
"""Nanoseconds since 1970 have 19 digits until the year 2286."""
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_MARK = re.compile(r"[0-9A-Za-z_-]{1,64}")


class File(NamedTuple):
    path: str
    """Absolute."""
    mtime_ns: int | None = None
    """When it was changed last, in nanoseconds since 1970, as it was read."""
    size: int | None = None
    """Bytes that it had then."""


class Answer(NamedTuple):
    key: bytes
    """Of an answer of a model, as `Cache-Status` and explain tell it."""


class Named(NamedTuple):
    label: str
    """`prompt:support`: a thing in the words of the configuration."""


Depend = File | Place | Answer | Named


class Wish(NamedTuple):
    """What a PUT says beside its body."""

    content_type: str
    ttl: float | None
    """Seconds; 0: not to be kept. None: as configured."""
    tags: tuple[str, ...]
    depends: tuple[Depend, ...]
    mark: str
    """What the answer to the GET told from which the making of this value began; empty: nothing."""


class Conditions(NamedTuple):
    """Of a request (RFC 9110 §13.1): ETags, with `*` for any; None where nothing is asked."""

    match: tuple[str, ...] | None
    none_match: tuple[str, ...] | None

    def fails(self, etag: str | None) -> bool:
        """Whether something must not be changed. `etag`: of what there is now, None where there is nothing."""
        return not self.matched(etag) or self.known(etag)

    def matched(self, etag: str | None) -> bool:
        """Whether it is what the client takes it for."""
        return self.match is None or (etag is not None and ("*" in self.match or etag in self.match))

    def known(self, etag: str | None) -> bool:
        """Whether the client has what there is now."""
        if self.none_match is None or etag is None:
            return False
        return "*" in self.none_match or etag in [each.removeprefix("W/") for each in self.none_match]


def joined(headers: MultiMapping[str], name: str) -> str | None:
    """The lines of this name as one. Raises `Refused` where they are no text."""
    lines = headers.getall(name, None)
    if lines is None:
        return None
    text = ", ".join(lines)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused(400, f"`{name}` is not UTF-8", param=name)
    return text


def wish_of(headers: MultiMapping[str], query: str, longest: int) -> Wish:
    """`longest`: bytes of a key that this may depend on."""
    if "Content-Range" in headers:
        raise Refused(400, "a value is put as a whole", param="Content-Range")
    mark = joined(headers, MARK) or ""
    if mark and not _MARK.fullmatch(mark):
        raise Refused(400, f"`{MARK}` is what the answer to a GET told", param=MARK)
    given = (_max_age(headers), _ttl(query))
    return Wish(
        content_type=_content_type(headers),
        ttl=min((each for each in given if each is not None), default=None),
        tags=_tags(joined(headers, TAGS) or ""),
        depends=depends_of(joined(headers, DEPENDS) or "", longest),
        mark=mark,
    )


def _content_type(headers: MultiMapping[str]) -> str:
    text = joined(headers, "Content-Type") or BYTES
    if not _TYPE.fullmatch(text):
        raise Refused(400, "`Content-Type` is no media type", param="Content-Type")
    return text


def _tags(header: str) -> tuple[str, ...]:
    try:
        return tags_of(header)
    except BadLabel as error:
        raise Refused(400, str(error), param=TAGS) from None


def _max_age(headers: MultiMapping[str]) -> float | None:
    """Of a PUT, whose author nobody else would ever tell that this was not understood."""
    ages = []
    for part in (joined(headers, "Cache-Control") or "").split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "no-store":
            ages.append(0.0)
        if name.lower() == "max-age":
            if not _WHOLE.fullmatch(value.strip('"')):
                raise Refused(400, "`max-age` must be a whole number of seconds", param="Cache-Control")
            ages.append(float(value.strip('"')))
    return min(ages, default=None)


def _ttl(query: str) -> float | None:
    found = None
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name != "ttl":
            raise Refused(400, "unknown parameter; there is ttl", param=name[:64])
        if found is not None or not _SECONDS.fullmatch(value):
            raise Refused(400, "`ttl` must be a number of seconds, once", param="ttl")
        found = min(float(value), sys.float_info.max)
    return found


def no_query(query: str) -> None:
    """Raises `Refused` where there is one."""
    for name, _ in parse_qsl(query, keep_blank_values=True):
        raise Refused(400, "unknown parameter; there is none here", param=name[:64])


def conditions_of(headers: MultiMapping[str]) -> Conditions:
    return Conditions(_etags(headers, "If-Match"), _etags(headers, "If-None-Match"))


def _etags(headers: MultiMapping[str], name: str) -> tuple[str, ...] | None:
    """As they stand there: a weak one equals none of ours where it has to be the same byte by byte."""
    text = joined(headers, name)
    if text is None:
        return None
    if text.strip() == "*":
        return ("*",)
    found = [each for each in map(str.strip, text.split(",")) if each]
    if not found or not all(map(_ETAG.fullmatch, found)):
        raise Refused(400, f'`{name}` must be ETags as they were told, "..." with their quotation marks', param=name)
    return tuple(found)


def depends_of(text: str, longest: int, param: str = DEPENDS) -> tuple[Depend, ...]:
    """Of a list with commas; each is percent-encoded where it holds commas, semicolons or anything beyond ASCII."""
    found = [each for each in map(str.strip, text.split(",")) if each]
    if len(found) > MOST:
        raise Refused(400, f"a value depends on {MOST} things at most", param=param)
    return tuple(dict.fromkeys([depend_of(each, longest, param) for each in found]))


def depend_of(text: str, longest: int, param: str) -> Depend:
    """One of `file:/absolute/path`, which `;mtime=NANOSECONDS` and `;size=BYTES` may follow as it was read,
    `entry:NAMESPACE/KEY`, `entry:HEX` and a name from the configuration, `prompt:support`."""
    name, semicolon, options = text.partition(";")
    name = text_of(name, param)
    if semicolon and not name.startswith(FILE):
        raise Refused(400, "only a file has options, `;mtime=NANOSECONDS;size=BYTES`", param=param)
    if name.startswith(FILE):
        return _file(name.removeprefix(FILE), options.split(";") if semicolon else [], param)
    if name.startswith(ENTRY):
        other = name.removeprefix(ENTRY)
        return Answer(bytes.fromhex(other)) if _HEX.fullmatch(other) else parted(other, longest, param)
    try:
        return Named(tag_of(name))
    except BadLabel:
        told = f"write file:/PATH, entry:NAMESPACE/KEY or a name of 1 to {LONGEST} characters such as prompt:support"
        raise Refused(400, told, param=param) from None


def _file(path: str, options: Sequence[str], param: str) -> File:
    if not path.startswith("/") or len(path) > LONGEST_PATH or "\0" in path:
        raise Refused(400, "a file is named by its absolute path", param=param)
    told: dict[str, int] = {}
    for option in options:
        name, _, value = option.strip().partition("=")
        if name not in ("mtime", "size") or name in told or not _WHOLE.fullmatch(value):
            raise Refused(400, "a file has the options `;mtime=NANOSECONDS` and `;size=BYTES`", param=param)
        told[name] = int(value)
    return File(path, told.get("mtime"), told.get("size"))
