"""The first pass of a replay: of each recorded request, what a strategy needs to know, and no text."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.chain import STEP
from adapters.errors import Refused
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.prompt import Point
from adapters.tokenizer import TokenCounter
from adapters.tokens import Counting, estimate, estimate_message
from adapters.usage import Usage
from adapters.vocabulary import PLAIN, Call, Controls, Dialect
from cache.controls import controls_of
from cache.key import canonical, key_of
from cache.policy import Policy
from proxy.calibrate import Calibrator
from proxy.importers import OPEN_SESSIONS
from proxy.replay_points import Talk, points_of
from proxy.replay_prune import Prunable, Pruner
from proxy.sessions import Recorded, Skipped, read_file

STORABLE = ("stop", "tool_calls", "")
"""Finish reasons of answers that the cache may keep. One that was not recorded is taken for `stop`."""

ROUTES: dict[str, tuple[str, Dialect]] = {
    "chat": ("/chat/completions", OPENAI_CHAT),
    "messages": ("/messages", ANTHROPIC_MESSAGES),
    "responses": ("/responses", OPENAI_RESPONSES),
}
"""Path and dialect of each recorded API; a request of another is never a hit."""

SHOWN = 20
"""Skipped lines that are held to be shown one by one; the others are only counted."""


class Fact(NamedTuple):
    """What is kept of one request."""

    session: int
    ts: float | None
    """Seconds; never before an earlier request of the same session."""
    model: str
    key: bytes | None
    """Equal for equal requests; None where that is unknown (such a request is never a hit)."""
    usage: Usage
    points: Sequence[Point]
    """Its prompt, as far as it is known; empty where only its length is. One conversation shares the objects."""
    recorded: bool
    """Whether `usage` says what the provider's cache did."""
    answer: bytes | None
    """Digest of the recorded answer; None where its words are not known."""
    storable: bool
    """Whether the cache would keep the recorded answer. No recorded answer: it may have been an error, so no."""
    controls: Controls
    follows: bool = False
    """Whether it goes on from the request before it in its session, and so cannot have been sent before the answer."""
    prunable: Prunable | None = None
    """What hooks would take out; None unless they were asked."""


@dataclass(slots=True)
class Survey:
    """The facts of all files, in the order of their times, and counts of what limits the result."""

    facts: list[Fact] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    """Their names, by number."""
    skipped: list[Skipped] = field(default_factory=list)
    skipped_lines: int = 0
    untimed: int = 0
    estimated: int = 0
    """Requests whose tokens nobody counted."""
    simulated: int = 0
    """Requests whose cached tokens nobody counted."""
    blind: int = 0
    """Requests of which only the lengths are known."""
    unanswered: int = 0
    wordless: int = 0
    """Requests with an answer whose words are not recorded."""
    with_dollars: int = 0
    dollars: float = 0.0
    """What the recordings themselves say they cost."""
    counter: TokenCounter | None = None
    pruner: Pruner | None = None

    def count(self, text: str, model: str) -> int:
        return estimate(text) if self.counter is None else self.counter.count(text, model).tokens


def survey(
    files: Sequence[Path],
    progress: Callable[[Path, int], None],
    counter: TokenCounter | None = None,
    pruner: Pruner | None = None,
    calibrator: Calibrator | None = None,
) -> Survey:
    """Reads the files. Requests without a time follow those with one, in the order of the files.

    `progress` is told how many bytes of which file have been read; `counter` counts what nobody reported;
    `pruner` is shown all requests whose texts are there, `calibrator` all. Raises `NotARecording`.
    """
    found = Survey(counter=counter, pruner=pruner)
    for path in files:
        # A session belongs to its file: names such as "1" are no evidence that two recordings are one.
        talks: OrderedDict[str, Talk] = OrderedDict()
        if calibrator is not None:
            calibrator.file()
        for recorded in read_file(path, partial(_skip, found), partial(progress, path)):
            talk = talks.get(recorded.session)
            if talk is None:
                talk = talks[recorded.session] = Talk(len(found.sessions))
                found.sessions.append(recorded.session)
                if len(talks) > OPEN_SESSIONS:
                    talks.popitem(last=False)
            talks.move_to_end(recorded.session)
            found.facts.append(_fact(recorded, talk, found))
            if calibrator is not None:
                calibrator.add(recorded)
    found.facts.sort(key=_when)
    return found


