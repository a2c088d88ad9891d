"""What is known in memory of a row that has a vector."""

from __future__ import annotations


class Slot:
    """Changed by the one thread that owns the rows, and by nobody else."""

    __slots__ = ("id", "place", "scope", "size")

    def __init__(self, id: int, scope: bytes, size: int) -> None:
        self.id, self.scope = id, scope
        self.size = size
        """Bytes, as the budget counts them."""
        self.place = -1
        """Where it stands in the index of its scope; -1: it is in none."""
