"""The most hits that any cache of a size could have had, had it known what comes. Pure.

The rule of Belady (IBM Systems Journal 5(2), 1966): who is needed again last goes. Here what has just come may go as
well, because a cache need not keep it; so this bounds also policies that refuse. A miss always costs one load, all
entries are of one size, and nothing expires.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from heapq import heappop, heappush


def next_uses(keys: Sequence[Hashable]) -> list[int]:
    """For each access the place of the next one to the same key; `len(keys)` where there is none."""
    after: dict[Hashable, int] = {}
    uses = [len(keys)] * len(keys)
    for place in range(len(keys) - 1, -1, -1):
        uses[place] = after.get(keys[place], len(keys))
        after[keys[place]] = place
    return uses


def optimum(keys: Sequence[Hashable], size: int) -> int:
    """Hits of the best cache of `size` entries, which is empty first. O(n log n)."""
    uses = next_uses(keys)
    held: dict[Hashable, int] = {}
    latest: list[
        tuple[int, int]
    ] = []  # (-next use, place of the access that said so); old lines stay until they surface
    hits = 0
    for place, key in enumerate(keys):
        if key in held:
            hits += 1
        if uses[place] == len(keys) or size < 1:
            held.pop(key, None)
            continue
        held[key] = uses[place]
        heappush(latest, (-uses[place], place))
        while len(held) > size:
            use, said = heappop(latest)
            if held.get(keys[said]) == -use:
                del held[keys[said]]
    return hits
