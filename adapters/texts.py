"""What two texts have in common."""

from __future__ import annotations


def common_prefix(a: str, b: str) -> int:
    """How many characters both begin with. By halves: comparing slices runs in C, comparing characters one by one would
    not."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
