from __future__ import annotations

import pytest

from cache.promotion import Reads


@pytest.mark.parametrize(
    ("after", "seen"), [(0, [False] * 5), (1, [True] * 5), (2, [False, True] * 2), (3, [False, False, True] * 2)]
)
def test_so_many_reads_move_it_and_then_it_begins_anew(after: int, seen: list[bool]) -> None:
    reads = Reads(after)
    assert [reads.enough(b"a") for _ in seen] == seen


def test_keys_are_counted_apart() -> None:
    reads = Reads(2)
    assert [reads.enough(key) for key in (b"a", b"b", b"a", b"b")] == [False, False, True, True]


def test_only_so_many_keys_are_remembered() -> None:
    reads = Reads(2, counted=3)
    for number in range(100):
        reads.enough(b"%d" % number)
    assert len(reads) == 3
    assert reads.enough(b"99") is True
    assert reads.enough(b"0") is False
