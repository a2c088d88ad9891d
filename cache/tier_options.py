"""How the levels work together: what is written where and when, what moves up, how long anything is kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

Policy = Literal["write_through", "write_back", "write_around"]

NOTHING: Mapping[str, float] = MappingProxyType({})


class Options(NamedTuple):
    policy: Policy = "write_through"
    """`write_through`: into all levels before `put` returns. `write_back`: into memory at once, further down on
    eviction, at every interval, on `flush` and at the end; what memory does not take goes down at once. A process that
    is killed loses what it was given since its last flush. `write_around`: past memory, into which only reading brings
    an entry."""
    flush_interval: float = 5.0
    """Seconds between two flushes."""
    promote_after: int = 3
    """Reads in a lower level after which an entry moves up; 1: at once, 0: never."""
    grace: float = 0.0
    """Seconds for which the levels keep what is no longer fresh."""
    ttls: Mapping[str, float] = NOTHING
    """Seconds by namespace; of others as long as the levels keep anything."""
    settle: float = 30.0
    """Seconds for which what an invalidation covers is not taken from the level that replicas share: longer than
    `Replicas.publish` and the sweep after it may take together."""


def checked(options: Options) -> Options:
    """Raises ValueError for what makes no sense."""
    if options.policy not in get_args(Policy):
        raise ValueError(f"no write policy is called {options.policy!r}: there are {', '.join(get_args(Policy))}")
    if not options.flush_interval > 0:
        raise ValueError("flush_interval has to be more than 0 seconds")
    if options.promote_after < 0:
        raise ValueError("promote_after has to be 0 or more reads")
    if not (options.grace >= 0 and options.settle >= 0):
        raise ValueError("grace and settle have to be 0 or more seconds")
    if any(not ttl > 0 for ttl in options.ttls.values()):
        raise ValueError("the time of a namespace has to be more than 0 seconds")
    return options


def untimed() -> float:
    """The clock of whoever has only levels that never give what is no longer fresh."""
    return float("-inf")
