"""What a request asks of the cache: every directive, every member, every way to get one wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Refused
from adapters.vocabulary import PLAIN, Controls
from cache.controls import CONTEXT, MEMBERS, NOTHING, SEMANTIC, SIMILARITY, TAGS, Asked, controls_of, member_of

HEADERS: dict[str | None, Controls] = {
    None: PLAIN,
    "": PLAIN,
    " , ,": PLAIN,
    "no-cache": Controls(no_cache=True),
    "No-Cache": Controls(no_cache=True),
    " \tno-store ": Controls(no_store=True),
    "NO-STORE": Controls(no_store=True),
    "only-if-cached": Controls(only_if_cached=True),
    "no-cache,no-store": Controls(no_cache=True, no_store=True),
    "no-cache , max-age=5,, ONLY-IF-CACHED": Controls(no_cache=True, max_age=5, only_if_cached=True),
    "max-age=0": Controls(max_age=0),
    "max-age=60": Controls(max_age=60),
    "Max-Age=060": Controls(max_age=60),
    'max-age="60"': Controls(max_age=60),
    "max-age = 60": Controls(max_age=60),
    # Malformed numbers are as good as not sent.
    "max-age": PLAIN,
    "max-age=": PLAIN,
    "max-age=-1": PLAIN,
    "max-age=+1": PLAIN,
    "max-age=1.5": PLAIN,
    "max-age=1e3": PLAIN,
    "max-age=1_0": PLAIN,
    "max-age=0x10": PLAIN,
    "max-age=nan": PLAIN,
    "max-age=inf": PLAIN,
    "max-age=ten": PLAIN,
    "max-age=٣": PLAIN,
    "max-age=²": PLAIN,
    "max-age=x, no-store": Controls(no_store=True),
    # Directives that nobody here knows, and words that only look like one.
    "private, max-stale=60, min-fresh=3, no-transform, immutable": PLAIN,
    "stale-if-error=9": Controls(stale_if_error=9.0),
    "stale-if-error=9, stale-if-error=0": Controls(stale_if_error=0.0),
    "stale-if-error=-1": PLAIN,
    "xno-cache, no-cachex, no_cache, nocache, no cache": PLAIN,
    "s-maxage=5, ttl=5, namespace=a": PLAIN,
    # Arguments that a directive has no use for.
    'no-cache="Set-Cookie"': Controls(no_cache=True),
    "no-store=0": Controls(no_store=True),
    # A directive twice: the stricter one, whatever stands between and behind.
    "max-age=5, max-age=60": Controls(max_age=5),
    "max-age=60, max-age=5": Controls(max_age=5),
    "max-age=5, max-age=x": Controls(max_age=5),
    "max-age=x, max-age=5": Controls(max_age=5),
    # What stands inside a quoted argument is no directive (RFC 9110 §5.6.4).
    'community="UCI, no-store", max-age=5': Controls(max_age=5),
    'a="x, only-if-cached, y"': PLAIN,
    r'a="\", no-cache, \\", no-store': Controls(no_store=True),
    # A quotation mark that nobody closes hides nothing.
    'max-age="60, no-store': Controls(no_store=True),
    'a=", no-store': Controls(no_store=True),
    '"no-store"': PLAIN,
}


@pytest.mark.parametrize("header", HEADERS, ids=repr)
def test_a_header_says(header: str | None) -> None:
    assert controls_of(header) == HEADERS[header]


def test_a_number_of_any_length_is_only_a_long_time() -> None:
    assert controls_of("max-age=" + "9" * 5000).max_age == float("inf")


@given(st.text() | st.lists(st.sampled_from(["no-store", "max-age", "=", ",", '"', "\\", " ", "5", "a"])).map("".join))
def test_no_header_is_an_error(header: str) -> None:
    controls = controls_of(header)
    assert controls.max_age is None or controls.max_age >= 0
    assert (controls.ttl, controls.namespace) == (None, "")


@given(st.lists(st.sampled_from(["no-cache", "no-store", "only-if-cached", "max-age=5", "max-age=7", "x"])))
def test_the_order_of_directives_does_not_matter(directives: list[str]) -> None:
    controls = controls_of(",".join(directives))
    assert controls == controls_of(" , ".join(reversed(directives)))
    assert controls.no_cache is ("no-cache" in directives)
    assert controls.no_store is ("no-store" in directives)
    assert controls.only_if_cached is ("only-if-cached" in directives)
    assert controls.max_age == (5 if "max-age=5" in directives else 7 if "max-age=7" in directives else None)


GOOD: list[tuple[Any, Controls]] = [
    (None, PLAIN),
    ({}, PLAIN),
    ({"ttl": 60}, Controls(ttl=60)),
    ({"ttl": 0}, Controls(ttl=0)),
    ({"ttl": 0.5}, Controls(ttl=0.5)),
    ({"ttl": None}, PLAIN),
    ({"ttl": 2**70}, Controls(ttl=float(2**70))),
    ({"s-maxage": 60}, Controls(max_age=60)),
    ({"s-maxage": 0.0}, Controls(max_age=0)),
    ({"s-maxage": None}, PLAIN),
    ({"no-cache": True}, Controls(no_cache=True)),
    ({"no-cache": False, "no-store": False}, PLAIN),
    ({"no-store": True}, Controls(no_store=True)),
    ({"namespace": "a b\x00é"}, Controls(namespace="a b\x00é")),
    ({"namespace": ""}, PLAIN),
    ({"similarity": 0.93}, Controls(similarity=0.93)),
    ({"similarity": 0}, Controls(similarity=0.0)),
    ({"similarity": 1}, Controls(similarity=1.0)),
    ({"similarity": None}, PLAIN),
    ({"semantic": False}, Controls(exact=True)),
    ({"semantic": True}, PLAIN),
    ({"tags": ["a", " doc:1 ", "a", ""]}, Controls(tags=("a", "doc:1"))),
    ({"tags": []}, PLAIN),
    (
        {"ttl": 1, "s-maxage": 2, "no-cache": True, "no-store": True, "namespace": "n"},
        Controls(no_cache=True, no_store=True, max_age=2, ttl=1, namespace="n"),
    ),
]


@pytest.mark.parametrize(("member", "controls"), GOOD, ids=repr)
def test_a_member_says(member: Any, controls: Controls) -> None:
    assert controls_of(None, member) == controls
    assert controls_of("", member) == controls


def test_seconds_are_floats_whatever_they_were() -> None:
    controls = controls_of(None, {"ttl": 1, "s-maxage": 2})
    assert (type(controls.ttl), type(controls.max_age)) == (float, float)
    assert type(controls_of(None, {"similarity": 1}).similarity) is float


NUMBERS = ("ttl", "s-maxage")
NO_NUMBERS: list[Any] = [
    -1, -0.5, float("nan"), float("inf"), float("-inf"), True, False, "60", "", [], [60], {}, 10**400, -(10**400),
]  # fmt: skip
NO_FLAGS: list[Any] = [None, 0, 1, "true", "", [], {}, 1.0]
NO_NAMES: list[Any] = [None, 0, True, [], ["a"], {}]

BAD = [
    *[(name, value) for name in NUMBERS for value in NO_NUMBERS],
    *[("similarity", value) for value in [*NO_NUMBERS, 1.0001, 2]],
    *[(name, value) for name in ("no-cache", "no-store", "semantic") for value in NO_FLAGS],
    *[("namespace", value) for value in NO_NAMES],
    *[(name, 1) for name in ("", "TTL", "max-age", "s_maxage", "only-if-cached", "nocache", "a.b")],
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda value: repr(value)[:20])
def test_a_malformed_member_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(Refused) as refused:
        controls_of("no-store", {name: value})
    assert (refused.value.status, refused.value.param) == (400, f"cache.{name}")
    assert refused.value.kind == "invalid_request_error"
    assert "`cache" in refused.value.message


@pytest.mark.parametrize("member", [True, False, 0, 1, 1.0, "", "no-store", [], ["no-store"]])
def test_a_cache_that_is_no_object_is_refused(member: Any) -> None:
    with pytest.raises(Refused) as refused:
        controls_of(None, member)
    assert (refused.value.status, refused.value.param) == (400, "cache")


def test_the_members_are_these_and_no_others() -> None:
    assert MEMBERS == ("ttl", "s-maxage", "no-cache", "no-store", "namespace", "similarity", "semantic", "tags")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(), inner),
    max_leaves=6,
)


def read(member: Any, asked: Asked = NOTHING) -> Controls | Refused:
    try:
        return controls_of(None, member, asked)
    except Refused as refused:
        return refused


@given(JSON)
def test_any_json_is_read_or_refused(member: Any) -> None:
    answer = read(member)
    if isinstance(answer, Refused):
        assert (answer.param or "").startswith("cache")
    else:
        assert member is None or set(member) <= set(MEMBERS)
        assert all(seconds is None or 0 <= seconds < float("inf") for seconds in (answer.max_age, answer.ttl))
        assert answer.similarity is None or 0 <= answer.similarity <= 1


STRICTER: list[tuple[str, dict[str, Any], Controls]] = [
    ("no-cache", {"no-cache": False}, Controls(no_cache=True)),
    ("", {"no-cache": True}, Controls(no_cache=True)),
    ("no-store", {"no-store": False}, Controls(no_store=True)),
    ("max-age=60", {"no-store": True}, Controls(no_store=True, max_age=60)),
    ("max-age=60", {"s-maxage": 5}, Controls(max_age=5)),
    ("max-age=5", {"s-maxage": 60}, Controls(max_age=5)),
    ("max-age=0", {"s-maxage": 60}, Controls(max_age=0)),
    ("max-age=5", {"s-maxage": 0}, Controls(max_age=0)),
    ("max-age=5", {"s-maxage": None}, Controls(max_age=5)),
    ("max-age=x", {"s-maxage": 7}, Controls(max_age=7)),
    ("only-if-cached", {"namespace": "n", "ttl": 3}, Controls(only_if_cached=True, namespace="n", ttl=3)),
]


@pytest.mark.parametrize(("header", "member", "controls"), STRICTER)
def test_of_both_the_stricter_holds(header: str, member: dict[str, Any], controls: Controls) -> None:
    assert controls_of(header, member) == controls


@pytest.mark.parametrize(
    ("controls", "shareable"),
    [
        (PLAIN, True),
        (Controls(max_age=0, ttl=0, namespace="n"), True),
        (Controls(no_cache=True), False),
        (Controls(no_store=True), False),
        (Controls(only_if_cached=True), False),
    ],
)
def test_a_call_that_wants_its_own_answer_shares_none(controls: Controls, shareable: bool) -> None:
    assert controls.shareable is shareable


@pytest.mark.parametrize(
    "header", ["", "no-cache", "no-store", "max-age=5", "no-cache, max-age=0, no-store", "only-if-cached, max-age=7"]
)
def test_a_header_can_be_said_as_a_member(header: str) -> None:
    said = controls_of(header)
    assert controls_of(None, member_of(said)) == replace(said, only_if_cached=False)


@pytest.mark.parametrize(
    ("line", "member", "tags"),
    [
        ("a, b", None, ("a", "b")),
        ("a", {"tags": ["b", "a"]}, ("a", "b")),
        (",, ,", None, ()),
        (None, {"tags": ["b"]}, ("b",)),
    ],
)
def test_tags_of_a_line_and_of_the_body_come_together(line: str | None, member: Any, tags: tuple[str, ...]) -> None:
    assert controls_of(None, member, Asked(tags=line)).tags == tags


@pytest.mark.parametrize(
    "line", ["a b", "file:/etc/passwd", "entry:00", 'a"b', "x" * 257, ",".join(map(str, range(65)))]
)
def test_what_is_no_tag_is_refused(line: str) -> None:
    with pytest.raises(Refused) as caught:
        controls_of(None, None, Asked(tags=line))
    assert (caught.value.status, caught.value.param) == (400, "Cache-Tags")


@pytest.mark.parametrize("tags", ["a", {"a": 1}, [1], [None], 7, [["a"]], ["file:/a"]])
def test_tags_of_the_body_are_a_list_of_them(tags: Any) -> None:
    with pytest.raises(Refused) as caught:
        controls_of(None, {"tags": tags})
    assert caught.value.param == "cache.tags"


def test_a_member_says_the_same_again() -> None:
    member = {"ttl": 5.0, "s-maxage": 0.0, "no-cache": True, "no-store": True, "namespace": "n"}
    member |= {"similarity": 0.0, "semantic": False, "tags": ["a", "doc:1"]}
    assert set(member) == set(MEMBERS)
    assert member_of(controls_of(None, member)) == member


# Header lines of this proxy's own

ASKED: list[tuple[Asked, Controls]] = [
    (Asked(), PLAIN),
    (Asked(similarity="0.93"), Controls(similarity=0.93)),
    (Asked(similarity="0"), Controls(similarity=0.0)),
    (Asked(similarity="1.000"), Controls(similarity=1.0)),
    (Asked(similarity=" .5 "), Controls(similarity=0.5)),
    (Asked(similarity="0.5, 0.9, 0.7"), Controls(similarity=0.9)),
    (Asked(semantic="off"), Controls(exact=True)),
    (Asked(semantic=" Off "), Controls(exact=True)),
    (Asked(semantic="on"), PLAIN),
    (Asked(semantic="on, off"), Controls(exact=True)),
    (Asked(context="personal"), Controls(exact=True)),
    (Asked(context="retrieved"), Controls(exact=True)),
    (Asked(context="shared"), PLAIN),
    (Asked(context=" SHARED, shared"), PLAIN),
    (Asked(context="shared, personal"), Controls(exact=True)),
    (Asked(context="shared,"), Controls(exact=True)),
    (Asked(context=""), Controls(exact=True)),
    (Asked(context="public"), Controls(exact=True)),
    (Asked("1", "on", "personal"), Controls(similarity=1.0, exact=True)),
]


@pytest.mark.parametrize(("asked", "controls"), ASKED, ids=str)
def test_our_own_lines_say(asked: Asked, controls: Controls) -> None:
    assert controls_of(None, None, asked) == controls
    assert controls_of("no-store", {"ttl": 1}, asked) == replace(controls, no_store=True, ttl=1.0)
    assert controls_of(None, member_of(controls)) == controls, "and a recording says the same"


BAD_LINES = [
    *[(SIMILARITY, Asked(similarity=value)) for value in ("", " ", "x", "-0.1", "+0.5", "1.01", "2", "1e-1", "nan")],
    *[(SIMILARITY, Asked(similarity=value)) for value in ("inf", "0x1", "0,93x", "0.9,", "٠.٥", "0_1", "93%", ".")],
    *[(SEMANTIC, Asked(semantic=value)) for value in ("", "true", "false", "0", "no", "shadow", "on off", "on,")],
]  # fmt: skip


@pytest.mark.parametrize(("name", "asked"), BAD_LINES, ids=str)
def test_a_malformed_line_is_refused_by_its_name(name: str, asked: Asked) -> None:
    with pytest.raises(Refused) as refused:
        controls_of(None, None, asked)
    assert (refused.value.status, refused.value.param) == (400, name)
    assert name in refused.value.message


@pytest.mark.parametrize(
    ("asked", "member", "controls"),
    [
        (Asked(similarity="0.9"), {"similarity": 0.8}, Controls(similarity=0.9)),
        (Asked(similarity="0.8"), {"similarity": 0.9}, Controls(similarity=0.9)),
        (Asked(semantic="on"), {"semantic": False}, Controls(exact=True)),
        (Asked(semantic="off"), {"semantic": True}, Controls(exact=True)),
        (Asked(context="personal"), {"semantic": True}, Controls(exact=True)),
    ],
)
def test_of_a_line_and_a_member_the_stricter_holds(asked: Asked, member: dict[str, Any], controls: Controls) -> None:
    assert controls_of(None, member, asked) == controls


@given(st.builds(Asked, *[st.none() | st.text(st.sampled_from("01.9,onf shared"), max_size=6)] * 4))
def test_any_line_is_read_or_refused(asked: Asked) -> None:
    answer = read(None, asked)
    if isinstance(answer, Refused):
        assert answer.param in (SIMILARITY, SEMANTIC, TAGS)
    else:
        assert answer.similarity is None or 0 <= answer.similarity <= 1
        assert answer.exact or asked.context is None or "shared" in asked.context


def test_none_of_our_lines_goes_upstream() -> None:
    assert all(name.lower().startswith("x-warmgate-") for name in (SIMILARITY, SEMANTIC, CONTEXT))
