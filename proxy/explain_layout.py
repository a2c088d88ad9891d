"""Static text that stands behind variable text: what it would save to let it stand in front.

Prompts made from a template often begin with what is different each time (a document, a question) and go on with what
never is (instructions). A prefix cache then shares nothing of the instructions between conversations. Here the lines of
the first request of each session are counted over all sessions with the same model and tools: a block of lines that
most of them have, behind a line that most of them have not, could stand before it. Pure; of each session digests and
lengths of lines are kept, and of each group the text of one session.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from adapters.prices import Prices
from adapters.tokens import estimate
from adapters.usage import Usage
from proxy.explain_cause import price
from proxy.explain_diff import EXCERPT
from proxy.explain_walk import Look
from proxy.redact import redact_text

COMMON = 0.5
"""Part of the sessions of a group that have a line which counts as static."""

FEWEST = 3
"""Sessions that a group must have: of two, anything that both have would look like a template."""

BLOCK = 64
"""Tokens of the shortest block that is worth moving, and that is no accident (`}`, `---`)."""

LONGEST = 4_000
"""Lines of a request that are looked at, from the front."""

SESSIONS = 2_000
"""Sessions of a recording that are looked at."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Movable(NamedTuple):
    """What could be moved in the sessions of one group."""

    model: str
    sessions: int
    """That have such blocks and would have read them: not the first, nor those that come when all has lapsed."""
    tokens: int
    dollars: float | None
    """That reading them saves; None where the model has no price."""
    begins: str
    """How the first such block begins, without credentials."""


@dataclass(slots=True)
class _Opening:
    model: str
    usage: Usage
    lines: array[int]
    sizes: array[float]
    """Tokens of each line."""
    minimum: int
    life: float | None
    since: float | None
    until: float | None
    """When the session began and was last heard of."""


@dataclass(slots=True)
class _Group:
    openings: OrderedDict[int, _Opening] = field(default_factory=OrderedDict)
    seen: Counter[int] = field(default_factory=Counter)
    """In how many sessions a line stands."""
    texts: dict[int, str] = field(default_factory=dict)
    """The lines of the latest session."""


class Layout:
    def __init__(self) -> None:
        self._groups: dict[tuple[str, bytes], _Group] = {}
        self._of: dict[tuple[int, int], _Opening] = {}

    def add(self, look: Look, file: int = 0) -> None:
        """The next request; `file` tells sessions of several recordings apart."""
        opening = self._of.get((file, look.session))
        if opening is not None:
            opening.until = look.recorded.ts if look.recorded.ts is not None else opening.until
            return
        body = look.recorded.body
        if body is None or len(self._of) >= SESSIONS:
            return
        texts = [line for line in _lines(body) if line.strip()][:LONGEST]
        tools = hashlib.blake2b(_encode(body.get("tools")), digest_size=8).digest()
        group = self._groups.setdefault((look.recorded.model, tools), _Group())
        lines = array("q", [_digest(line) for line in texts])
        sizes = [float(estimate(line)) for line in texts]
        scale = min(2.0, max(0.5, look.usage.prompt / max(1.0, sum(sizes))))
        group.texts = dict(zip(lines, texts, strict=True))
        group.seen.update(set(lines))
        group.openings[look.session] = self._of[file, look.session] = _Opening(
            look.recorded.model,
            look.usage,
            lines,
            array("d", [size * scale for size in sizes]),
            look.profile.minimum,
            look.life,
            look.recorded.ts,
            look.recorded.ts,
        )

    def movable(self, prices: Prices, model: str | None = None) -> list[Movable]:
        """For each group in which there is anything, the dearest first. `model`: whose prices count."""
        found = [_movable(group, prices, model) for group in self._groups.values() if len(group.openings) >= FEWEST]
        return sorted(
            (one for one in found if one is not None), key=lambda one: (one.dollars or 0.0, one.tokens), reverse=True
        )


def _movable(group: _Group, prices: Prices, model: str | None) -> Movable | None:
    enough = max(FEWEST, COMMON * len(group.openings))
    static = {line for line, times in group.seen.items() if times >= enough}
    openings = sorted(group.openings.values(), key=lambda opening: opening.since or 0.0)
    sessions, tokens, dollars, begins = 0, 0, 0.0, ""
    last: float | None = None
    name = model or openings[0].model
    for place, opening in enumerate(openings):
        lapsed = None not in (opening.since, last, opening.life) and _after(opening, last) > (opening.life or 0.0)
        if opening.until is not None:
            last = max(opening.until, last or opening.until)
        first, size = _behind(opening, static)
        if size < BLOCK or not place or lapsed:
            continue
        sessions += 1
        tokens += size
        begins = begins or group.texts.get(first, "")
        rates = prices.rates(name, opening.usage.prompt)
        dollars += price(size, opening.usage, rates) if rates is not None else 0.0
    if not sessions:
        return None
    known = prices.rates(name) is not None
    return Movable(openings[0].model, sessions, tokens, dollars if known else None, _printable(begins))


def _after(opening: _Opening, last: float | None) -> float:
    return (opening.since or 0.0) - (last or 0.0)


def _behind(opening: _Opening, static: set[int]) -> tuple[int, int]:
    """The first line and the tokens of the static blocks behind the first variable line that were not read anyway."""
    first, total, front, behind, at = 0, 0.0, 0.0, False, 0.0
    block, begin = 0.0, 0
    for line, size in [*zip(opening.lines, opening.sizes, strict=True), (None, 0.0)]:
        at += size
        if line is not None and line in static:
            if not behind:
                front += size
            elif at > opening.usage.read:
                begin = begin or line
                block += size
            continue
        if block >= BLOCK:
            first, total = first or begin, total + block
        block, begin, behind = 0.0, 0, True
    return first, int(total) if front + total >= opening.minimum else 0


def _lines(body: Mapping[str, Any]) -> Iterator[str]:
    """The text of the system prompt and of the messages, line by line."""
    messages = body.get("messages", body.get("input"))
    turns = messages if isinstance(messages, list) else [messages]
    contents = [body.get("system"), body.get("instructions")]
    contents += [turn.get("content") if isinstance(turn, Mapping) else turn for turn in turns]
    for content in contents:
        for part in content if isinstance(content, list) else [content]:
            text = part.get("text") if isinstance(part, Mapping) else part
            if isinstance(text, str):
                yield from text.splitlines()


def _digest(line: str) -> int:
    digest = hashlib.blake2b(line.strip().encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in redact_text(text.strip())[:EXCERPT])
