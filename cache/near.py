"""What lies near a question, and what is kept so that it can: the values between the semantic layer and its store."""

from __future__ import annotations

from typing import NamedTuple

from adapters.embedder import Matrix
from cache.entry import Entry

Observed = tuple[tuple[float, bool], ...]
"""What was learned of one entry: how likely its answer was taken to be right for a question (the verifier's score, or
where there is none the similarity), and whether it was. The oldest first."""


class Near(NamedTuple):
    """An entry near a question; its answer is fetched when it is to be served."""

    id: int
    """Never 0, and never used twice in the life of a store."""
    similarity: float
    """Cosine, at most 1."""
    text: str
    """The question that the entry answers."""
    stored_at: float
    expires_at: float
    observed: Observed = ()


class Kept(NamedTuple):
    """A question and its answer, on their way into the store."""

    scope: bytes
    """32 bytes (`cache.key.scope_of`): an entry is only ever near to questions of the same scope."""
    route: str
    """What reports tell apart and breakers open (`cache.semantic.route_of`); for reports."""
    text: str
    vector: Matrix
    """(dimension,), of length 1."""
    entry: Entry
    """The answer. Its `key` is the exact key of the request; a scope holds at most one entry of a key, the latest. Its
    `tenant` is the only one who may delete it, report it, or read it."""


class Judgement(NamedTuple):
    """One lookup that found something which was, or would have been, served."""

    at: float
    """Unix time."""
    route: str
    mode: str
    """`shadow`, `on` (a served hit that was not looked into), `audit` (one that was asked again in the background),
    `explored` (asked although it was near, to learn of it), `feedback` (somebody told)."""
    entry: int
    similarity: float
    score: float | None
    """How likely the verifier took the answer to be right; None where none was asked."""
    correct: bool | None
    """None: nobody judged it, it counts as a hit only."""
    how: str = ""
    """By what: `same answer`, `model`, `feedback`, ..."""


class Tally(NamedTuple):
    """What was counted on one route since the store was made."""

    lookups: int = 0
    """Questions for which something near was looked for."""
    hits: int = 0
    """Those that were answered, or would have been."""
