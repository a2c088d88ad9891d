"""The proxy's own decision as a policy for a stream.

At another threshold the decision itself is asked again: it may look up more where more depends on it, so what it said
at one threshold does not tell what it would say at another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf

from cache.near import Near
from cache.verdict import Verdict
from proxy.semantic_stream import Candidate, Choose

Decide = Callable[[str, Sequence[Near]], Awaitable[Verdict]]
"""Of a question, among the entries near to it, the most similar first: guards, verifier, threshold, as in the proxy."""


def deciding(decide: Decide, texts: Sequence[str]) -> Choose:
    """`texts`: of the questions of the stream."""

    async def choose(place: int, near: Sequence[Candidate]) -> int | None:
        entries = [entry(other, similarity, texts[other]) for other, similarity in near]
        served = (await decide(texts[place], entries)).served
        return None if served is None else served.id - 1

    return choose


def entry(place: int, similarity: float, text: str) -> Near:
    """The place plus one is its id, since that is never 0."""
    return Near(place + 1, similarity, text, 0.0, inf)