def _when(fact: Fact) -> tuple[bool, float]:
    return fact.ts is None, fact.ts or 0.0


def _skip(found: Survey, skipped: Skipped) -> None:
    found.skipped_lines += 1
    if len(found.skipped) < SHOWN:
        found.skipped.append(skipped)


def _fact(recorded: Recorded, talk: Talk, found: Survey) -> Fact:
    if recorded.ts is not None:
        talk.ts = recorded.ts if talk.ts is None else max(talk.ts, recorded.ts)
    controls = _controls(recorded.body)
    begun = bool(talk.points)
    usage, points = _usage(recorded, talk, partial(found.count, model=recorded.model))
    response = recorded.response
    known = response is not None and response.message is not None
    found.untimed += talk.ts is None
    found.estimated += usage.estimated
    found.simulated += recorded.usage is None and bool(points)
    found.blind += recorded.body is None and recorded.identity is None
    found.unanswered += response is None
    found.wordless += response is not None and not known
    if recorded.dollars is not None:
        found.with_dollars += 1
        found.dollars += recorded.dollars
    return Fact(
        talk.number,
        talk.ts,
        recorded.model,
        _key(recorded, controls),
        usage,
        points,
        recorded.usage is not None,
        _digest(canonical(response.message)) if response is not None and known else None,
        response is not None and response.finish_reason in STORABLE and not controls.no_store,
        controls,
        talk.grew if recorded.body is not None else begun,
        _prunable(recorded, talk, found.pruner),
    )


def _prunable(recorded: Recorded, talk: Talk, pruner: Pruner | None) -> Prunable | None:
    if pruner is None or recorded.body is None or recorded.route not in ROUTES:
        return None
    return pruner.look(recorded.body, ROUTES[recorded.route][1].name, recorded.model, talk)


def _key(recorded: Recorded, controls: Controls) -> bytes | None:
    if recorded.body is None:
        return recorded.identity
    if recorded.route not in ROUTES:
        return None
    target, dialect = ROUTES[recorded.route]
    call = Call(
        method="POST",
        target=target,
        headers={},
        body=b"",
        dialect=dialect,
        parsed=recorded.body,
        tenant=recorded.tenant,
        controls=controls,
    )
    return key_of(call) if Policy().cacheable(call) else None


def _controls(body: Mapping[str, Any] | None) -> Controls:
    try:
        return controls_of(None, body.get("cache")) if body else PLAIN
    except Refused:
        return PLAIN


def _usage(recorded: Recorded, talk: Talk, count: Counting) -> tuple[Usage, Sequence[Point]]:
    """Recorded usage as it is, else the length of the prompt, uncached; and the points of the prompt."""
    usage = recorded.usage
    if recorded.body is None:
        counted = usage or Usage(uncached=recorded.prompt_tokens or 0, output=recorded.output_tokens or 0)
        talk.points = _traced(recorded.links or [], recorded.static)
        return counted, talk.points
    prompt = usage.prompt if usage is not None and usage.prompt else None
    points = points_of(recorded.body, recorded.tenant.encode(), talk, count, prompt)
    if usage is not None:
        return usage, points
    message = recorded.response.message if recorded.response else None
    output = estimate_message(message, count) if message is not None else 0
    return Usage(uncached=points[-1].tokens, output=output, estimated=True), points


def _traced(links: list[Point], static: int) -> list[Point]:
    """The points of a trace, the end of its tools and system prompt told from the others."""
    place = bisect_right(links, static, key=_tokens) - 1 if static else -1
    if place >= 0 and links[place].tokens > static - STEP:
        links[place] = links[place]._replace(edge="system")
    return links


def _tokens(point: Point) -> int:
    return point.tokens


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
