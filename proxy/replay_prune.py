"""Pruning in a replay: what hooks propose for recorded requests, and the prompts that are left when it is done.

The first pass has the texts and asks the hooks, once for each request as it was recorded; what they propose is kept
without text. The second pass decides as the live engine does (`warming.pruning`), on what is believed to be warm at
that moment of the replay, and remembers what was made: the same edits in every later turn of a conversation. Behind an
edit a prompt is another one, so that its points have other digests. Tokens that an edit takes out are estimates, scaled
to the length of the prompt that was reported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from adapters.profiles import profile_of
from adapters.prompt import Point
from adapters.transcript import Sizes, transcript_of
from proxy.replay_points import Talk
from warming.hooks import BUILT_IN, Hook, Options, load, safely
from warming.pruning import SLACK, Proposal, Terms, Warmth, context_of, decide, merged, prepared, standing

Warm = Callable[[Sequence[Point]], tuple[float, float]]
"""Tokens of a prompt that are believed to be cached, and for how many seconds still."""


class Edited(NamedTuple):
    """An edit that was made."""

    proposal: Proposal
    removed: int
    """Tokens of the prompt, on the scale of its reported length when it was made."""


Made = dict[tuple[bytes, int], Edited]
"""Edits of a conversation, by digest and place."""


class Hooks(NamedTuple):
    hooks: Sequence[tuple[str, Hook]]
    options: Options = Options()
    model: str | None = None
    """What all requests go to."""


def built_in() -> Hooks:
    return Hooks(load(BUILT_IN))


class Prunable(NamedTuple):
    """What is kept of a request to prune it."""

    sent: int
    """How many of its messages its session had sent before."""
    ends: tuple[int, ...]
    """How many points there are up to the first message, and up to the end of each."""
    size: int
    """Of the whole prompt, as proposals count tokens."""
    proposals: tuple[Proposal, ...]
    digests: tuple[bytes, ...]
    """Of the conversation up to each message, as proposals name them."""


class Pruner:
    """The first pass."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._sizes = Sizes()
        self._same: dict[Any, Any] = {}
        """Equal proposals and digests become one object: they come again with every turn."""
        self._session = -1

    def look(self, body: Mapping[str, Any], api: str, model: str, talk: Talk) -> Prunable | None:
        """`talk`: with the points of this request, the last of its session. None where nothing can be pruned."""
        try:
            found = transcript_of(body, api, b"", self._sizes)
        except RecursionError:
            return None
        if found is None:
            return None
        if talk.number != self._session:
            self._same.clear()
            self._session = talk.number
        profile = profile_of("maker", self._hooks.model or model)
        sent = talk.shared
        context = context_of(found, Warmth(sent, 0), Terms(binds_thinking=profile.binds_thinking), self._hooks.options)
        ready = prepared(found, context)
        proposed = merged(ready, [(name, safely(hook, ready, context).edits) for name, hook in self._hooks.hooks])
        bare = [each._replace(edit=each.edit._replace(text="")) for each in proposed]
        same = self._same.setdefault
        return Prunable(
            sent,
            tuple(talk.ends),
            found.starts()[-1],
            tuple([same(each, each) for each in bare]),
            tuple([same(each, each) for each in found.digests]),
        )


class Cutter:
    """The second pass: the edits that were made in each session."""

    def __init__(self, turns: int = Options().turns) -> None:
        self._turns = turns
        self._made: dict[int, Made] = {}

    def points(
        self,
        points: Sequence[Point],
        prunable: Prunable | None,
        session: int,
        warm: Warm,
        terms: Terms,
        siblings: int = 1,
    ) -> Sequence[Point]:
        """The points of the prompt that is sent in place of this one."""
        if prunable is None or not points or not prunable.size:
            return points
        made = self._made.setdefault(session, {})
        here = _here(made, prunable)
        stood = cut(points, prunable, here)
        proposed = standing(prunable.proposals, {key: each.proposal for key, each in here.items()})
        if not proposed:
            return stood
        scale = points[-1].tokens / prunable.size or 1.0
        tokens, seconds = warm(stood)
        end = 0
        if tokens > 0 and seconds > 0:
            sent = prunable.ends[min(prunable.sent, len(prunable.ends) - 1)]
            end = round(min(stood[sent - 1].tokens if sent else 0, tokens * SLACK) / scale)
        decision = decide(proposed, prunable.sent, end, terms, self._turns, siblings)
        if not decision.now:
            return stood
        original = {(each.digest, each.place): each for each in prunable.proposals}
        keys = [key for each in decision.now if (key := (each.digest, each.place)) in original]
        new = {key: Edited(original[key], round(original[key].removed * scale)) for key in keys}
        made |= new
        return cut(points, prunable, here | new)


def _here(made: Made, prunable: Prunable) -> Made:
    """The edits that are of this conversation: it goes through the message that each is in, and through the reason."""
    if not made:
        return {}
    digests = prunable.digests
    known: set[bytes] | None = None
    found = {}
    for key, edited in made.items():
        each = edited.proposal
        if each.message >= len(digests) or digests[each.message] != each.digest:
            continue
        if each.because:
            known = set(digests) if known is None else known
            if each.because not in known:
                continue
        found[key] = edited
    return found


def cut(points: Sequence[Point], prunable: Prunable, made: Made) -> Sequence[Point]:
    """The points of a prompt with these edits made."""
    if not made:
        return points
    by_message: dict[int, list[Edited]] = {}
    for each in sorted(made.values(), key=_place):
        by_message.setdefault(each.proposal.message, []).append(each)
    ends, first = prunable.ends, min(by_message)
    found = list(points[: ends[first]]) if first < len(ends) else list(points)
    digest, gone = b"", 0
    for message in range(first, len(ends) - 1):
        before = gone
        for each in by_message.get(message, ()):
            gone += each.removed
            digest = _hash(digest + each.proposal.digest + b"%d:%d" % (each.proposal.place, each.proposal.after))
        floor = found[-1].tokens if found else 0
        end = max(floor, points[ends[message + 1] - 1].tokens - gone)
        for point in points[ends[message] : ends[message + 1]]:
            tokens = max(floor, min(point.tokens - before, end))
            found.append(point._replace(digest=_hash(point.digest + digest), tokens=tokens))
        if found:
            found[-1] = found[-1]._replace(tokens=end)
    return found


def _place(edited: Edited) -> tuple[int, int]:
    return edited.proposal.message, edited.proposal.place


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
