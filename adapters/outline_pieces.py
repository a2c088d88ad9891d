"""The pieces of a live request: what `adapters.outline` hashes, and what their marks, images and bytes amount to.

A piece is what is cached or not as a whole: a tool, a block of the system prompt, a part of a message, an item. Its
data are made of decoded values and are no slices of the body. For texts, which are nearly all of a body, that costs
less, and white space, escapes and the place of a mark among the members of its block need no attention. Numbers that
decode alike (1.0 and 1.00) are one. The order of members inside a tool's schema or a call's input counts, as it does
for providers.

Shapes: types of Anthropic's Python client 2.11 and of OpenAI's 3.52, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from adapters.body import mapping
from adapters.chain import MARKS
from adapters.profiles import Profile
from adapters.prompt import Edge
from adapters.tokens import BLOBS, IMAGE, IMAGE_LOW

IMAGES = frozenset({"image", "image_url", "input_image", "computer_screenshot"})
"""Types of parts that are images."""

CONSTANTS = {
    **BLOBS,
    "input_file": BLOBS["file"],
    "document": BLOBS["file"],
    "computer_screenshot": IMAGE,
    "image_generation_call": IMAGE,
}
"""Tokens of parts whose bytes are no text."""

LONGEST_ROLE = 32

encode = msgspec.json.Encoder().encode


Piece = tuple[bytes, bytes, int, int, int, str, Edge, bool]
"""Head, data, weight, constant, place, mark, edge, markable. A plain tuple, since one is made of every block of every
long request, and a named one takes five times as long.

head: what it is, as JSON; never the beginning of another head and its data. weight: how many bytes of head and data
count as text. constant: tokens of what is no text. The others are those of a `Point`.
"""

MARKABLE = 7


def marked(piece: Piece, mark: str) -> Piece:
    """The piece with this mark, unless it has one."""
    head, data, weight, constant, place, own, edge, markable = piece
    return head, data, weight, constant, place, own or mark, edge, markable


def ending(piece: Piece, edge: Edge) -> Piece:
    head, data, weight, constant, place, mark, _, markable = piece
    return head, data, weight, constant, place, mark, edge, markable


class Pieces(NamedTuple):
    tools: list[Piece]
    system: list[Piece]
    messages: list[Piece]
    images: bool = False
    citations: bool = False


class Marks(NamedTuple):
    """How the client of a provider marks a breakpoint."""

    member: str = ""
    """Empty where the provider takes none."""
    lives: frozenset[str] = frozenset()
    usual: str = ""
    """The life of a mark that names none."""

    def of(self, block: Mapping[str, Any]) -> str:
        """The life asked for; empty where no mark stands, or none that this provider knows."""
        control = block.get(self.member)
        if not isinstance(control, dict):
            return ""
        life = control.get("ttl", self.usual)
        return life if isinstance(life, str) and life in self.lives else ""


def marks_of(profile: Profile, body: Mapping[str, Any]) -> Marks:
    """What marks mean at this provider; in OpenAI's APIs the request says how long those live that don't say it."""
    if not profile.breakpoints or profile.life is None:
        return Marks()
    lives, usual = frozenset(life.name for life in profile.lives), profile.life.name
    if profile.boundary == "breakpoint":
        return Marks("cache_control", lives, usual)
    told = mapping(body.get("prompt_cache_options")).get("ttl")
    return Marks("prompt_cache_breakpoint", lives, told if isinstance(told, str) and told in lives else usual)


def head(role: Any, kind: str) -> bytes:
    """Roles are the client's to choose: long ones are not remembered."""
    return _known(role, kind) if isinstance(role, str) and len(role) <= LONGEST_ROLE else encode([role, kind])


@lru_cache(maxsize=512)
def _known(role: str, kind: str) -> bytes:
    return encode([role, kind])


def text_of(block: Mapping[str, Any], kind: str) -> str | None:
    """The text of a block of this type that holds nothing else, marks aside."""
    text = block.get("text")
    if not isinstance(text, str) or block.get("type") != kind:
        return None
    return text if len(block) == 2 or len(block) == 2 + sum(mark in block for mark in MARKS) else None


def kind_of(part: Mapping[str, Any]) -> str:
    kind = part.get("type")
    return kind if isinstance(kind, str) else ""


def constant_of(part: Mapping[str, Any]) -> int:
    """Tokens of a part whose bytes are no text; 0 where they are text."""
    kind = kind_of(part)
    if kind not in CONSTANTS:
        return 0
    if kind == "document" and mapping(part.get("source")).get("type") == "text":
        return 0
    low = "low" in (part.get("detail"), mapping(part.get("image_url")).get("detail"))
    return IMAGE_LOW if low else CONSTANTS[kind]


def weighed(data: bytes, block: Mapping[str, Any], inner: Iterable[Mapping[str, Any]] = ()) -> tuple[int, int]:
    """Of an encoded block and of the parts that it holds: bytes that count as text, and tokens of the rest."""
    if fixed := constant_of(block):
        return 0, fixed
    weight, tokens = len(data), 0
    for part in inner:
        if fixed := constant_of(part):
            tokens += fixed
            weight -= len(encode(part))
    return max(0, weight), tokens
