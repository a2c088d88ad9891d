"""Embeddings on the wire: a request as its input items, an answer as one part for each of them, and back. Pure.

Vectors are never read here, only moved: a digit that a provider wrote stays as it wrote it, `0.10`, `1e-7` and `-0.0`,
and so does a vector in base64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.edit import set_member
from adapters.errors import Unfoldable

SEAM = b"\xff"
"""A byte that no UTF-8 text has: stands where JSON is to be cut, and between the pieces of a part."""

Item = str | list[int]
"""A text, or the ids of its tokens."""

Members = dict[str, msgspec.Raw]

_MARK = msgspec.Raw(SEAM)
_members = msgspec.json.Decoder(Members).decode
_data = msgspec.json.Decoder(list[Members]).decode
_index = msgspec.json.Decoder(int).decode
_encode = msgspec.json.Encoder().encode


class Part(NamedTuple):
    """What one answer says of one item."""

    envelope: bytes
    """The answer without its usage and with an empty `data`."""
    before: bytes
    after: bytes
    """The object of this item in `data`, in front of the value of its `index` and behind it."""

    @classmethod
    def of(cls, kept: bytes) -> Part:
        """Undoes `kept`."""
        return cls(*kept.split(SEAM))

    def kept(self) -> bytes:
        """The part as bytes that can be stored."""
        return SEAM.join(self)


def items_of(body: Mapping[str, Any]) -> list[Item] | None:
    """The items of a request in their order; None where its `input` is nothing of the kind."""
    given = body.get("input")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        return None
    kinds = set(map(type, given))
    if kinds == {int}:
        return [given]
    if kinds == {str}:
        return given
    return given if kinds == {list} and all(set(map(type, item)) == {int} for item in given) else None


def model_of(kept: bytes) -> bytes:
    """The JSON of the model that the provider said it used for a kept part; vectors of two models must never meet."""
    named = _members(kept[: kept.index(SEAM)]).get("model")
    return b"" if named is None else bytes(named)


def weight(item: Item) -> int:
    """How much of a batch's tokens an item takes: those it has, or the bytes of its text, of which three or four make a
    token in most languages. (An estimate by words would take the event loop a second for a large batch.)"""
    return len(item.encode("utf-8", "surrogatepass")) if isinstance(item, str) else len(item)


def take_apart(raw: bytes) -> list[Part]:
    """The parts of an answer that is one (`Dialect.objection` has nothing against it), in the order of their index.

    Raises `Unfoldable` where it is none.
    """
    try:
        envelope = _members(raw)
        data = [(_index(item["index"]), item) for item in _data(envelope["data"])]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        raise Unfoldable("the answer is no list of embeddings") from None
    envelope["data"] = msgspec.Raw(b"[]")
    envelope.pop("usage", None)
    around = _encode(envelope)
    parts = []
    for _, item in sorted(data, key=lambda pair: pair[0]):
        item["index"] = _MARK
        before, _, after = _encode(item).partition(SEAM)
        parts.append(Part(around, before, after))
    return parts


def put_together(parts: Sequence[Part], tokens: int | None) -> bytes:
    """The answer that has these parts in this order: everything around them is the first one's. `tokens` is what they
    all took; without it the answer has no usage. At least one part."""
    envelope = _members(parts[0].envelope)
    envelope["data"] = _MARK
    if tokens is not None:
        envelope["usage"] = msgspec.Raw(_encode({"prompt_tokens": tokens, "total_tokens": tokens}))
    head, _, tail = _encode(envelope).partition(SEAM)
    pieces = [head, b"["]
    for place, part in enumerate(parts):
        pieces += (b"," if place else b"", part.before, b"%d" % place, part.after)
    return b"".join([*pieces, b"]", tail])


def narrowed(raw: bytes, items: Sequence[Item]) -> bytes:
    """The body of a request with these items for its input, untouched in all else."""
    value, wanted = bytes(_members(raw)["input"]), _encode(items)
    place = raw.find(value)
    if place == raw.rfind(value):  # it stands nowhere else, so this is it; walking there is slow among many tokens
        return raw[:place] + wanted + raw[place + len(value) :]
    return set_member(raw, "input", wanted)
