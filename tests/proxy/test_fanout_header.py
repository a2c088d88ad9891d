"""The header that declares a fan-out: what it may look like, and that everything else is refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.vocabulary import Fanout
from proxy.fanout_header import fanout_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("job; n=8", Fanout("job", 8)),
        ("job;n=8", Fanout("job", 8)),
        (" job ; n=8 ", Fanout("job", 8)),
        ("7f3c-11:a/b*!#; n=1", Fanout("7f3c-11:a/b*!#", 1)),
        ('"my job"; n=10000', Fanout("my job", 10000)),
        (r'"a \"b\" \\ ; n=3"; n=2', Fanout(r'a "b" \ ; n=3', 2)),
        ("job; n=8; of=x; then", Fanout("job", 8)),
        ("job; n=8; n=9", Fanout("job", 9)),
        ("job; n=0008", Fanout("job", 8)),
        (f"{'x' * 128}; n=2", Fanout("x" * 128, 2)),
    ],
)
def test_what_declares_one(value: str, expected: Fanout) -> None:
    assert fanout_of(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "", " ", ";", "; n=8", "job", "job; n", "job; n=", "job; n=0", "job; n=10001", "job; n=-1", "job; n=8.0",
        "job; n=eight", 'job; n="8"', "job; n=8 9", "job; n=99999999999999999999999", "job, other; n=2", "job; N=8",
        '"open; n=2', '""; n=2', '"a"b"; n=2', "a b; n=2", "job; n=٨", "jöb; n=2", '"jöb"; n=2', "job; n = 2",
        '"tab\t"; n=2', f"{'x' * 129}; n=2", "job; n=2;", "job; n=2; =3", r'"a\b"; n=2',
    ],
)  # fmt: skip
def test_what_does_not(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        fanout_of(value)


def test_the_reason_holds_nothing_of_what_was_sent() -> None:
    with pytest.raises(ValueError, match=r"^n must be an integer from 1 to 10000$"):
        fanout_of("secret; n=no-number")
    with pytest.raises(ValueError, match=r"^it is not of the form GROUP; n=N$"):
        fanout_of("secret words; n=2")
    with pytest.raises(ValueError, match=r"^the name of the group must have 1 to 128 characters$"):
        fanout_of(f"{'secret' * 100}; n=2")


@given(st.text(max_size=60) | st.text('ab"\\;= n1', max_size=30))
def test_anything_is_one_or_is_not(value: str) -> None:
    try:
        found = fanout_of(value)
    except ValueError:
        return
    assert 1 <= len(found.group) <= 128
    assert 1 <= found.n <= 10_000


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=128), st.integers(1, 10_000))
def test_every_printable_name_can_be_said(group: str, n: int) -> None:
    quoted = group.replace("\\", r"\\").replace('"', r"\"")
    assert fanout_of(f'"{quoted}"; n={n}') == Fanout(group, n)
