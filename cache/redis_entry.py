"""One entry as the bytes that lie in a Redis, and back.

    version   1 byte
    marks     8 bytes of the tenant, 8 of the namespace, 1 byte: how many labels, 8 of each
    form      1 byte: 0 plain, 1 compressed
    checksum  16 bytes, over the key and all the rest
    facts     4 bytes: how many, and the facts in MessagePack
    body

A mark is a digest. The server reads version and marks where it has to tell what an invalidation covers; everything
else only concerns who reads the entry. Another version is none of ours: whoever meets it takes it for a miss, and
leaves it to those who wrote it.
"""

from __future__ import annotations

import zlib
from hashlib import blake2b
from math import isfinite
from typing import NamedTuple

import msgspec

from adapters.usage import Usage
from cache.entry import Entry, Shape
from cache.labels import MOST

VERSION = b"\x01"
MARK = 8
"""Bytes of a mark. Two that agree by accident make one entry too many go, never one too few."""
_SUM = 16
HEAD = 1 + 2 * MARK + 1 + MOST * MARK
"""Bytes within which the marks are."""

_PLAIN, _DEFLATED = b"\x00", b"\x01"


class Foreign(Exception):
    """What lies there was written by another version, or by another program."""


class Damaged(Exception):
    """What lies there is not what was written."""


class _Facts(NamedTuple):
    until: float
    tenant: str
    namespace: str
    model: str
    shape: Shape
    status: int
    headers: tuple[tuple[str, str], ...]
    with_usage: bool
    usage: Usage | None
    cost: float | None
    stored_at: float
    expires_at: float
    labels: tuple[str, ...]
    took: float
    length: int
    """Of the body, in bytes."""


_facts = msgspec.msgpack.Decoder(_Facts)


class Kept(NamedTuple):
    entry: Entry
    until: float
    """Wall-clock seconds until which its writer wanted it kept."""


def mark(text: str) -> bytes:
    """What stands for a tenant, a namespace or a label."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=MARK).digest()


def encode(entry: Entry, until: float, compress_over: int) -> bytes:
    """`compress_over`: bytes of facts and body from which on it is tried whether less will do. Raises `ValueError` or
    `OverflowError` for what can't be told (lone surrogates, a status of 70 bits, more labels than may be)."""
    numbers = (until, entry.stored_at, entry.expires_at, entry.took, entry.cost or 0.0)
    if not all(map(isfinite, numbers)) or len(entry.labels) > MOST:
        raise ValueError("a number is not finite, or there are too many labels")
    facts = msgspec.msgpack.encode(
        _Facts(
            until=until,
            tenant=entry.tenant,
            namespace=entry.namespace,
            model=entry.model,
            shape=entry.shape,
            status=entry.status,
            headers=entry.headers,
            with_usage=entry.with_usage,
            usage=entry.usage,
            cost=entry.cost,
            stored_at=entry.stored_at,
            expires_at=entry.expires_at,
            labels=entry.labels,
            took=entry.took,
            length=len(entry.body),
        )
    )
    rest, form = b"".join((len(facts).to_bytes(4), facts, entry.body)), _PLAIN
    if len(rest) > compress_over and len(deflated := zlib.compress(rest, 1)) < len(rest):
        rest, form = deflated, _DEFLATED
    labels = b"".join(map(mark, entry.labels))
    head = b"".join((VERSION, mark(entry.tenant), mark(entry.namespace), len(entry.labels).to_bytes(1), labels, form))
    return b"".join((head, _checksum(entry.key, head, rest), rest))


def decode(key: bytes, value: object, most: int) -> Kept:
    """`most`: bytes of facts and body that may come out of a compressed one. Raises `Foreign` and `Damaged`."""
    if not isinstance(value, bytes) or value[:1] != VERSION:
        raise Foreign
    if len(value) < 2 * MARK + 2:
        raise Damaged("it is too short")
    end = 2 * MARK + 3 + MARK * value[2 * MARK + 1]
    head, claimed, rest = value[:end], value[end : end + _SUM], value[end + _SUM :]
    if _checksum(key, head, rest) != claimed:
        raise Damaged("the checksum does not match")
    if head[-1:] == _DEFLATED:
        rest = _inflated(rest, most)
    try:
        start = 4 + int.from_bytes(rest[:4])
        facts = _facts.decode(rest[4:start])
    except msgspec.MsgspecError as error:
        raise Damaged(f"unreadable: {error}") from error
    body = rest[start:]
    if len(body) != facts.length:
        raise Damaged("the body is cut short")
    return Kept(_entry(key, facts, body), facts.until)


def _entry(key: bytes, facts: _Facts, body: bytes) -> Entry:
    return Entry(
        key=key,
        tenant=facts.tenant,
        namespace=facts.namespace,
        model=facts.model,
        shape=facts.shape,
        status=facts.status,
        headers=facts.headers,
        body=body,
        with_usage=facts.with_usage,
        usage=facts.usage,
        cost=facts.cost,
        stored_at=facts.stored_at,
        expires_at=facts.expires_at,
        labels=facts.labels,
        took=facts.took,
    )


def _inflated(packed: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        rest = inflater.decompress(packed, most + 1)
    except zlib.error as error:
        raise Damaged(f"unreadable: {error}") from error
    if len(rest) > most or not inflater.eof:
        raise Damaged("it is longer than anything that is kept")
    return rest


def _checksum(key: bytes, head: bytes, rest: bytes) -> bytes:
    digest = blake2b(len(key).to_bytes(4) + key + head, digest_size=_SUM)
    digest.update(rest)
    return digest.digest()
