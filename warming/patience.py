"""How long it is worth waiting for a flight: twice the time that nearly all prompts of its model take to be read.

A wait costs time, and letting go costs money; a leader that takes much longer than others do has probably stalled. The
rule is min(2 p95 of the time to first content, the configured deadline). Pure.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque

SAMPLES = 64
"""Of a model, the latest."""

ENOUGH = 8
"""Before that many are known, the deadline alone counts."""

SHORTEST = 1.0
"""Seconds: a prompt may be longer than those before it."""

REMEMBERED = 1024
"""Models; their names are the client's to choose."""


class Patience:
    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def came(self, model: str, seconds: float) -> None:
        """The first content of a request of this model came after so many."""
        seen = self._seen.setdefault(model, deque(maxlen=SAMPLES))
        seen.append(seconds)
        self._seen.move_to_end(model)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def of(self, model: str) -> float:
        """Seconds to wait for one flight of this model."""
        seen = self._seen.get(model, ())
        if len(seen) < ENOUGH:
            return self._deadline
        slow = sorted(seen)[math.ceil(0.95 * len(seen)) - 1]
        return min(self._deadline, max(SHORTEST, 2 * slow))
