"""The entry of a value, and what is told with it."""

from __future__ import annotations

from cache.entry import Shape
from proxy.value_path import Place
from proxy.value_told import ETAG_LINE, KEY_LINE, entry_of, etag_of, found_lines, line, missed_lines

ENTRY = entry_of(
    "t",
    Place("tool", "a/ü b"),
    b"k" * 32,
    b"body",
    content_type="text/x",
    etag='"e"',
    labels=["x"],
    now=100.0,
    ttl=50.0,
)


def test_an_etag_is_of_the_bytes() -> None:
    assert etag_of(b"a") == etag_of(b"a") != etag_of(b"b")
    assert etag_of(b"") == '"e3b0c44298fc1c149afbf4c8996fb924"'


def test_the_entry_of_a_value() -> None:
    assert (ENTRY.shape, ENTRY.tenant, ENTRY.namespace, ENTRY.labels) == (Shape.VALUE, "t", "tool", ("x",))
    assert (ENTRY.stored_at, ENTRY.expires_at) == (100.0, 150.0)
    assert (line(ENTRY, KEY_LINE), line(ENTRY, ETAG_LINE), line(ENTRY, "nothing")) == ("a/%C3%BC%20b", '"e"', "")
    assert not ENTRY.serves(stream=False, wants_usage=False)


def test_what_is_told_with_it() -> None:
    lines = dict(found_lines(ENTRY, "l2", 120.9))
    assert (lines["Age"], lines["Content-Type"], lines["ETag"]) == ("20", "text/x", '"e"')
    assert lines["Cache-Control"] == "private, no-cache, max-age=29"
    assert lines["Cache-Status"] == "warmgate; hit; ttl=29; detail=l2"


def test_a_clock_that_was_set_back_or_far_ahead_tells_nothing_negative() -> None:
    assert dict(found_lines(ENTRY, "l1", 90.0))["Age"] == "0"
    assert dict(found_lines(ENTRY, "l1", 900.0))["Cache-Control"].endswith("max-age=0")


def test_what_is_told_of_a_miss() -> None:
    assert dict(missed_lines("too old"))["Cache-Status"] == 'warmgate; fwd=miss; detail="too old"'
