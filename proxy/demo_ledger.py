"""What the demo measured, and what did not hold."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Layer:
    """What one layer answered: seconds per request as the client saw them and in the proxy alone, and tokens."""

    name: str
    seconds: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)
    tokens: int = 0


@dataclass
class Ledger:
    layers: dict[str, Layer] = field(default_factory=dict)
    dollars: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    """Spent or saved, and by whom, as the proxy's own metrics say."""
    failures: list[str] = field(default_factory=list)

    def note(self, headers: Any, seconds: float, usage: Any) -> str:
        status = headers.get("cache-status", "")
        name = layer_of(status)
        layer = self.layers.setdefault(name, Layer(name))
        layer.seconds.append(seconds)
        layer.inside += [float(ms) / 1000 for ms in re.findall(r"warmgate;dur=([\d.]+)", headers["server-timing"])]
        layer.tokens += usage.total_tokens if usage else 0
        return name

    def expect(self, held: bool, what: str) -> None:
        if not held:
            self.failures.append(what)


def layer_of(cache_status: str) -> str:
    if "hit" in cache_status:
        return "L2 disk" if "detail=l2" in cache_status else "L1 memory"
    return "coalesced" if "collapsed" in cache_status else "provider"
