"""What tells whether a file is still the one that somebody read."""

from __future__ import annotations

import os
import re
from hashlib import blake2b
from typing import NamedTuple

from cache.labels import FILE

YOUNG = 2.0
"""Seconds in which a file may be written again without a later time of change: file systems count in steps, of up to
two seconds (FAT). Until then its content is looked at as well."""

LOOKED_AT = 1024 * 1024
"""Bytes of the content, from the beginning."""

_READ_AT = re.compile(r"(?s)(.*?)((?:;(?:mtime|size)=[0-9]{1,20})+)")


class Signature(NamedTuple):
    mtime_ns: int
    size: int
    inode: int
    digest: bytes = b""
    """Of the content, where the file was young."""


ABSENT = Signature(-1, -1, -1)
"""Of a file that is not there, or that can't be looked at: to depend on it is to depend on that."""


class ReadAt(NamedTuple):
    """What somebody knows of a file at the moment of reading it; None: not told."""

    mtime_ns: int | None = None
    size: int | None = None

    def is_of(self, signature: Signature) -> bool:
        return self.mtime_ns in (None, signature.mtime_ns) and self.size in (None, signature.size)


def signature_of(path: str, now: float | None = None) -> Signature:
    """Links are followed. With the time (Unix, seconds) also of the content, where the file is young."""
    try:
        status = os.stat(path)
        found = Signature(status.st_mtime_ns, status.st_size, status.st_ino)
        return found if now is None or not young(found, now) else found._replace(digest=_digest(path))
    except (OSError, ValueError):  # ValueError: no path at all
        return ABSENT


def young(signature: Signature, now: float) -> bool:
    return signature != ABSENT and abs(now - signature.mtime_ns / 1e9) < YOUNG


def same(known: Signature, path: str) -> bool:
    """Whether the file is still the one that had this signature: one `stat`, and for one that was young its content."""
    found = signature_of(path)
    if found[:3] != known[:3]:
        return False
    try:
        return not known.digest or _digest(path) == known.digest
    except OSError:
        return False


def read_at(text: str) -> tuple[str, ReadAt | None]:
    """`file:/path;mtime=NS;size=BYTES`, of which what follows the path may be missing: `file:/path`, and what was told.
    `mtime` is in nanoseconds, as `os.stat(path).st_mtime_ns` and Node's `fs.statSync(path, {bigint: true}).mtimeNs`
    have it. To be asked before the file is read: one that changes meanwhile is then noticed."""
    match = _READ_AT.fullmatch(text) if text.startswith(FILE) else None
    if match is None:
        return text, None
    facts = dict(fact.split("=") for fact in match[2][1:].split(";"))
    told = {name: int(facts[name]) if name in facts else None for name in ("mtime", "size")}
    return match[1], ReadAt(told["mtime"], told["size"])


def _digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return blake2b(file.read(LOOKED_AT), digest_size=16).digest()
