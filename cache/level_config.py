"""What a program says of each level when it makes a cache of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import isfinite
from pathlib import Path

from cache.level import Eviction, Share


class EvictionPolicy(Enum):
    """Who goes first when a level is full: the least recently read, the least often read, the first kept, the next to
    expire."""

    LRU = "lru"
    LFU = "lfu"
    FIFO = "fifo"
    TTL = "ttl"


class WritePolicy(Enum):
    """`cache.tier_options.Options.policy` says what each means."""

    WRITE_THROUGH = "write_through"
    WRITE_BACK = "write_back"
    WRITE_AROUND = "write_around"


@dataclass(frozen=True, slots=True)
class CacheLevelConfig:
    """One level: the first is memory, the second a file on the local disk, the third what the server at `url` keeps.
    Policies may be given by their names. Raises ValueError for what makes no sense."""

    max_size: int = 1000
    """Entries."""
    ttl: float = 300.0
    """Seconds."""
    eviction_policy: EvictionPolicy | str = EvictionPolicy.LRU
    enable_persistence: bool = False
    """Of the second level: its file is kept. Without it the file is a temporary one, and goes when the cache closes."""
    persistence_path: str | Path | None = None
    """The file; other processes may use it at the same time."""
    max_bytes: int | None = None
    """Without it 64 MiB of memory, 1 GiB of a disk, and of a server what it has."""
    namespaces: Mapping[str, Share] = field(default_factory=dict)
    """What single namespaces may take of the level."""
    url: str | None = None
    """`redis://`, `rediss://` or `unix://`."""
    prefix: str = "warmgate"
    """What the names of all keys at the server begin with."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "eviction_policy", _policy(self.eviction_policy))
        if not _whole(self.max_size) or self.max_size < 1:
            raise ValueError(f"max_size has to be 1 entry or more, not {self.max_size!r}")
        if self.max_bytes is not None and (not _whole(self.max_bytes) or self.max_bytes < 1):
            raise ValueError(f"max_bytes has to be 1 or more, not {self.max_bytes!r}")
        seconds(self.ttl, "ttl")
        if self.enable_persistence and self.persistence_path is None:
            raise ValueError("enable_persistence needs a persistence_path")
        for name, share in self.namespaces.items():
            if share.ttl is not None:
                seconds(share.ttl, f"ttl of {name!r}")

    @property
    def order(self) -> Eviction:
        return EvictionPolicy(self.eviction_policy).value

    @property
    def path(self) -> Path | None:
        """None: a temporary file."""
        return Path(self.persistence_path) if self.enable_persistence and self.persistence_path is not None else None


def seconds(value: object, name: str) -> float:
    """Raises ValueError for 0, less, and what is no number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        raise ValueError(f"{name} has to be more than 0 seconds, not {value!r}")
    return float(value)


def known_policy(value: WritePolicy | str) -> WritePolicy:
    try:
        return WritePolicy(value)
    except ValueError:
        names = ", ".join(each.value for each in WritePolicy)
        raise ValueError(f"no write policy is called {value!r}: there are {names}") from None


def _policy(value: EvictionPolicy | str) -> EvictionPolicy:
    try:
        return EvictionPolicy(value)
    except ValueError:
        names = ", ".join(each.value for each in EvictionPolicy)
        raise ValueError(f"no order of eviction is called {value!r}: there are {names}") from None


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
