from __future__ import annotations

from cache.memory import Memory
from cache.presets import SIZES, TIMES
from tests.cache.contract import Clock


def test_sizes_are_those_that_were_promised() -> None:
    two = {name: (sizes.l1, sizes.l2) for name, sizes in SIZES.items()}
    assert two == {
        "small": (500, 5_000),
        "medium": (1_000, 10_000),
        "large": (5_000, 50_000),
        "memory-constrained": (500, 20_000),
    }
    assert all(sizes.l3 == 10 * sizes.l2 for sizes in SIZES.values())


def test_times_are_those_that_were_promised() -> None:
    minute, hour, day = 60, 3600, 86400
    assert dict(TIMES) == {
        "real-time": (minute, 5 * minute),
        "tool-results": (5 * minute, hour),
        "configuration": (10 * minute, day),
        "static": (30 * minute, 7 * day),
    }


def test_levels_take_them() -> None:
    for sizes in SIZES.values():
        for times in TIMES.values():
            assert Memory(sizes.l1, 1 << 20, times.l1, Clock()).max_size == sizes.l1
