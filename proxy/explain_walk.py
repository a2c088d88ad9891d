"""Recorded requests one after the other, held against a simulated prompt cache and against those before them.

Each is looked at twice: what the simulated cache of its provider would have let it read, and what of its prompt had
been sent before and could have been read if every byte had stayed in its place. Of a session only its last few
requests are held, of the file digests and lengths. Pure: times are those of the recording.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import msgspec

from adapters.profiles import Life, Profile, profile_of
from adapters.prompt import Billed, Point, Prompt, PromptCache
from adapters.prompt_caches import prompt_cache_of
from adapters.tokens import Counting, estimate, estimate_message
from adapters.unit_cache import UnitCache
from adapters.usage import Usage
from proxy.explain_diff import Difference
from proxy.explain_lengths import Lengths, cached_of
from proxy.explain_place import Place, Seen, marks_of
from proxy.explain_prompt import Shape, agreeing, front_of, heads_agree, points_of, role_of, shape_of
from proxy.importers import OPEN_SESSIONS
from proxy.sessions import Recorded

RECENT = 3
"""Requests of a session that the next one may go on from: clients ask for titles and summaries in between."""

OPENINGS = 8
"""First requests of sessions that the next session is compared with."""

KNOWN_FRONTS = 10_000
"""Beginnings of sessions of which it is remembered what was read."""

PLAUSIBLE = 0.3
"""By how much an estimate may be off for a read to be taken for the length of what was estimated."""

PLACES = 500_000
"""Points whose last use is remembered, at most twice as many."""

CERTAIN = 3
"""Reads from which on what they are all multiples of is taken for the provider's granularity."""

KEEPS_ANSWERS = ("unit", "token")
"""Boundaries of caches that keep the answer of a request behind its prompt (DeepSeek's guide; local engines)."""

DAY = Life("day", 86_400, "uncached")
"""How long units are taken to live: DeepSeek's guide says hours to days."""

AT_ENDS = ("breakpoint", "message")
"""Boundaries of caches that read nothing that ends elsewhere than an entry was written."""

WITHIN = ("unit", "token", "block", "unknown")
"""Boundaries of caches that may read a part of a message."""


