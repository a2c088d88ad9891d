"""Breakpoints set in the bytes of a request: nothing but the marked blocks changes, and these only at their end.

A mark is the last member of its block, so that what is in front of a breakpoint is what the client sent. A text that
stands for a whole content becomes one block that holds the very same token; providers render both alike. What the
client has marked is never touched, and a block that it has marked is left alone.

Rules (Anthropic's guide on prompt caching, 2026-08-21; OpenAI's, 2026-09-23; types of anthropic 2.12 and openai 3.52,
read 2026-11): four breakpoints at most, the automatic one of either provider among them; at Anthropic one that lives
longer stands before one that lives shorter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.body import mapping
from adapters.breakpoint_cache import TTL
from adapters.breakpoint_prompt import mark_of
from adapters.edit import set_member
from adapters.prompt_blocks import CHAT, MESSAGES, RESPONSES, Block, Wire, block_at, blocks, usual_wire
from adapters.spans import Edit, Path, Span, edited, spans, value_at

MOST = 4
"""Breakpoints that one request can write, at Anthropic and at OpenAI."""

CONTROL, BREAKPOINT = "cache_control", "prompt_cache_breakpoint"
OPTIONS = "prompt_cache_options"

USUAL = {CONTROL: "5m", BREAKPOINT: "30m"}
"""The life of a mark that names none."""

LIVES = {CONTROL: frozenset(TTL), BREAKPOINT: frozenset({"30m", "12h"})}

TEXT = {
    MESSAGES: b'{"type":"text","text":',
    CHAT: b'{"type":"text","text":',
    RESPONSES: b'{"type":"input_text","text":',
}

_encode = msgspec.json.Encoder().encode


class Place(NamedTuple):
    """Where a breakpoint is to stand, and how long what it writes is to live."""

    path: Path
    """Of a block (`adapters.prompt_blocks.paths`); that of a list of blocks means its last."""
    life: str = ""
    """`5m`, `1h`, `30m`, `12h`; empty, or one that the provider does not know, for its default."""


def marked(
    raw: bytes, parsed: Mapping[str, Any], *, api: str, places: Sequence[Place], wire: Wire | None = None
) -> bytes:
    """`raw` with a breakpoint at each place that can take one and has none.

    `parsed` is `raw` decoded; raises `ValueError` where a name stands twice in it. How many marks a request may have
    and in which order their lives must come is not looked at here: `legal` does that.
    """
    wire = wire or usual_wire(api)
    wanted: dict[Path, str] = {}
    for place in places:
        block = block_at(parsed, _resolved(parsed, place.path), api, wire)
        if block is not None and block.markable and not is_marked(block.value):
            wanted.setdefault(block.path, place.life)
    if not wanted:
        return raw
    nulls = {(*path, wire) for path in wanted if wire in mapping(value_at(parsed, path))}
    found = spans(raw, [*wanted, *nulls])
    usual = _usual(parsed, wire)
    edits = [_edit(raw, found, path, wire, _mark(wire, life, usual), api) for path, life in wanted.items()]
    return edited(raw, edits)


def explicit(raw: bytes, parsed: Mapping[str, Any]) -> bytes:
    """`raw` so that OpenAI writes at the breakpoints alone, not at the end of the latest message as well.

    A client that has chosen a mode keeps it. Then nothing is read but what ends at a breakpoint of the request either:
    one without breakpoints is not cached at all, and one that grows turn by turn needs one where the last turn ended.
    """
    options = parsed.get(OPTIONS)
    if options is None:
        return set_member(raw, OPTIONS, b'{"mode":"explicit"}')
    if not isinstance(options, dict) or options.get("mode") is not None:
        return raw
    if "mode" in options:
        return set_member(raw, OPTIONS, _encode({**options, "mode": "explicit"}))
    (span,) = spans(raw, [(OPTIONS,)]).values()
    return edited(raw, [_last_member(raw, span, b'"mode":"explicit"')])


def free_slots(parsed: Mapping[str, Any], api: str, wire: Wire | None = None) -> int:
    """How many breakpoints may be added to those that the client has set."""
    wire = wire or usual_wire(api)
    return _free(parsed, sum(1 for _ in _lives(parsed, blocks(parsed, api, wire), wire)), wire)


def _free(parsed: Mapping[str, Any], taken: int, wire: Wire) -> int:
    if wire == CONTROL:
        taken += parsed.get(CONTROL) is not None
    else:
        taken += mapping(parsed.get(OPTIONS)).get("mode") != "explicit"
    return max(0, MOST - taken)


def legal(
    parsed: Mapping[str, Any], places: Sequence[Place], *, api: str, wire: Wire | None = None
) -> tuple[Place, ...]:
    """Those of `places` that the provider takes beside the client's marks, in the order of the prompt.

    `places` come with the most important one first: where there are more than slots, the last ones go. Where lives do
    not descend, ours is shortened, or dropped where it would have to be longer than was asked for.
    """
    wire = wire or usual_wire(api)
    every = list(blocks(parsed, api, wire))
    order = {block.path: index for index, block in enumerate(every)}
    theirs = list(_lives(parsed, every, wire))
    automatic = mapping(parsed.get(CONTROL)) if wire == CONTROL else {}
    target = _automatic_target(every) if automatic else None
    kept: dict[int, Place] = {}
    free = _free(parsed, len(theirs), wire)
    for place in places:
        index = order.get(_resolved(parsed, place.path), -1)
        block = every[index] if index >= 0 else None
        if block is None or not block.markable or is_marked(block.value) or index == target or index in kept:
            continue
        if len(kept) < free:
            kept[index] = Place(block.path, place.life if place.life in LIVES[wire] else "")
    if wire == CONTROL:
        theirs += [(target, mark_of(automatic))] if target is not None else []
        kept = _descending(kept, theirs)
    return tuple(kept[index] for index in sorted(kept))


def _descending(ours: dict[int, Place], theirs: list[tuple[int, str]]) -> dict[int, Place]:
    """Our places with the lives that can stand among the client's."""
    kept: dict[int, Place] = {}
    for index in sorted(ours):
        path, life = ours[index]
        asked = TTL[life or USUAL[CONTROL]]
        before = [TTL[mark] for place, mark in theirs if place <= index and mark]
        before += [TTL[place.life or USUAL[CONTROL]] for place in kept.values()]
        most = min(before, default=asked)
        least = max((TTL[mark] for place, mark in theirs if place > index and mark), default=0.0)
        if least <= min(asked, most):
            kept[index] = Place(path, life if asked <= most else USUAL[CONTROL])
    return kept


