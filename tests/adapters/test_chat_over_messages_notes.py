"""Warnings once each, errors where the configuration is strict, and marks that stay where they stood."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.chat_over_messages_notes import Notes
from adapters.errors import Refused


def refusal(action: Any) -> str | None:
    with pytest.raises(Refused) as caught:
        action()
    assert caught.value.status == 400
    return caught.value.param


def test_a_warning_is_given_once() -> None:
    notes = Notes()
    notes.warn("seed", "dropped")
    notes.warn("seed", "dropped")
    notes.warn("store", "dropped")
    assert notes.warnings == ["seed: dropped", "store: dropped"]


@pytest.mark.parametrize("name", ["", "a\r\nb", "häufig", "x" * 65])
def test_a_name_that_can_not_stand_in_a_header_is_not_repeated(name: str) -> None:
    notes = Notes()
    notes.warn(name, "dropped")
    assert notes.warnings == ["unknown member: dropped"]


def test_strictly_a_warning_is_an_error() -> None:
    strict = Notes(strict=True)
    assert refusal(lambda: strict.warn("seed", "dropped")) == "seed"
    assert refusal(lambda: strict.warn("messages", "moved", at="messages[3]")) == "messages[3]"


@pytest.mark.parametrize(
    ("holder", "default", "mark"),
    [
        ({}, None, None),
        ({"cache_control": None, "prompt_cache_breakpoint": None}, "30m", None),
        (
            {"cache_control": {"type": "ephemeral", "ttl": "5m", "new": 1}},
            None,
            {"type": "ephemeral", "ttl": "5m", "new": 1},
        ),
        (
            {"cache_control": {"type": "ephemeral"}, "prompt_cache_breakpoint": {"mode": "explicit"}},
            "30m",
            {"type": "ephemeral"},
        ),
        ({"prompt_cache_breakpoint": {"mode": "explicit"}}, None, {"type": "ephemeral"}),
        ({"prompt_cache_breakpoint": {"mode": "explicit"}}, "30m", {"type": "ephemeral", "ttl": "1h"}),
        ({"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}, None, {"type": "ephemeral", "ttl": "1h"}),
        ({"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "5m"}}, "30m", {"type": "ephemeral", "ttl": "5m"}),
    ],
)
def test_marks(holder: dict[str, Any], default: str | None, mark: Any) -> None:
    notes = Notes(ttl=default)
    assert notes.mark_of(holder, "x") == mark
    assert notes.warnings == []


def test_twelve_hours_are_one_and_the_client_is_told() -> None:
    point = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    notes = Notes()
    assert notes.mark_of(point, "x") == {"type": "ephemeral", "ttl": "1h"}
    assert notes.warnings == ["prompt_cache_breakpoint: 12h lowered to 1h"]
    assert refusal(lambda: Notes(strict=True).mark_of(point, "x")) == "x.prompt_cache_breakpoint.ttl"


@pytest.mark.parametrize(
    ("holder", "param"),
    [
        ({"cache_control": "ephemeral"}, "x.cache_control"),
        ({"cache_control": False}, "x.cache_control"),
        ({"prompt_cache_breakpoint": True}, "x.prompt_cache_breakpoint"),
        ({"prompt_cache_breakpoint": {"mode": "implicit"}}, "x.prompt_cache_breakpoint"),
        ({"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "2h"}}, "x.prompt_cache_breakpoint.ttl"),
        ({"prompt_cache_breakpoint": {"mode": "explicit", "ttl": []}}, "x.prompt_cache_breakpoint.ttl"),
    ],
)
def test_what_is_no_mark_is_refused(holder: dict[str, Any], param: str) -> None:
    assert refusal(lambda: Notes().mark_of(holder, "x")) == param


def test_the_inner_of_two_marks_stays() -> None:
    notes = Notes()
    block: dict[str, Any] = {"type": "text", "text": "a"}
    notes.put_of({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, block, "part")
    notes.put_of({"cache_control": {"type": "ephemeral"}}, block, "message")
    assert block["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert notes.marks == 1


def test_thoughts_and_nothing_can_not_be_marked() -> None:
    mark = {"type": "ephemeral"}
    assert refusal(lambda: Notes().put({"type": "thinking"}, mark, "x")) == "x"
    assert refusal(lambda: Notes().put_last([], mark, "x")) == "x"
    Notes().put({"type": "thinking"}, None, "x")
    Notes().put({"type": []}, mark, "x")
    Notes().put_last([], None, "x")


def test_the_fifth_mark_is_refused() -> None:
    notes = Notes()
    for _ in range(4):
        notes.count("x")
    assert refusal(lambda: notes.count("fifth")) == "fifth"
