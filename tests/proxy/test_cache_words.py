"""What `warmgate cache` prints of what a proxy says, whatever that is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cache_words import cleared, done, explained, happened, plain, stored

NAMES = (
    *("route", "model", "exact", "semantic", "outcome", "why", "level", "age", "ttl", "key", "stores", "missing"),
    *("closest", "cached", "not_kept", "seconds_ago", "identical", "differences", "more", "path", "kind", "there"),
    *("here", "mode", "score", "threshold", "scope", "in_scope", "neighbours", "observed", "right", "wrong"),
    *("similarity", "entry", "text", "vetoes", "guard", "correct", "deleted", "quarantined"),
)
WILD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    max_leaves=40,
)


def exact(**members: Any) -> str:
    return explained({"route": "chat", "model": "m", "exact": members, "semantic": {"mode": "off"}})


def test_differences() -> None:
    listed = [
        {"path": "temperature", "kind": "changed", "there": "0", "here": "1"},
        {"path": "seed", "kind": "added", "there": None, "here": "7"},
        {"path": "headers.openai-beta", "kind": "removed", "there": "x", "here": None},
        {"path": "tools", "kind": "order", "there": "[1,2]", "here": "[2,1]"},
    ]
    closest = {"seconds_ago": 7300, "cached": False, "not_kept": "length", "differences": listed, "more": True}
    assert exact(outcome="miss", why="w", key="ab" * 32, closest=closest, stores=False) == (
        "chat request, model m\n"
        "exact: miss: w (key abababababababab)\n"
        "    an answer would not be kept\n"
        "    the closest request was asked 2 h ago, and its answer is not in the cache (not kept: length);"
        " it differs in\n"
        "        temperature\n"
        "            there: 0\n"
        "            here:  1\n"
        "        seed: only here: 7\n"
        "        headers.openai-beta: only there: x\n"
        "        tools: the same in another order\n"
        "        ... and more\n"
        "semantic: off\n"
    )


def test_the_identical_request_and_none() -> None:
    told = exact(outcome="miss", closest={"identical": True, "cached": False, "seconds_ago": 300, "not_kept": "x"})
    assert "the identical request was asked 5 min ago, and its answer is not in the cache (not kept: x)\n" in told
    assert "nothing else was asked lately with this key" in exact(outcome="miss", closest=None)
    assert "items that are not kept: 1, 5\n" in exact(outcome="miss", missing=[1, 5])


@pytest.mark.parametrize(
    ("semantic", "line"),
    [
        ({"mode": "on", "outcome": "not looked", "why": "images", "scope": ""}, "semantic (on): not looked: images"),
        (
            {"mode": "shadow", "outcome": "would hit", "why": "", "score": 0.99, "threshold": 0.97, "scope": "ab" * 32,
             "in_scope": 3},
            "semantic (shadow): would hit, score 0.990 of 0.970; 3 in scope abababababababab",
        ),
    ],
)  # fmt: skip
def test_what_the_semantic_cache_would_do(semantic: dict[str, Any], line: str) -> None:
    assert explained({"semantic": semantic}).splitlines()[-1] == line


def test_a_veto_with_words_on_one_side() -> None:
    told = explained({"semantic": {"mode": "on", "neighbours": [{"vetoes": [{"guard": "negation", "here": ["not"]}]}]}})
    assert told.endswith("vetoed by negation: 'not' here, nothing there\n")


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"deleted": 3, "semantic": 2, "exact": 1}, "deleted: 2 semantic, 1 exact\n"),
        ({"entry": 5, "correct": True, "quarantined": False}, "entry 5 is right: noted\n"),
        ({"entry": 5, "correct": False, "quarantined": False}, "entry 5 is wrong: noted, but it was not found\n"),
        ({"key": "ab", "correct": False, "deleted": 1, "exact": 1}, "key ab is wrong: deleted: 0 semantic, 1 exact\n"),
    ],
)
def test_what_was_done(told: dict[str, Any], line: str) -> None:
    assert done(told) == line


def test_nothing_reaches_a_terminal_that_could_steer_it() -> None:
    assert plain("a\x1b[2J\x9b\u202eb\nc\ud800") == "a\\u001b[2J\\u009b\\u202eb\\nc\\ud800"
    assert plain("naïve 質問 “x”") == "naïve 質問 “x”"


@given(st.dictionaries(st.sampled_from(NAMES), WILD, max_size=12))
def test_whatever_a_proxy_says(told: dict[str, Any]) -> None:
    for text in (explained(told), done(told)):
        assert text.endswith("\n")
        assert all(line.isprintable() for line in text.split("\n"))


@given(WILD)
def test_anything_about_what_went_can_be_told(told: Any) -> None:
    if isinstance(told, dict):
        for words in (cleared, happened, stored, done):
            assert words({"key": 1} | told).endswith("\n")


def test_what_went_and_what_would() -> None:
    assert cleared({"would_delete": 2, "examples": ["a\n", 5]}) == (
        "would delete 2; nothing has been done (--yes does it)\n    a\\n\n    5\n"
    )
    late = {"semantic": 1, "exact": 2, "complete": False, "missing": ["b", "c"], "why": "w"}
    told = "1 semantic, 2 exact\nnot confirmed yet by b, c (w): what it holds may be served until its lease is over\n"
    assert cleared(late) == f"deleted: {told}"
    assert happened(late) == f"noted; deleted: {told}"
    assert done(late) == f"deleted: {told}"
    assert done({"complete": True, "missing": ["b"]}) == "deleted: 0 semantic, 0 exact\n"


def test_what_became_of_a_value() -> None:
    assert stored({"stored": True, "ttl": 7200.0}) == "kept for 2 h\n"
    assert stored({"stored": False, "why": "ttl 0"}) == "not kept: ttl 0\n"
    assert stored({"stored": True, "ttl": 5, "complete": False}).endswith(
        "not confirmed yet by some replica: what it holds may be served until its lease is over\n"
    )
