"""What was decided about the entries near a question."""

from __future__ import annotations

from typing import NamedTuple

from cache.near import Near
from cache.veto import Veto


class Opinion(NamedTuple):
    """Of one entry."""

    near: Near
    score: float | None
    """How likely its answer is right for the question that was asked; None where a guard vetoed it first."""
    vetoes: tuple[Veto, ...] = ()


class Verdict(NamedTuple):
    served: Near | None = None
    """The entry whose answer may be served; None: refused, or there is nothing near."""
    why: str = ""
    """Why not, for people: `nothing near`, `numbers: 12 / 15`, `score 0.91 below 0.97`; empty where one is served."""
    score: float | None = None
    """Of the entry that is served, or of the best one that was refused."""
    threshold: float = 1.0
    """What the score had to reach."""
    opinions: tuple[Opinion, ...] = ()
    """Of all that were near, the best one first."""
    spent: float = 0.0
    """US dollars that deciding it cost, such as for embeddings of words."""

    @property
    def nearest(self) -> Near | None:
        """The entry that is served, or that came closest to it."""
        return self.opinions[0].near if self.opinions else None