class Look(NamedTuple):
    """One request. Tokens of its prompt; times in seconds."""

    recorded: Recorded
    session: int
    """Number of the session, in the order in which they begin."""
    follows: bool
    """Whether an earlier request of its session is what it was compared with."""
    profile: Profile
    usage: Usage
    """As recorded; where there is none, what the simulated cache makes of it."""
    predicted: int
    """What the simulated cache lets it read."""
    could: int
    """What stood in an earlier prompt and would have been read had every byte kept its place (and its life lasted)."""
    gap: float | None
    """Since that prefix was last used."""
    life: float | None
    """How long it lives, as far as is known."""
    grain: int
    """What reads are multiples of."""
    front: int
    """Length of tools and system prompt."""
    marked: bool
    """Whether what it could have read was written at all, as far as usage tells."""
    difference: Difference | None
    """To the request that it could have read from."""

    @property
    def slack(self) -> int:
        """Tokens by which a read may miss its mark and still count as right."""
        return max(self.could // 50, self.grain)


@dataclass(slots=True)
class Talk:
    number: int
    recent: list[Seen] = field(default_factory=list)


class Walk:
    def __init__(self, count: Counting = estimate, model: str | None = None) -> None:
        """`count`: tokens of a text. `model`: whose cache is simulated where no usage is recorded; None: each
        request's own."""
        self._count, self._model = count, model
        self._talks: OrderedDict[str, Talk] = OrderedDict()
        self._begun = 0
        self._openings: list[Seen] = []
        self._lengths = Lengths()
        self._used: dict[bytes, float] = {}
        self._caches: dict[str, PromptCache] = {}
        self._grains: dict[str, tuple[int, int]] = {}
        self._fronts: dict[bytes, int] = {}
        """What a session read that begins as others do up to this point, and then goes its own way."""

    def look(self, recorded: Recorded) -> Look | None:
        """The next request of the recording; None where its prompt is not in it."""
        if recorded.body is None and not recorded.links:
            return None
        usage, ts = recorded.usage, recorded.ts
        model = recorded.model if usage is not None or self._model is None else self._model
        profile = profile_of("maker", model)
        shape = shape_of(recorded, profile)
        talk = self._talk(recorded.session)
        like = max(reversed(talk.recent), key=partial(_likeness, shape), default=None)
        points = self._points(recorded, shape, profile, like)
        if like is not None:
            # Never before what it goes on from: clocks are set back.
            ts = like.ts if ts is None else max(ts, like.ts or ts)
            self._learn_answer(like, shape, points, profile)
        total = usage.prompt if usage is not None else points[-1].tokens
        exact = self._lengths.exact(points, total, like.exact if like else ())
        place = Place(shape, exact, like or self._opening(shape), like is not None)
        place.find(self._used, ts, profile)
        marks = marks_of(recorded, profile, place)
        billed = self._simulate(profile, place, marks, ts)
        within = self._within(profile, place, billed)
        grain = self._grain(profile, usage)
        predicted, could = (tokens - tokens % grain for tokens in (billed.read + within, place.could(profile)))
        look = Look(
            recorded=recorded,
            session=talk.number,
            follows=like is not None,
            profile=profile,
            usage=usage or _usage(recorded, billed, within, self._count),
            predicted=predicted,
            could=could,
            gap=place.gap,
            life=_life(profile, like),
            grain=grain,
            front=exact[front_of(shape)].tokens,
            marked=like is None or not _unwritten(like.usage, profile),
            difference=place.change,
        )
        self._remember(talk, Seen(shape, points, exact, look.usage, ts), profile, marks)
        if usage is not None and usage.read and like is None:
            self._learn_front(place, usage.read, profile)
        return look

    def _points(self, recorded: Recorded, shape: Shape, profile: Profile, like: Seen | None) -> list[Point]:
        if recorded.body is None:
            return recorded.links or []
        salt = recorded.tenant.encode("utf-8", "replace")
        return points_of(shape, profile, salt, self._count, (like.shape, like.points) if like else None)

    def _talk(self, name: str) -> Talk:
        talk = self._talks.get(name)
        if talk is None:
            talk = self._talks[name] = Talk(self._begun)
            self._begun += 1
            if len(self._talks) > OPEN_SESSIONS:
                self._talks.popitem(last=False)
        self._talks.move_to_end(name)
        return talk

    def _opening(self, shape: Shape) -> Seen | None:
        return max(reversed(self._openings), key=partial(_likeness, shape), default=None)

    def _learn_answer(self, like: Seen, shape: Shape, points: Sequence[Point], profile: Profile) -> None:
        """Where the next turn is the answer to an earlier request, the end of that is known, too."""
        end = len(like.shape.turns)
        answered = end < len(shape.turns) and role_of(shape.turns[end]) == "assistant"
        if not answered or points[end].digest != like.points[-1].digest:
            return
        digest, ts = points[end + 1].digest, like.ts or 0.0
        if not like.usage.estimated:
            self._lengths.learn(digest, like.usage.prompt + max(0, like.usage.output - like.usage.reasoning))
        if profile.boundary in KEEPS_ANSWERS:
            self._used[digest] = ts
            cache = self._cache(like.shape.model, profile)
            if isinstance(cache, UnitCache):
                cache.end(points[end + 1], ts, ts)
            else:
                cache.lookup_and_store(Prompt(tuple(points[: end + 2]), profile.minimum), ts, ts)

    def _cache(self, model: str, profile: Profile) -> PromptCache:
        cache = self._caches.get(model)
        if cache is None:
            if not profile.lives and profile.boundary == "unit":
                profile = msgspec.structs.replace(profile, lives=(DAY,))
            cache = self._caches[model] = prompt_cache_of(profile)
        return cache

    def _simulate(self, profile: Profile, place: Place, marks: Mapping[int, str], ts: float | None) -> Billed:
        """What the cache of its provider makes of it, if everything is readable at once and nothing is evicted."""
        points = list(place.points)
        for index, mark in marks.items():
            points[index] = points[index]._replace(mark=mark)
        # Without times nothing is ever forgotten: all such requests come at one moment.
        now = ts or 0.0
        cache = self._cache(place.shape.model, profile)
        return cache.lookup_and_store(Prompt(tuple(points), profile.minimum), now, now)

    def _within(self, profile: Profile, place: Place, billed: Billed) -> int:
        """Tokens that are read behind the last whole message that prompts share, up to where the next one differs."""
        change = place.change
        if change is None or change.what not in ("system", "message") or profile.boundary not in WITHIN:
            return 0
        base = place.points[change.turn].tokens
        read = base + int((place.points[change.turn + 1].tokens - base) * change.prefix)
        if not place.follows:
            read = min(self._fronts.get(place.points[change.turn].digest, read), place.points[-1].tokens)
        if profile.boundary == "unit":
            # A common prefix is a unit once it was seen twice.
            alike = sum(agreeing(seen.shape.turns, place.shape.turns) >= change.turn for seen in self._openings)
            readable = alike > 1 and not place.follows
        else:
            readable = place.known == 1 + change.turn and billed.read >= base - base % profile.granularity
        return max(0, read - billed.read) if readable and read >= profile.minimum else 0

    def _learn_front(self, place: Place, read: int, profile: Profile) -> None:
        """What the first request of a session read is the exact length of what sessions have in common, with all that
        the provider renders and a recording does not show."""
        if profile.boundary not in AT_ENDS:
            if place.change is not None and len(self._fronts) < KNOWN_FRONTS:
                self._fronts[place.points[place.change.turn].digest] = read
        elif place.known:
            point = place.points[place.known - 1]
            if abs(point.tokens - read) <= PLAUSIBLE * read:
                self._lengths.learn(point.digest, read)

    def _grain(self, profile: Profile, usage: Usage | None) -> int:
        """The profile's granularity, or what all reads so far are multiples of."""
        if usage is None:
            return profile.granularity
        key = f"{profile.source} {profile.boundary}"
        seen, common = self._grains.get(key, (0, 0))
        if usage.read:
            seen, common = self._grains[key] = seen + 1, math.gcd(common, usage.read)
        return max(profile.granularity if not usage.read % profile.granularity else 1, common if seen > CERTAIN else 1)

    def _remember(self, talk: Talk, seen: Seen, profile: Profile, marks: Mapping[int, str]) -> None:
        if not seen.usage.estimated:
            self._lengths.learn(seen.points[-1].digest, cached_of(seen.usage, profile))
        if not talk.recent:
            self._openings = [*self._openings, seen][-OPENINGS:]
        talk.recent = [*talk.recent, seen][-RECENT:]
        points = seen.points
        if profile.boundary in AT_ENDS:
            points = [points[index] for index in {0, front_of(seen.shape), len(points) - 1, *marks}]
        self._used.update(dict.fromkeys((point.digest for point in points), seen.ts or 0.0))
        if len(self._used) > 2 * PLACES:
            self._used = dict(sorted(self._used.items(), key=lambda item: item[1])[PLACES:])


def _likeness(shape: Shape, seen: Seen) -> tuple[int, bool]:
    return agreeing(seen.shape.turns, shape.turns), heads_agree(seen.shape, shape)


def _life(profile: Profile, like: Seen | None) -> float | None:
    """Seconds that a prefix lives, by what was written last if that is known."""
    usage = like.usage if like is not None else Usage()
    for life in reversed(profile.lives):
        if life.counted != "uncached" and getattr(usage, life.counted):
            return float(life.seconds)
    return float(profile.life.seconds) if profile.life else None


def _unwritten(usage: Usage, profile: Profile) -> bool:
    """Whether nothing of a prompt was read or written although it was long enough: it had no breakpoint."""
    written = usage.write_5m + usage.write_1h + usage.write_30m + usage.write_12h
    return profile.breakpoints > 0 and not usage.estimated and not usage.read + written


def _usage(recorded: Recorded, billed: Billed, within: int, count: Counting) -> Usage:
    message = recorded.response.message if recorded.response else None
    output = estimate_message(message, count) if message is not None else recorded.output_tokens or 0
    return Usage(
        billed.uncached - within,
        billed.read + within,
        billed.write_5m,
        billed.write_1h,
        output,
        estimated=True,
        write_30m=billed.write_30m,
        write_12h=billed.write_12h,
    )
