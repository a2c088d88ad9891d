"""How things of this program are called in a Redis. Pure.

`{PREFIX#BUCKET}:` begins every name. What stands between the braces decides the slot of a cluster (Redis Cluster
specification, "Hash tags"), so all of one bucket lies in one slot: an entry, its place in the order, its labels. One
script can change them together, and they are lost together. A single server has one bucket.
"""

from __future__ import annotations

import re
from zlib import crc32

BUCKETS = 32
"""Of a cluster. All replicas have to use the same number: it is part of where an entry is looked for."""

_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Names:
    def __init__(self, prefix: str, buckets: int = 1) -> None:
        """Raises `ValueError` for a prefix that Redis would read as more than a name."""
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(f"`{prefix}` can't be a prefix: 1 to 64 of A-Z, a-z, 0-9, `_`, `.`, `:` and `-`")
        self._prefix = prefix
        self.buckets = range(buckets)
        self.entries = f"{{{prefix}#*}}:e:*"
        """A pattern for all entries, of `SCAN`. None of its other characters has a meaning there."""

    def bucket(self, key: bytes) -> int:
        return crc32(key) % len(self.buckets)

    def base(self, part: int | str) -> str:
        """What the names of a bucket begin with; `part` may also be a word, for what is in no bucket."""
        return f"{{{self._prefix}#{part}}}:"

    def entry(self, key: bytes) -> str:
        return f"{self.base(self.bucket(key))}e:{key.hex()}"

    def label(self, bucket: int, mark: bytes) -> str:
        """The set of those that carry a label."""
        return f"{self.base(bucket)}l:{mark.hex()}"

    @staticmethod
    def key(entry: str) -> bytes:
        """The key of an entry's name. Raises `ValueError` where it is none."""
        return bytes.fromhex(entry.rpartition(":e:")[2])
