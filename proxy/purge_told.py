"""What came of an invalidation, as the status and the JSON of an answer. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from adapters.errors import Refused
from cache.invalidation import Invalidation
from cache.replicas import Reached

EXAMPLES = 10
"""Names that a dry run tells."""

Told = dict[str, Any]


class Outcome(Protocol):
    """Of an invalidation (`cache.invalidator`)."""

    @property
    def removed(self) -> int:
        """Entries that the levels had here."""

    @property
    def semantic(self) -> int: ...
    @property
    def reached(self) -> Reached: ...
    @property
    def failed(self) -> bool:
        """A level could not remove what it has; what is known of it is not served."""


class Matching(Protocol):
    """What an invalidation would take."""

    @property
    def keys(self) -> Collection[bytes]: ...
    @property
    def examples(self) -> Collection[str]: ...


class Held(NamedTuple):
    """Entries that are known one by one."""

    keys: Collection[bytes]
    examples: Collection[str]


class Sum(NamedTuple):
    """Several outcomes as one; of none, that nothing was to be done."""

    removed: int = 0
    semantic: int = 0
    reached: Reached = Reached(complete=True)
    failed: bool = False

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Sum:
        reached = [each.reached for each in outcomes]
        return cls(
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
    examples = [*matching.examples][:EXAMPLES]
    return Answered(200, {"dry_run": True, "would_delete": len(matching.keys), "examples": examples})


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
        """What any of these takes. `pattern`: of names `NAMESPACE/KEY`, with `*` and `?`."""

    async def event(self, kind: str, facts: Mapping[str, str], tenant: str | None) -> Outcome:
        """Raises `LookupError` for a kind that nobody knows, `ValueError` for facts that it can't use."""