def _automatic_target(every: Sequence[Block]) -> int | None:
    """The block that Anthropic's automatic breakpoint stands at: the last one that can be cached."""
    return next((index for index in range(len(every) - 1, -1, -1) if every[index].markable), None)


def _lives(parsed: Mapping[str, Any], every: Iterable[Block], wire: Wire) -> Iterator[tuple[int, str]]:
    """The client's marks in the order of the prompt: index of the block that bears it or holds it, and life (empty
    where it is none we know)."""
    usual = _usual(parsed, wire)
    for index, block in enumerate(every):
        value = block.value
        if not isinstance(value, dict) or not (wire in value or "content" in value or "source" in value):
            continue
        for holder in (*_inner(value), value):
            control = holder.get(wire) if isinstance(holder, dict) else None
            if control is not None:
                yield index, mark_of(control) if wire == CONTROL else str(mapping(control).get("ttl") or usual)


def _inner(value: Mapping[str, Any]) -> Iterator[Any]:
    """What a block of Anthropic's holds that can be marked itself: parts of a result, or of a document's source."""
    for held in (value.get("content"), mapping(value.get("source")).get("content")):
        yield from held if isinstance(held, list) else ()


def is_marked(value: Any) -> bool:
    """Whether a block has a breakpoint, in either manner."""
    held = mapping(value)
    return held.get(CONTROL) is not None or held.get(BREAKPOINT) is not None


def _resolved(parsed: Mapping[str, Any], path: Path) -> Path:
    """The path of the block that is meant: a text that has become a list of blocks is found as its last one."""
    while True:
        value = value_at(parsed, path)
        if isinstance(value, list) and value:
            path = (*path, len(value) - 1)
        elif isinstance(value, dict) and "role" in value:
            path = (*path, "content")
        else:
            return path


def _usual(parsed: Mapping[str, Any], wire: Wire) -> str:
    told = mapping(parsed.get(OPTIONS)).get("ttl") if wire == BREAKPOINT else None
    return told if isinstance(told, str) else USUAL[wire]


def _mark(wire: Wire, life: str, usual: str) -> bytes:
    told = b',"ttl":' + _encode(life) if life in LIVES[wire] and life != usual else b""
    return (b'{"type":"ephemeral"' if wire == CONTROL else b'{"mode":"explicit"') + told + b"}"


def _edit(raw: bytes, found: Mapping[Path, Span], path: Path, wire: Wire, mark: bytes, api: str) -> Edit:
    span, null = found[path], found.get((*path, wire))
    if null is not None:
        return Edit(null.start, null.end, mark)
    member = b'"%b":%b' % (wire.encode(), mark)
    if raw[span.start : span.start + 1] == b"{":
        return _last_member(raw, span, member)
    block = b"[" + TEXT[api] + raw[span.start : span.end] + b"," + member + b"}]"
    if len(path) == 1 and api == RESPONSES:
        block = b'[{"role":"user","content":' + block + b"}]"
    return Edit(span.start, span.end, block)


def _last_member(raw: bytes, span: Span, member: bytes) -> Edit:
    """Adds to the object at `span`, behind the last of its members and in front of the space before its brace."""
    inside = raw[span.start + 1 : span.end - 1].rstrip(b" \t\r\n")
    place = span.start + 1 + len(inside)
    return Edit(place, place, (b"," if inside else b"") + member)
