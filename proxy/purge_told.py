"""What came of an invalidation, as the status and the JSON of an answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from adapters.errors import Refused
from cache.invalidation import Invalidation
from cache.invalidator import Matching, Outcome
from cache.replicas import Reached

Told = dict[str, Any]


NOTHING = Outcome()
"""What came of it where nothing was to be done."""


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Several as one, which is as good as the worst of them."""
    reached = [each.reached for each in outcomes]
    return Outcome(
        removed=sum([each.removed for each in outcomes]),
        semantic=sum([each.semantic for each in outcomes]),
        reached=Reached(
            complete=all(each.complete for each in reached),
            missing=tuple(dict.fromkeys([name for each in reached for name in each.missing])),
            why=next((each.why for each in reached if each.why), ""),
        ),
        failed=any(each.failed for each in outcomes),
    )


class Answered(NamedTuple):
    status: int
    told: Told


def done(outcome: Outcome, *, more_semantic: int = 0) -> Answered:
    """200; 202 where a replica has not confirmed yet that it serves nothing of it any more. Raises `Refused` (503)
    where a level failed. `more_semantic`: rows that went before."""
    if outcome.failed:
        told = "a level failed: what is known is not served again, but something may be left in it; try again"
        raise Refused(503, told, kind="api_error", code="level_failed")
    semantic = outcome.semantic + more_semantic
    counts = {"deleted": outcome.removed + semantic, "semantic": semantic, "exact": outcome.removed}
    status, reached = reach(outcome.reached)
    return Answered(status, counts | reached)


def reach(reached: Reached) -> Answered:
    """How far it came."""
    told: Told = {"complete": reached.complete, "missing": list(reached.missing)}
    if reached.why:
        told["why"] = reached.why
    return Answered(200 if reached.complete else 202, told)


def would_go(matching: Matching) -> Answered:
    """A dry run. `would_delete` counts what the levels of this process hold."""
    told = {"dry_run": True, "would_delete": len(matching.keys), "examples": list(matching.examples)}
    return Answered(200, told)


class Invalidates(Protocol):
    """Removes from every level, the semantic cache included, here and at every replica (`cache.invalidator`)."""

    async def invalidate(self, what: Invalidation) -> Outcome: ...

    async def matching(
        self,
        tenant: str | None,
        *,
        pattern: str = "",
        labels: Sequence[str] = (),
        namespaces: Sequence[str] = (),
    ) -> Matching:
        """What any of these takes. `pattern`: of names `NAMESPACE/KEY`, with `*` and `?`. Raises `BadPattern`."""

    async def event(self, kind: str, facts: Mapping[str, str], tenant: str | None) -> Outcome:
        """Raises `UnknownEvent`, `BadEvent`."""
