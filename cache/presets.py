"""Sizes of the levels and times of data that fit most uses, as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Sizes(NamedTuple):
    """Entries of each level."""

    l1: int
    l2: int
    l3: int


class Times(NamedTuple):
    """Seconds that data of one kind lives in each level; in L3 as long as in L2."""

    l1: float
    l2: float


SIZES: Mapping[str, Sizes] = MappingProxyType(
    {
        "small": Sizes(500, 5_000, 50_000),
        "medium": Sizes(1_000, 10_000, 100_000),
        "large": Sizes(5_000, 50_000, 500_000),
        "memory-constrained": Sizes(500, 20_000, 200_000),
    }
)
"""By the name of a preset."""

TIMES: Mapping[str, Times] = MappingProxyType(
    {
        "real-time": Times(60.0, 300.0),
        "tool-results": Times(300.0, 3_600.0),
        "configuration": Times(600.0, 86_400.0),
        "static": Times(1_800.0, 7 * 86_400.0),
    }
)
"""By the kind of data."""
