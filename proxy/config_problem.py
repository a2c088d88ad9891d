"""What is wrong with a configuration, and where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.log import redact

Trail = tuple[str | int, ...]
"""The way from the root to a setting: names of sections, positions in lists."""

_PLAIN = re.compile(r"[\w.:/@+-]{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file, counted from 1; line 0 where there is no such thing (a flag, a variable)."""

    source: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. The text never repeats a value: it might be a secret in the wrong place."""

    trail: Trail
    message: str
    place: Place = NOWHERE

    @property
    def path(self) -> str:
        return dotted(self.trail)

    @property
    def line(self) -> int:
        return self.place.line

    @property
    def column(self) -> int:
        return self.place.column

    def __str__(self) -> str:
        """`FILE:LINE:COLUMN: path.to.key: message`, without the parts that there are none of."""
        return redact(": ".join(part for part in (str(self.place), self.path, self.message) if part))


class ConfigError(Exception):
    """Everything that is wrong at once, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.column))
        super().__init__("\n".join(map(str, self.problems)))


def dotted(trail: Trail) -> str:
    """`tenants.keys[0].tenant`"""
    text = ""
    for part in trail:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + shown(part)
    return text


def shown(name: str) -> str:
    """A name out of a file, so that it can't break the line it is printed on."""
    return name if _PLAIN.fullmatch(name) else ascii(name[:64])
