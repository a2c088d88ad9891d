"""What is configured for the warming of prompt caches."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """Times in seconds. The names are those of the configuration, where each is explained."""

    observed: str = "leader"
    declared: str = "call"
    breakpoints: bool = True
    ttl: str = "5m"
    deadline: float = 10.0
    gather: float = 0.5
    stream_leaders: bool = True
    dollars: float = 1.0
    """That all pings of this process may cost."""
    keep: bool = False
    """Whether prefixes that traffic comes back to are kept warm."""
