"""The provider of a replay: the simulated prompt caches of its models, and what became of what was written to them.

An entry can be read from the first content of its writer on, later by the provider's lag. Beside the bill it is told
why a token was not read (`CAUSES`), by memory of all that was ever sent, and which writes nobody ever read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from adapters.prices import Prices
from adapters.profiles import Multipliers, Profile, multipliers, profile_of
from adapters.prompt import Billed, Point, Prompt, PromptCache
from adapters.prompt_caches import prompt_cache_of
from adapters.prompt_entries import digest_at, tokens_at
from adapters.usage import Usage
from proxy.replay_outcome import Outcome, Sent, sent
from proxy.replay_prompts import MARKED

ENTRIES = 300_000
"""Of a simulated cache."""


class Model(NamedTuple):
    """A model as a provider knows it."""

    name: str
    profile: Profile
    prices: Multipliers | None
    cache: PromptCache

    @property
    def life(self) -> float:
        """Seconds that an entry lives; for ever where nothing is promised."""
        return float(self.profile.life.seconds) if self.profile.life is not None else float("inf")


class Stamp(NamedTuple):
    """When a point was sent last."""

    begun: float
    readable_at: float


class Entry:
    """Something written, until it is read."""

    __slots__ = ("dollars", "parent", "read", "tokens")

    def __init__(self, tokens: int, dollars: float, parent: Entry | None) -> None:
        self.tokens, self.dollars, self.parent, self.read = tokens, dollars, parent, False


class Provider:
    def __init__(
        self, prices: Prices, outcome: Outcome, *, hit: float = 1.0, chance: Callable[[], float] | None = None
    ) -> None:
        """`hit`: probability that a best-effort cache has what it should; `chance` gives numbers from 0 to 1."""
        self._prices, self._outcome, self._hit, self._chance = prices, outcome, hit, chance
        self._models: dict[str, Model] = {}
        self._seen: dict[bytes, Stamp] = {}
        self._written: dict[bytes, Entry] = {}
        self._before: dict[int, tuple[int, int]] = {}
        """Of the last request of each session: how many points it had, and how many tokens."""

    def model(self, name: str) -> Model:
        found = self._models.get(name)
        if found is None:
            profile = profile_of("maker", name)
            cache = prompt_cache_of(profile, chance=self._chance, hit=self._hit, max_entries=ENTRIES)
            found = self._models[name] = Model(name, profile, multipliers(self._prices, name), cache)
        return found

    def send(self, model: Model, prompt: Prompt, tokens: int, output: int, now: float) -> Sent:
        """`tokens`: the length of the prompt, which may go on behind its last point."""
        rest = max(0, tokens - prompt.tokens)
        self._outcome.simulated += 1
        self._outcome.best_effort |= model.profile.best_effort
        expected = sent(_usage(model.cache.lookup(prompt, now), rest, output)) if prompt.points else None
        if expected is None:
            return sent(Usage(tokens, output=output))
        billed = model.cache.lookup_and_store(prompt, now, expected.readable(model.profile, now))
        reply = sent(_usage(billed, rest, output))
        if reply.usage.prompt > reply.usage.uncached:
            self._follow(model, prompt, reply.usage)
        return reply

    def explain(self, model: Model, prompt: Prompt, reply: Sent, session: int, now: float, own: int = 0) -> None:
        """Adds to the outcome why the tokens were not read that were not, and remembers this request. `own`: how many
        points at its end the session does not go on from."""
        usage = reply.usage
        points, misses = prompt.points, self._outcome.misses
        before = self._before.get(session)
        seen, low = self._seen, 0
        high = len(points)
        while low < high:  # where a point was sent, all before it were
            middle = (low + high) // 2
            if points[middle].digest in seen:
                low = middle + 1
            else:
                high = middle
        known = points[low - 1].tokens if low else 0
        if known > usage.read:
            misses[self._cause(model, points[low - 1], prompt.minimum, now)] += known - usage.read
        fresh = max(0, usage.prompt - max(known, usage.read))
        if before is None:
            misses["cold"] += fresh
        else:
            changed = min(fresh, max(0, before[1] - known)) if low < before[0] else 0
            misses["changed"] += changed
            misses["new"] += fresh - changed
        digests, fresh_from = list(map(digest_at, points)), low
        stamp = Stamp(now, reply.readable(model.profile, now))
        if low:
            last = seen[digests[low - 1]]
            if now - last.begun >= model.life:
                fresh_from = 0
            elif last.readable_at <= now:
                seen.update(dict.fromkeys(digests[:low], Stamp(now, now)))
        seen.update(dict.fromkeys(digests[fresh_from:], stamp))
        kept = len(points) - own
        self._before[session] = (kept, points[kept - 1].tokens if kept else 0)

    def _cause(self, model: Model, point: Point, minimum: int, now: float) -> str:
        stamp = self._seen[point.digest]
        if stamp.readable_at > now:
            return "in_flight"
        if point.tokens < minimum:
            return "below_minimum"
        if now - stamp.begun >= model.life:
            return "lapsed"
        return "unmarked" if model.profile.boundary in MARKED else "evicted"

    def _follow(self, model: Model, prompt: Prompt, usage: Usage) -> None:
        """Keeps account of what was written and read."""
        points = prompt.points
        parent = None
        if usage.read:
            parent = self._written.get(points[_at(points, usage.read)].digest)
            entry = parent
            while entry is not None and not entry.read:
                entry.read = True
                entry = entry.parent
        written = usage.read + usage.prompt - usage.uncached - usage.read
        if written <= usage.read:
            return
        rates = self._prices.rates(model.name, usage.prompt)
        dear = sum(
            getattr(usage, life.counted) * (getattr(rates, life.counted) - rates.uncached)
            for life in model.profile.lives
            if rates is not None and life.counted != "uncached"
        )
        each = dear / (written - usage.read)
        begin, end = bisect_right(points, usage.read, key=tokens_at), _at(points, written)
        behind = usage.read
        for index in range(begin, end + 1):
            point = points[index]
            if point.mark or index == end:
                self._lost(self._written.get(point.digest))
                size = point.tokens - behind
                parent = self._written[point.digest] = Entry(size, size * each, parent)
                behind = point.tokens

    def _lost(self, entry: Entry | None) -> None:
        if entry is not None and not entry.read:
            self._outcome.unread += entry.tokens
            self._outcome.unread_dollars += entry.dollars

    def close(self) -> None:
        """What was written last and not read will not be read any more."""
        for entry in self._written.values():
            self._lost(entry)
        self._written.clear()


def _usage(billed: Billed, rest: int, output: int) -> Usage:
    return Usage(
        uncached=billed.uncached + rest,
        read=billed.read,
        write_5m=billed.write_5m,
        write_1h=billed.write_1h,
        output=output,
        write_30m=billed.write_30m,
        write_12h=billed.write_12h,
    )


def _at(points: Sequence[Point], tokens: int) -> int:
    """The index of the last point of that many tokens at most."""
    return max(0, bisect_right(points, tokens, key=tokens_at) - 1)
