"""Sizes of levels by how much there is to keep, and times by what kind of data it is. Data only."""

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
    """Seconds for which each level keeps an entry."""

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

TIMES: Mapping[str, Times] = MappingProxyType(
    {
        "real-time": Times(60, 300),
        "tool-results": Times(300, 3_600),
        "configuration": Times(600, 86_400),
        "static": Times(1_800, 604_800),
    }
)
