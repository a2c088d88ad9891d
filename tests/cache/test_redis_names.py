from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.redis_names import BUCKETS, Names


def test_what_belongs_together_has_the_same_tag() -> None:
    names = Names("wg", BUCKETS)
    key = sha256(b"1").digest()
    bucket = names.bucket(key)
    assert names.entry(key) == f"{{wg#{bucket}}}:e:{key.hex()}"
    assert names.label(bucket, b"\x01" * 8) == f"{{wg#{bucket}}}:l:{'01' * 8}"
    assert names.base("r") == "{wg#r}:"


@given(st.binary(min_size=32, max_size=32))
def test_the_key_of_a_name(key: bytes) -> None:
    names = Names("a.b:c", 7)
    assert names.key(names.entry(key)) == key
    assert fnmatchcase(names.entry(key), names.entries)


def test_a_prefix_that_begins_like_another_is_not_walked_through_with_it() -> None:
    key = bytes(32)
    assert not fnmatchcase(Names("a:0").entry(key), Names("a").entries)
    assert not fnmatchcase(Names("ab").entry(key), Names("a").entries)


def test_keys_are_spread_over_all_buckets() -> None:
    names = Names("wg", BUCKETS)
    counts = Counter(names.bucket(sha256(str(number).encode()).digest()) for number in range(3200))
    assert len(counts) == BUCKETS
    assert max(counts.values()) < 200


@pytest.mark.parametrize("prefix", ["", "a b", "{a}", "a#", "a*", "a[b]", "a?", "a\\", "ä", "x" * 65, "a\n"])
def test_what_redis_would_read_as_more_than_a_name_is_no_prefix(prefix: str) -> None:
    with pytest.raises(ValueError, match="can't be a prefix"):
        Names(prefix)
