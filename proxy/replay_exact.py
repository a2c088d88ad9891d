"""The exact cache of a replay: as the live one, with what a recording can't know counted against it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from proxy.replay_facts import Fact


class Kept(NamedTuple):
    answer: bytes | None
    ts: float | None
    ttl: float | None


class ExactCache:
    def __init__(self, ttl: float | None) -> None:
        """`ttl`: seconds that an answer is kept; None: for ever."""
        self._ttl = ttl
        self._answers: dict[bytes, Kept] = {}
        self._diverged: set[int] = set()
        """Sessions that were served an answer other than the recorded one: what they asked later is not certain."""

    def ask(self, fact: Fact, variant: int, now: float) -> Literal["hit", "uncertain", "miss"]:
        """What became of the request. One that is no hit goes to the provider, and its answer is kept at once: equal
        requests in flight share it. `variant`: the number of the branch. `now` counts where the fact has a time."""
        if fact.key is None:
            return "miss"
        key = fact.key + b"%d" % variant if variant else fact.key
        ts = now if fact.ts is not None else None
        kept, found = self._answers.get(key), False
        if kept is not None and _serves(kept, fact, ts):
            if fact.session not in self._diverged:
                if kept.answer is None or kept.answer != fact.answer:
                    self._diverged.add(fact.session)
                return "hit"
            found = True
        if fact.storable and fact.session not in self._diverged:
            asked = fact.controls.ttl
            self._answers[key] = Kept(fact.answer, ts, asked if asked is not None else self._ttl)
        return "uncertain" if found else "miss"


def _serves(kept: Kept, fact: Fact, ts: float | None) -> bool:
    if fact.controls.no_cache:
        return False
    if kept.ts is None or ts is None:
        return True
    limits = [limit for limit in (kept.ttl, fact.controls.max_age) if limit is not None]
    return all(ts - kept.ts < limit for limit in limits)
