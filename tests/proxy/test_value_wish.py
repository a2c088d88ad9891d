"""What the header lines of a request for a value say; what is refused is tested over HTTP, in `test_value_desk`."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.errors import Refused
from proxy.value_path import Place
from proxy.value_wish import (
    Answer,
    Conditions,
    File,
    Named,
    Wish,
    conditions_of,
    depend_of,
    depends_of,
    joined,
    no_query,
    wish_of,
)

NOTHING = Wish("application/octet-stream", None, (), (), "")


def wish(query: str = "", *lines: tuple[str, str]) -> Wish:
    return wish_of(CIMultiDict(lines), query, 512)


def test_nothing_said() -> None:
    assert wish() == NOTHING


def test_everything_said() -> None:
    said = wish(
        "ttl=20",
        ("content-type", "text/plain"),
        ("Cache-Tags", "a, b"),
        ("cache-tags", "b,,c"),
        ("X-Warmgate-Depends", "file:/a;mtime=5"),
        ("X-Warmgate-Depends", "prompt:x"),
        ("X-Warmgate-Mark", "w-1"),
    )
    assert said == Wish("text/plain", 20.0, ("a", "b", "c"), (File("/a", 5), Named("prompt:x")), "w-1")


@pytest.mark.parametrize(
    ("control", "ttl"),
    [
        ("max-age=5", 5.0),
        ("max-age=5, MAX-AGE=3", 3.0),
        ("no-store, max-age=5", 0.0),
        ("private, stale-if-error=5", None),
        ("", None),
    ],
)
def test_how_long(control: str, ttl: float | None) -> None:
    assert wish("", ("Cache-Control", control)).ttl == ttl


def test_the_shorter_time_holds() -> None:
    assert wish("ttl=5.5", ("Cache-Control", "max-age=6")).ttl == 5.5


@pytest.mark.parametrize(
    ("text", "depend"),
    [
        ("file:/a/b.py", File("/a/b.py")),
        ("file:/a%2Cb%3B;mtime=1234567890123456789", File("/a,b;", 1234567890123456789)),
        ("file:/a;size=5;mtime=6", File("/a", 6, 5)),
        ("entry:tool/a/%C3%BC", Place("tool", "a/ü")),
        ("entry:" + "AB" * 32, Answer(b"\xab" * 32)),
        ("prompt:support", Named("prompt:support")),
        ("file", Named("file")),
    ],
)
def test_what_a_value_may_depend_on(text: str, depend: object) -> None:
    assert depend_of(text, 512, "x") == depend


def test_the_same_thing_counts_once() -> None:
    assert depends_of("prompt:a, prompt:b , ,prompt:a", 512) == (Named("prompt:a"), Named("prompt:b"))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_list_is_read_or_refused(text: str) -> None:
    for prefix in ("", "file:/", "entry:n/", "file:/x;mtime="):
        with suppress(Refused):
            assert len(depends_of(prefix + text, 512)) <= 64


def test_conditions() -> None:
    lines = CIMultiDict([("If-Match", '"a"'), ("If-Match", 'W/"b", "c"'), ("If-None-Match", " * ")])
    assert conditions_of(lines) == Conditions(('"a"', 'W/"b"', '"c"'), ("*",))
    assert conditions_of(CIMultiDict()) == Conditions(None, None)


@pytest.mark.parametrize(
    ("match", "none_match", "etag", "fails"),
    [
        (None, None, None, False),
        (None, None, '"a"', False),
        (("*",), None, None, True),
        (("*",), None, '"a"', False),
        (('"a"',), None, '"a"', False),
        (('W/"a"',), None, '"a"', True),
        (('"b"', '"a"'), None, '"a"', False),
        (('"b"',), None, '"a"', True),
        (None, ("*",), None, False),
        (None, ("*",), '"a"', True),
        (None, ('W/"a"',), '"a"', True),
        (None, ('"b"',), '"a"', False),
        (('"a"',), ('"a"',), '"a"', True),
    ],
)
def test_whether_something_may_be_changed(
    match: tuple[str, ...] | None, none_match: tuple[str, ...] | None, etag: str | None, fails: bool
) -> None:
    assert Conditions(match, none_match).fails(etag) is fails


def test_lines_of_no_text_are_refused() -> None:
    assert joined(CIMultiDict([("a", "x"), ("A", "y")]), "a") == "x, y"
    assert joined(CIMultiDict(), "a") is None
    with pytest.raises(Refused, match="UTF-8"):
        joined(CIMultiDict([("a", "\udcff")]), "a")


def test_where_there_are_no_parameters() -> None:
    no_query("")
    with pytest.raises(Refused) as refused:
        no_query("ttl=5")
    assert refused.value.param == "ttl"
