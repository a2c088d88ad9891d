"""Cache breakpoints: only for models that know them, and never more than can be written."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.errors import Refused
from adapters.messages_over_chat_marks import Marks, knows_breakpoints

EPHEMERAL = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-5.6", True),
        ("gpt-5.6-sol", True),
        ("gpt-5.10", True),
        ("gpt-6", True),
        ("gpt-6.1-terra", True),
        ("openai/gpt-6-astra", True),
        ("gpt-6-2026-10-01", True),
        ("gpt-5.5", False),
        ("gpt-5", False),
        ("gpt-5-2025-08-07", False),
        ("gpt-5-mini", False),
        ("gpt-4.1", False),
        ("gpt-4o", False),
        ("gpt-35-turbo", False),
        ("gpt-3.5-turbo-16k", False),
        ("gpt-oss-120b", False),
        ("not-gpt-6", False),
        ("o3", False),
        ("Qwen/Qwen3-8B", False),
        ("", False),
    ],
)
def test_which_models_know_breakpoints(model: str, known: bool):
    assert knows_breakpoints(model) is known


def test_a_mark_is_put_where_the_block_has_one():
    marks = Marks("gpt-6")
    one: dict[str, Any] = {"type": "text", "text": "a"}
    two = dict(one)
    marks.put(one, EPHEMERAL, "system[0]")
    marks.put(two, {}, "system[1]")
    marks.put(two, {"cache_control": None}, "system[1]")
    marks.keep_latest()
    assert one == {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert two == {"type": "text", "text": "a"}


def test_only_the_latest_four_are_kept():
    marks = Marks("gpt-6")
    parts: list[dict[str, Any]] = [{"text": str(place)} for place in range(6)]
    for part in parts:
        marks.put(part, EPHEMERAL, "x")
        marks.put(part, EPHEMERAL, "x")  # a block inside a marked block: one part, one mark
    marks.keep_latest()
    marks.keep_latest()
    assert ["prompt_cache_breakpoint" in part for part in parts] == [False, False, True, True, True, True]


def test_other_models_get_none():
    marks, part = Marks("gpt-4.1"), {"text": "a"}
    marks.put(part, EPHEMERAL, "x")
    marks.keep_latest()
    assert part == {"text": "a"}


def test_a_mark_that_is_no_object_is_refused():
    with pytest.raises(Refused) as refused:
        Marks("m").put({}, {"cache_control": "yes"}, "system[0]")
    assert refused.value.param == "system[0].cache_control"
