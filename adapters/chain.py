"""The prefix chain of a request: a running hash over what a provider renders, with the tokens up to each point.

Two requests share a prefix exactly as far as their chains agree. The chain of a chat body is one link for the head
(model, salt, tools) and one for each message; that of a trace, which has block hashes instead of text, is one link for
every 512 tokens. Pure, and linear in what is new.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from adapters.prompt import Point
from adapters.tokens import Counting, estimate, estimate_message, estimate_tools

MARKS = ("cache_control", "prompt_cache_breakpoint")
"""Members of a message, a content part or a tool that direct the provider's cache and are not rendered. They move from
turn to turn, and must not break a chain."""

STEP = 512
"""Tokens between two links of a trace. Finer would cost memory, coarser would understate what two requests share."""

Runs = Sequence[tuple[int, int]]
"""Ids of the blocks of a prompt, run-length encoded: (first id, number of consecutive ids)."""


_encode = msgspec.json.Encoder(order="deterministic").encode
_marks = tuple(b'"%b"' % name.encode() for name in MARKS)


def segments(body: Mapping[str, Any]) -> list[bytes]:
    """Canonical JSON of the tools (empty where there are none), then of each message."""
    return [_segment(body.get("tools")) if body.get("tools") else b"", *map(_segment, _messages(body))]


def chain(body: Mapping[str, Any], salt: bytes = b"", count: Counting = estimate) -> list[Point]:
    """The links of a chat body. `salt`: upstream, credential and whatever else keeps prompt caches apart."""
    tools = body.get("tools")
    model = body.get("model")
    hashed = hashlib.blake2b(digest_size=16)
    for part in (salt, model.encode("utf-8", "surrogatepass") if isinstance(model, str) else b""):
        hashed.update(b"%d:" % len(part) + part)
    hashed.update(_segment(tools) if tools else b"")
    return extend(
        [Point(hashed.digest(), estimate_tools(tools, count), edge="tools", markable=bool(tools))],
        _messages(body),
        count,
    )


def extend(links: Sequence[Point], more: Iterable[Any], count: Counting = estimate) -> list[Point]:
    """`links` and one link for each of the messages that follow them: the chain of a conversation that grew.

    `links` must begin with a head, as `chain` makes it.
    """
    grown = list(links)
    digest, tokens = grown[-1][:2]
    for message in more:
        digest = hashlib.blake2b(digest + _segment(message), digest_size=16).digest()
        tokens += estimate_message(message, count)
        grown.append(Point(digest, tokens, len(grown), edge="message"))
    return grown


def _messages(body: Mapping[str, Any]) -> list[Any]:
    messages = body.get("messages")
    return messages if isinstance(messages, list) else []


def _segment(value: Any) -> bytes:
    data = _encode(value)
    # The search costs a thousandth of the encoding and spares nearly every message the copy.
    return _encode(_unmarked(value)) if any(mark in data for mark in _marks) else data


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    kept = {name: item for name, item in value.items() if name not in MARKS}
    if isinstance(kept.get("content"), list):
        kept["content"] = [_unmarked(part) for part in kept["content"]]
    return kept


class Blocks:
    """The chain of one conversation of a trace, request by request.

    Beside a link at every `STEP` tokens it keeps the ends of earlier requests, so that a request that merely goes on
    from the last one shares all of it, and not only up to the step before.
    """

    __slots__ = ("_block", "_ends", "_grid", "_per_step", "_runs", "_salt")

    ENDS = 4
    """How many ends of earlier requests are kept: agents go back a turn, seldom more."""

    def __init__(self, block: int, salt: bytes = b"") -> None:
        """`block`: tokens in a block. `salt`: what makes ids comparable (the trace, where its ids are local)."""
        self._block, self._salt = block, salt
        self._per_step = max(1, STEP // block)
        self._runs: list[tuple[int, int]] = []
        self._grid: list[Point] = []
        self._ends: list[Point] = []

    def links(self, runs: Runs, tokens: int) -> list[Point]:
        """The links of the next request: `runs` are its blocks, `tokens` its length (the last block may be partial)."""
        runs = _merged(runs)
        shared = _shared(self._runs, runs)
        grid = self._grid[: shared // self._per_step]
        ends = [end for end in self._ends if end.tokens <= shared * self._block][-self.ENDS :]
        digest = grid[-1].digest if grid else hashlib.blake2b(self._salt, digest_size=16).digest()
        done = len(grid) * self._per_step
        for cell in _cells(runs, done, self._per_step):
            digest = hashlib.blake2b(
                digest + b"".join(struct.pack("<qq", *run) for run in cell), digest_size=16
            ).digest()
            size = sum(count for _, count in cell)
            done += size
            link = Point(digest, min(done * self._block, tokens))
            if size == self._per_step:
                grid.append(link)
            elif link not in ends:
                ends.append(link)
        self._runs, self._grid, self._ends = runs, grid, ends
        return sorted(grid + ends, key=_tokens)


def _tokens(link: Point) -> int:
    return link.tokens


def _merged(runs: Runs) -> list[tuple[int, int]]:
    """The same ids in as few runs as there can be: the form that equal prompts have in common."""
    merged: list[tuple[int, int]] = []
    for first, count in runs:
        if merged and sum(merged[-1]) == first:
            merged[-1] = (merged[-1][0], merged[-1][1] + count)
        elif count:
            merged.append((first, count))
    return merged


def _shared(a: Runs, b: Runs) -> int:
    """How many leading blocks two prompts have in common."""
    shared = 0
    for (first, count), (other, length) in zip(a, b, strict=False):
        if first != other:
            break
        shared += min(count, length)
        if count != length:
            break
    return shared


def _cells(runs: Runs, skip: int, size: int) -> Iterable[list[tuple[int, int]]]:
    """The ids after the first `skip`, cut into cells of `size` blocks; the last one may be shorter."""
    cell: list[tuple[int, int]] = []
    room = size
    for first, count in runs:
        passed = min(skip, count)
        skip, first, count = skip - passed, first + passed, count - passed
        while count:
            taken = min(room, count)
            cell.append((first, taken))
            first, count, room = first + taken, count - taken, room - taken
            if not room:
                yield cell
                cell, room = [], size
    if cell:
        yield cell
