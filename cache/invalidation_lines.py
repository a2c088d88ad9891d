"""How invalidations stand in the file that workers share: its header, and lines with numbers. Pure."""

from __future__ import annotations

from cache.invalidation import Invalidation

MAGIC = b"warmgate log  1\n"
"""The version is part of it: a file of another one is set aside."""

HEADER = 64
"""Bytes: the magic, then numbers of eight bytes in the order of this machine, which alone reads them."""

COUNT, BASE = 2, 3
"""Which of the header's numbers: of the last line that counts, and of the one before the first in the file."""

GONE = 1 << 63
"""Stands in the count of a file that has been set aside."""


class Unheard(Exception):
    """The lines are not those that the header counts."""


def header() -> bytes:
    return MAGIC.ljust(HEADER, b"\0")


def sound(start: bytes) -> bool:
    """Whether a file that begins so is a log of this version."""
    return len(start) >= HEADER and start.startswith(MAGIC)


def line_of(what: Invalidation, number: int, longest: int) -> bytes:
    """One that would be longer stands for everything of its tenant, which is more, and true as well."""
    line = _line(what, number)
    return line if len(line) <= longest else _line(Invalidation(tenant=what.tenant, everything=True), number)


def _line(what: Invalidation, number: int) -> bytes:
    return b'{"n":%d,%b\n' % (number, what.told()[1:])


def lines_of(data: bytes, first: int, last: int) -> tuple[list[Invalidation], int]:
    """The lines of these numbers, with which the bytes have to begin, and how many bytes they take. What comes after
    is not looked at: it is not finished. Raises `Unheard`."""
    found = []
    start = 0
    for number in range(first, last + 1):
        end = data.find(b"\n", start) + 1
        if not end or not data.startswith(b'{"n":%d,' % number, start):
            raise Unheard(f"line {number} of {last} is not there")
        try:
            found.append(Invalidation.heard(data[start:end]))
        except ValueError as error:
            raise Unheard(f"line {number}: {error}") from error
        start = end
    return found, start
