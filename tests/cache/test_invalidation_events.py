from __future__ import annotations

from typing import Any

import pytest

from cache.invalidation_events import BUILT_IN, BadEvent, Events, Meant, UnknownEvent

RULES = {"deploy": ["release:{service}", "*"], "tool_changed": ["tools"], "moved": ["file:{from_}", "dir-{n}"]}
EVENTS = Events(RULES)


@pytest.mark.parametrize(
    ("kind", "facts", "labels", "everything"),
    [
        ("file_changed", {"path": "/data/a b.txt"}, ["file:/data/a b.txt"], False),
        ("prompt_changed", {"name": "support"}, ["prompt:support"], False),
        ("prompt_changed", {"name": "support", "version": 7}, ["prompt:support", "prompt:support@7"], False),
        ("prompt_changed", {"name": "a", "version": None, "more": [1]}, ["prompt:a"], False),
        ("tool_changed", {"name": "weather"}, ["tool:weather", "tools"], False),
        ("config_reloaded", {}, ["config"], False),
        ("deploy", {"service": "{x}"}, ["release:{x}"], True),
        ("moved", {"from_": "/x", "n": 3}, ["file:/x", "dir-3"], False),
    ],
)
def test_an_event_means_labels(kind: str, facts: dict[str, Any], labels: list[str], everything: bool) -> None:
    assert EVENTS.meant(kind, facts) == Meant(tuple(labels), everything)


@pytest.mark.parametrize(
    ("kind", "facts", "why"),
    [
        ("tool_changed", {}, "`name` has to be a text or a whole number"),
        ("tool_changed", {"name": None}, "has to be"),
        ("tool_changed", {"name": True}, "has to be"),
        ("tool_changed", {"name": 1.5}, "has to be"),
        ("tool_changed", {"name": ["x"]}, "has to be"),
        ("tool_changed", {"name": ""}, "1 to 4096"),
        ("tool_changed", {"name": "x" * 5000}, "1 to 4096"),
        ("tool_changed", {"name": "x" * 300}, "a tag has"),
        ("tool_changed", {"name": "two words"}, "no white space"),
        ("tool_changed", {"name": "\ud800"}, "no text"),
        ("tool_changed", {"name": 10**5000}, "no text"),
        ("config_reloaded", {str(n): n for n in range(40)}, "32 facts"),
    ],
)
def test_an_event_that_means_nothing_is_refused(kind: str, facts: dict[str, Any], why: str) -> None:
    with pytest.raises(BadEvent, match=why):
        EVENTS.meant(kind, facts)


def test_a_kind_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownEvent, match="nobody knows events of the kind `unknown`; there are file_changed,"):
        EVENTS.meant("unknown", {})
    with pytest.raises(UnknownEvent):
        EVENTS.meant("", {})


@pytest.mark.parametrize(
    ("kind", "labels", "why"),
    [
        ("", ["a"], "has a name"),
        ("a", [], "one label at least"),
        ("a", ["two words"], "event `a`, label `two words`: a tag has"),
        ("a", ["{}"], "braces"),
        ("a", ["{x"], "braces"),
        ("a", ["entry:00"], "are no tags"),
    ],
)
def test_a_rule_that_makes_no_label_is_told_at_the_start(kind: str, labels: list[str], why: str) -> None:
    with pytest.raises(BadEvent, match=why):
        Events({kind: labels})


def test_the_kinds_that_are_known() -> None:
    assert Events().kinds == tuple(BUILT_IN)
    assert set(EVENTS.kinds) == {*BUILT_IN, *RULES}
    assert Events().meant("tool_changed", {"name": "x"}) == Meant(("tool:x",)), "rules of others are not shared"
