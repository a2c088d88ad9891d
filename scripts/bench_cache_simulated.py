"""What simulations of the cache have in common: virtual time, and entries for the keys of a trace."""

from __future__ import annotations

from cache.entry import Entry, Shape

MIDNIGHT = 1_767_225_600.0
"""When traces begin; a midnight in UTC."""

ROOM = 1 << 40
"""Bytes, for levels whose budget is in entries."""

NEVER = 1e9
"""Seconds to live of what does not expire within a trace."""

BODY = b"An answer of about a kilobyte, as chat models give most of the time. " * 14


class Clock:
    """Wall-clock seconds by the times of a trace."""

    def __init__(self) -> None:
        self.now = MIDNIGHT

    def __call__(self) -> float:
        return self.now

    def to(self, seconds: float) -> None:
        """That many seconds after the beginning."""
        self.now = MIDNIGHT + seconds


def key_of(number: int) -> bytes:
    return b"%032d" % number


def entry_of(number: int, now: float, life: float) -> Entry:
    return Entry(
        key_of(number), "t", "llm.response", "m", Shape.MESSAGE, 200, (), BODY, True, None, 0.001, now, now + life
    )
