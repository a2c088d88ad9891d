"""What a purge and an event ask for; what is refused is tested over HTTP, in `test_purge_desk`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Refused
from proxy.cache_wish import Asked
from proxy.purge_wish import Happened, Purge, checked_tag, events_of, purge_of
from proxy.value_path import Place
from proxy.value_wish import Answer, File, Named

LONGEST = 512


def purge(**body: Any) -> Purge:
    return purge_of(json.dumps(body).encode(), LONGEST)


def test_what_stood_here_before() -> None:
    assert purge_of(b'{"everything":true}', 9) == Purge(everything=True)
    assert purge_of(b'{"scope":"' + b"Ab" * 32 + b'"}', 9) == Purge(scope=b"\xab" * 32)
    bare = purge_of(b'{"scope_of": {"model":"m" } }', 9)
    assert bare == Purge(scope_of=Asked("", b'{"model":"m" }', {}, "scope_of."))
    wrapped = purge_of(b'{"scope_of": {"route":"messages","body": {"model":"m" }} }', 9).scope_of
    assert wrapped == Asked("messages", b'{"model":"m" }', {}, "scope_of.body.")


def test_targets() -> None:
    assert purge(keys=["0123456789ABCDEF", "tool/a/b", "tool/a/b"]).keys == ("0123456789abcdef", Place("tool", "a/b"))
    assert purge(tags=["a", "b", "a"]) == Purge(tags=("a", "b"))
    assert purge(namespace="any word") == Purge(namespace="any word")
    assert purge(pattern="tool/*") == Purge(pattern="tool/*", dry_run=True)
    expected = (File("/a b"), Place("n", "k"), Answer(bytes(32)), Named("prompt:x"))
    assert purge(depends=["file:/a%20b", "entry:n/k", "entry:" + "0" * 64, "prompt:x"]).depends == expected
    assert purge(depends="prompt:x").depends == (Named("prompt:x"),)


def test_only_a_pattern_is_tried_first() -> None:
    assert purge(pattern="x", dry_run=False).dry_run is False
    for name, value in (("everything", True), ("tags", ["a"]), ("keys", ["n/k"]), ("namespace", "n")):
        assert (purge(**{name: value}).dry_run, purge(**{name: value, "dry_run": True}).dry_run) == (False, True)


def test_a_tag_names_where_it_stands() -> None:
    assert checked_tag("doc:42", "tag") == "doc:42"
    with pytest.raises(Refused) as refused:
        checked_tag("a b", "tags[3]")
    assert (refused.value.status, refused.value.param) == (400, "tags[3]")


def test_events() -> None:
    assert events_of(b'{"kind":"deploy"}') == (Happened("deploy", {}),)
    raw = b' [{"kind":"a","n":1.5,"path":"/x"},{"kind":"b"}]'
    assert events_of(raw) == (Happened("a", {"n": "1.5", "path": "/x"}), Happened("b", {}))


WILD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["everything", "scope", "keys", "tags", "namespace", "pattern", "depends", "dry_run", "kind", "name", "x"]
)


@given(st.dictionaries(NAMES, WILD | st.just(True) | st.lists(st.text(), max_size=3), max_size=3))
def test_whatever_stands_there_is_read_or_refused(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    for read in (lambda: purge_of(raw, LONGEST), lambda: events_of(raw), lambda: events_of(b"[%b]" % raw)):
        with suppress(Refused):
            read()


@given(st.binary(max_size=60))
def test_whatever_bytes_there_are(raw: bytes) -> None:
    for read in (lambda: purge_of(raw, LONGEST), lambda: events_of(raw), lambda: events_of(b"[" + raw)):
        with pytest.raises(Refused):
            read()
