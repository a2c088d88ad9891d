from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.usage import Usage
from cache.entry import Entry, Shape
from cache.redis_entry import HEAD, MARK, VERSION, Damaged, Foreign, Kept, decode, encode, mark
from tests.cache.contract import Clock, entry_of, key_of

MOST = 1 << 20

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ENTRIES = st.builds(
    Entry,
    key=st.binary(min_size=32, max_size=32),
    tenant=TEXTS,
    namespace=TEXTS,
    model=TEXTS,
    shape=st.sampled_from(Shape),
    status=st.integers(100, 599),
    headers=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    body=st.binary(max_size=2000) | st.integers(0, 20000).map(lambda count: b"ab" * count),
    with_usage=st.booleans(),
    usage=st.none() | st.tuples(*[st.integers(0, 1 << 40)] * 6).map(lambda counts: Usage(*counts)),
    cost=st.none() | FINITE,
    stored_at=FINITE,
    expires_at=FINITE,
    labels=st.lists(TEXTS, max_size=64, unique=True).map(tuple),
    took=FINITE,
)


@given(ENTRIES, FINITE, st.integers(0, 5000))
def test_what_is_encoded_comes_back(entry: Entry, until: float, over: int) -> None:
    assert decode(entry.key, encode(entry, until, over), MOST) == Kept(entry, until)


@given(ENTRIES, st.data())
def test_any_change_of_any_byte_is_seen(entry: Entry, data: st.DataObject) -> None:
    value = encode(entry, 1.0, 100)
    at = data.draw(st.integers(0, len(value) - 1))
    other = value[:at] + bytes([value[at] ^ data.draw(st.integers(1, 255))]) + value[at + 1 :]
    with pytest.raises((Damaged, Foreign)):
        decode(entry.key, other, MOST)
    with pytest.raises((Damaged, Foreign)):
        decode(entry.key, value[: data.draw(st.integers(0, len(value) - 1))], MOST)
    with pytest.raises(Damaged):
        decode(b"another key".ljust(32), value, MOST)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_surprise(junk: bytes) -> None:
    with pytest.raises((Damaged, Foreign)):
        decode(key_of(1), junk, MOST)
    with pytest.raises(Damaged):
        decode(key_of(1), VERSION + junk, MOST)


@pytest.mark.parametrize("value", [None, 7, "text", b"", b"\x02" + bytes(100), [b"\x01"]])
def test_what_another_version_wrote_is_told_apart_from_damage(value: object) -> None:
    with pytest.raises(Foreign):
        decode(key_of(1), value, MOST)


def test_it_is_compressed_where_that_saves_and_not_before() -> None:
    clock = Clock()
    long, short = entry_of(1, clock, body=b"word " * 2000), entry_of(1, clock, body=b"word " * 20)
    assert len(encode(long, 1.0, 4096)) < 1000
    assert len(encode(long, 1.0, 1 << 30)) > 10_000
    assert short.body in encode(short, 1.0, 4096)
    noise = entry_of(1, clock, body=b"".join(sha256(bytes([number])).digest() for number in range(256)))
    assert noise.body in encode(noise, 1.0, 4096)


def test_what_unfolds_beyond_all_bounds_is_not_unfolded() -> None:
    entry = entry_of(1, Clock(), body=bytes(1 << 22))
    value = encode(entry, 1.0, 100)
    assert len(value) < 50_000
    with pytest.raises(Damaged, match="longer"):
        decode(entry.key, value, 1 << 20)
    assert decode(entry.key, value, 1 << 23).entry == entry


def test_marks_are_where_the_server_looks_for_them() -> None:
    entry = entry_of(1, Clock(), tenant="t", namespace="n", labels=tuple(f"l{number}" for number in range(64)))
    head = encode(entry, 1.0, 100)[:HEAD]
    assert head[:1] == VERSION
    assert head[1 : 1 + MARK] == mark("t")
    assert head[1 + MARK : 1 + 2 * MARK] == mark("n")
    assert head[1 + 2 * MARK] == 64
    assert head[2 + 2 * MARK :] == b"".join(map(mark, entry.labels))


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "\ud800"},
        {"status": 1 << 70},
        {"cost": float("nan")},
        {"took": float("inf")},
        {"labels": tuple(map(str, range(65)))},
    ],
)
def test_what_cannot_be_told_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises((ValueError, OverflowError)):
        encode(entry_of(1, Clock(), **changes), 1.0, 100)
