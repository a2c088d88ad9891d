"""The outline of a live request: the points of its prompt, in the provider's own dialect, from the decoded body.

It stands on the way of every long request, so it hashes (SHA-256, which processors have built in; the first half of it)
and estimates tokens from bytes, and never looks inside a text. `adapters.outline_blocks` and `outline_messages` take a
body apart, `outline_facts` finds what else decides what can be read, and here the pieces become points.

A point's digest covers everything before it: two prompts agree up to a point, or they differ from there on. It does not
cover marks, which move from turn to turn. What a profile says to break a level is hashed where that level begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec

from adapters.outline_blocks import blocks_in
from adapters.outline_facts import Facts, facts_of
from adapters.outline_messages import items_in, messages_in
from adapters.outline_pieces import Marks, Pieces, encode, marks_of
from adapters.profiles import Level, Profile
from adapters.prompt import Edge, Point, Prompt

PER_TOKEN = 4.0
"""Bytes of a token, until usage tells better."""

LEAST_PER_TOKEN = 2.0
"""Bytes of a token in dense prompts. Lists of numbers may have fewer, and are overlooked where they are short."""

UNKNOWN_MINIMUM = 1024
"""Tokens from which on caching is taken to begin where nobody says."""

STEP = 4096
"""Bytes between two points inside a long text, where a provider's cache may end an entry."""

LONG = 2 * STEP
"""Bytes. Texts up to here have no points inside."""

WALKS: dict[str, Callable[[Mapping[str, Any], Marks], Pieces]] = {
    "anthropic-messages": blocks_in,
    "openai-chat": messages_in,
    "openai-responses": items_in,
}
"""By the name of the dialect."""

LEVELS: tuple[Level, ...] = ("tools", "system", "messages")


def minimum_of(profile: Profile) -> int:
    """Tokens below which the model caches nothing, as far as anybody knows."""
    if profile.minimum or profile.boundary not in ("unit", "unknown"):
        return profile.minimum
    return UNKNOWN_MINIMUM


def too_short(raw: bytes, profile: Profile, per_token: float = PER_TOKEN) -> bool:
    """Whether a body of these bytes can't reach the minimum, so that nobody needs its outline.

    What it merely refers to (images by URL, files by id, an earlier response) is not seen.
    """
    return len(raw) < minimum_of(profile) * min(per_token, LEAST_PER_TOKEN)


def outline(
    parsed: Mapping[str, Any], *, api: str, profile: Profile, salt: bytes, per_token: float = PER_TOKEN
) -> Prompt:
    """The points of a request; none where the body is not one of this API, or can't be encoded.

    `api`: the dialect's name. `salt`: what keeps caches apart besides the request itself (upstream, credential, beta
    headers). `per_token`: bytes of a token, above 0. Who learns from usage that a prompt had N tokens goes on with
    `per_token * prompt.tokens / N`.
    """
    minimum = minimum_of(profile)
    walk = WALKS.get(api)
    if walk is None:
        return Prompt((), minimum)
    stepped = profile.boundary not in ("breakpoint", "message")
    try:
        pieces = walk(parsed, marks_of(profile, parsed))
        facts = facts_of(parsed, api, profile, images=pieces.images, citations=pieces.citations)
        return Prompt(_points(pieces, facts, salt, per_token, stepped), minimum)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        # No body that came as JSON has what can't be JSON, but nothing here may stop a request.
        return Prompt((), minimum)


def _points(pieces: Pieces, facts: Facts, salt: bytes, per_token: float, stepped: bool) -> tuple[Point, ...]:
    rows: list[tuple[bytes, int, int, str, Edge, bool]] = []
    digest = sha256(b"%d:%b" % (len(salt), salt)).digest()[:16]
    total = fixed = 0
    for level, found in zip(LEVELS, pieces[:3], strict=True):
        digest = sha256(digest + encode({level: facts.get(level)})).digest()[:16]
        for head, data, weight, constant, place, mark, edge, markable in found:
            if stepped and len(data) > LONG and weight >= len(data):
                before = total + weight - len(data)
                for digest, done in _steps(digest, head, data):  # noqa: B020 - it goes on from there
                    rows.append((digest, round((before + done) / per_token) + fixed, place, "", "step", False))
                data = data[done:]
            digest = sha256(digest + head + data).digest()[:16]
            total += weight
            fixed += constant
            rows.append((digest, round(total / per_token) + fixed, place, mark, edge, markable))
    # Made in one go, a named tuple costs a third of what it costs by its name.
    return tuple(map(_point, rows))


_point: Callable[[Iterable[Any]], Point] = partial(tuple.__new__, Point)


def _steps(digest: bytes, head: bytes, data: bytes) -> Iterator[tuple[bytes, int]]:
    """The digest at each step inside a piece, and how many bytes of its data lie before it; some are left behind it."""
    head = b"~" + head
    for start in range(0, len(data) - STEP, STEP):
        digest = sha256(b"".join((digest, head, data[start : start + STEP]))).digest()[:16]
        yield digest, start + STEP
