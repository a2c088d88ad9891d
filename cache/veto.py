"""The word of a guard: why the answer to one question may not be the answer to another."""

from __future__ import annotations

from typing import NamedTuple


class Veto(NamedTuple):
    guard: str
    """`numbers`, `units`, `dates`, `code`, `payload`, `negation`, ..."""
    here: tuple[str, ...]
    """What the question that was asked has and the other has not; may be empty."""
    there: tuple[str, ...]
    """The reverse."""

    def __str__(self) -> str:
        """`numbers: 12 / 15`; `-` where one side has nothing of the kind."""
        return f"{self.guard}: {_told(self.here)} / {_told(self.there)}"


TOLD, LONG = 4, 24


def _told(words: tuple[str, ...]) -> str:
    short = [word if len(word) <= LONG else f"{word[: LONG - 1]}…" for word in words[:TOLD]]
    return (" ".join(short) + (" …" if len(words) > TOLD else "")) or "-"
