import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.texts import common_prefix
from proxy.explain_volatile import KINDS, REACH, volatile

A, B = "550e8400-e29b-41d4-a716-446655440000", "1c9e6679-7425-40de-944b-e07fc1f90ae7"


def kind(before: str, now: str) -> str:
    return volatile(before, now, common_prefix(before, now))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("Today is Friday, November 21, 2026.", "Today is Saturday, November 22, 2026."),
        ("Now: 2026-11-21T10:00:00Z\nrest", "Now: 2026-11-21T10:00:05Z\nrest"),
        ("Current date: 2026-11-21", "Current date: 2026-12-01"),
        ("It is 3:05 PM here", "It is 4:05 PM here"),
        ("Es ist der 21. März 2026", "Es ist der 2. April 2026"),
        ("Datum: 21.11.2026 14:00", "Datum: 22.11.2026 15:00"),
        ("Nous sommes le lundi 3 août 2026", "Nous sommes le mardi 4 août 2026"),
        ("il est 14h05", "il est 15h10"),
        ("Hoy es 3 de diciembre de 2026", "Hoy es 4 de diciembre de 2026"),
        ("Сегодня 21 ноября 2026", "Сегодня 22 ноября 2026"),
        ("今天是2026年11月21日", "今天是2026年11月22日"),
        ("오늘은 2026년 11월 21일", "오늘은 2026년 11월 22일"),
        ("epoch 1763681630 s", "epoch 1763681690 s"),
        ("stamp 20261121T101500Z", "stamp 20261121T101700Z"),
    ],
)
def test_times_in_many_forms(before: str, now: str) -> None:
    assert kind(before, now) == "time"


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (f"session {A}.", f"session {B}.", "uuid"),
        ("trace req_011CVGiYs83kd93 of", "trace req_021CVGiYs83kd77 of", "id"),
        ("nonce Zm9vYmFyYmF6cXV4MTIz done", "nonce Zm9vYmFyYmF6cXV4NDU2 done", "id"),
        ("HEAD is a1b2c3d4e5f6 now", "HEAD is b1b2c3d4e5f6 now", "id"),
        ("tokens left: 12,345 of x", "tokens left: 9,345 of x", "counter"),
        ("Step 9 of 50\nmore", "Step 10 of 50\nmore", "counter"),
    ],
)
def test_ids_and_counters(before: str, now: str, expected: str) -> None:
    assert kind(before, now) == expected


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("def parse(text)", "def decode(text)"),
        ("x = 3 + y", "x = 4 * z"),
        ("You may ask again", "You must ask again"),
        ("on 2026-11-21 we left", "on 2026-11-21, we left"),  # the same date: what differs stands behind it
        ("a word", ""),
        ("", ""),
        ("revenue of 12 in the north", "revenue of 13 in the south"),
    ],
)
def test_what_somebody_wrote_is_not_volatile(before: str, now: str) -> None:
    assert kind(before, now) == ""


def test_only_what_stands_at_the_difference_counts() -> None:
    far = "x" * (REACH + 30)
    assert kind(f"2026-11-21 {far} alpha", f"2026-11-21 {far} beta") == ""
    assert kind(f"{far} 2026-11-21", f"{far} 2026-11-22") == "time"


@given(st.text(string.printable, max_size=300), st.text(string.printable, max_size=300))
def test_any_text_is_of_a_known_kind_or_none(before: str, now: str) -> None:
    assert kind(before, now) in (*KINDS, "")


@given(
    st.datetimes(), st.datetimes(), st.sampled_from(["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M", "%B %d, %Y", "%d %b %Y"])
)
def test_any_two_dates_of_one_form(a, b, form) -> None:  # type: ignore[no-untyped-def]
    before, now = (f"Now {moment.replace(year=2000 + moment.year % 99).strftime(form)} end" for moment in (a, b))
    assert (kind(before, now) == "time") == (before != now)
