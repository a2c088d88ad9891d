"""Limits and thinking, for each generation of models."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.capabilities import UNKNOWN, capabilities_of
from adapters.chat_over_messages_notes import Notes
from adapters.chat_over_messages_thinking import BUDGETS, LEAST_BUDGET, Thinking, limit_of, thinking_of
from adapters.errors import Refused

ADAPTIVE = {"type": "adaptive"}
SUMMARIZED = {"type": "adaptive", "display": "summarized"}


def thinking(
    body: Any, model: str, *, limit: int = 64_000, unable: str = "", shown: bool = False, notes: Notes | None = None
) -> Thinking:
    body = {"reasoning_effort": body} if isinstance(body, str) else body
    return thinking_of(body, capabilities_of(model), notes or Notes(), limit, unable=unable, shown=shown)


def budget(tokens: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens}


@pytest.mark.parametrize(
    ("body", "configured", "limit"),
    [
        ({"max_completion_tokens": 7, "max_tokens": 9}, None, 7),
        ({"max_completion_tokens": None, "max_tokens": 9}, 5, 9),
        ({}, 5, 5),
        ({}, None, 64_000),
        ({"thinking": budget(3000)}, 4096, 4096),
        ({"thinking": budget(5000)}, 4096, 9096),
        ({"thinking": budget(63_000)}, 4096, 64_000),
        ({"thinking": budget(64_000)}, None, 64_000),
        ({"thinking": budget(5000), "max_tokens": 10}, 4096, 10),
        ({"thinking": {"type": "enabled", "budget_tokens": "5000"}}, 4096, 4096),
    ],
)
def test_the_limit(body: dict[str, Any], configured: int | None, limit: int) -> None:
    assert limit_of(body, capabilities_of("claude-opus-4-5"), configured) == limit


def test_the_limit_of_a_model_that_nobody_knows() -> None:
    assert limit_of({}, UNKNOWN, None) == 8192


@pytest.mark.parametrize("name", ["max_completion_tokens", "max_tokens"])
@pytest.mark.parametrize("value", [0, -1, 1.5, 16.0, "16", True, [], {}])
def test_what_is_no_limit(name: str, value: Any) -> None:
    with pytest.raises(Refused) as caught:
        limit_of({name: value}, UNKNOWN, None)
    assert (caught.value.status, caught.value.param) == (400, name)


@pytest.mark.parametrize(
    ("model", "level", "expected", "warnings"),
    [
        # models that think anyway
        ("claude-opus-5-5", "high", Thinking(None, "high"), []),
        ("claude-opus-5-5", "minimal", Thinking(None, "low"), []),
        ("claude-opus-5-5", "max", Thinking(None, "max"), []),
        ("claude-sonnet-5-5", "none", Thinking({"type": "between_tools"}, None), []),
        ("claude-sonnet-5", "none", Thinking({"type": "disabled"}, None), []),
        ("claude-haiku-5-5", "none", Thinking({"type": "disabled"}, None), []),
        ("claude-mythos-preview", "xhigh", Thinking(None, "high"), ["reasoning_effort: xhigh lowered to high"]),
        # 4.6 to 4.8: asked for adaptive thinking
        ("claude-opus-4-8", "xhigh", Thinking(ADAPTIVE, "xhigh"), []),
        ("claude-opus-4-7", "low", Thinking(ADAPTIVE, "low"), []),
        ("claude-sonnet-4-6", "max", Thinking(ADAPTIVE, "max"), []),
        ("claude-sonnet-4-6", "xhigh", Thinking(ADAPTIVE, "high"), ["reasoning_effort: xhigh lowered to high"]),
        ("claude-opus-4-8", "none", Thinking(None, None), []),
        # up to 4.5: budgets
        ("claude-opus-4-5", "max", Thinking(budget(16_384), "high"), ["reasoning_effort: max lowered to high"]),
        ("claude-opus-4-5", "low", Thinking(budget(1024), "low"), []),
        ("claude-sonnet-4-5", "minimal", Thinking(budget(1024), None), []),
        ("claude-sonnet-4-5", "medium", Thinking(budget(4096), None), []),
        ("claude-haiku-4-5", "high", Thinking(budget(16_384), None), []),
        ("claude-haiku-4-5", "max", Thinking(budget(32_000), None), []),
        ("claude-haiku-4-5", "none", Thinking(None, None), []),
        # neither
        ("claude-3-5-sonnet", "high", Thinking(None, None), ["reasoning_effort: dropped"]),
        ("claude-3-5-sonnet", "none", Thinking(None, None), []),
        ("some-other-model", "high", Thinking(None, "high"), []),
        ("some-other-model", "none", Thinking({"type": "disabled"}, None), []),
    ],
)
def test_effort(model: str, level: str, expected: Thinking, warnings: list[str]) -> None:
    notes = Notes()
    assert thinking(level, model, notes=notes) == expected
    assert notes.warnings == warnings


def test_nothing_is_said_of_thinking_where_nothing_was_asked() -> None:
    for model in ("claude-opus-5-5", "claude-opus-4-8", "claude-opus-4-5", "other"):
        assert thinking({}, model) == Thinking(None, None)
        assert thinking({"reasoning_effort": None, "thinking": None}, model) == Thinking(None, None)


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-fable-5-2", "claude-mythos-5", "claude-mythos-preview"])
def test_what_always_thinks_can_not_be_told_not_to(model: str) -> None:
    with pytest.raises(Refused) as caught:
        thinking("none", model)
    assert (caught.value.status, caught.value.param) == (400, "reasoning_effort")


@pytest.mark.parametrize("level", [7, "", "ultra", [], {}, True])
def test_what_is_no_effort(level: Any) -> None:
    with pytest.raises(Refused) as caught:
        thinking({"reasoning_effort": level}, "claude-opus-5-5")
    assert (caught.value.status, caught.value.param) == (400, "reasoning_effort")


@pytest.mark.parametrize("limit", [1025, 1500, 2048, 3000, 8192, 20_000, 64_000])
@pytest.mark.parametrize("level", list(BUDGETS))
def test_budgets_leave_room_for_the_answer(limit: int, level: str) -> None:
    told = thinking(level, "claude-haiku-4-5", limit=limit).thinking
    assert told is not None
    assert LEAST_BUDGET <= told["budget_tokens"] < limit
    assert told["budget_tokens"] <= max(LEAST_BUDGET, limit // 2)


def test_a_limit_without_room_for_thinking() -> None:
    notes = Notes()
    assert thinking("high", "claude-haiku-4-5", limit=1024, notes=notes) == Thinking(None, None)
    assert notes.warnings == ["reasoning_effort: dropped, max_tokens leaves no room for 1024 tokens of thinking"]
    with pytest.raises(Refused) as caught:
        thinking("high", "claude-haiku-4-5", limit=1024, notes=Notes(strict=True))
    assert caught.value.param == "reasoning_effort"


def test_thinking_that_the_conversation_forbids() -> None:
    notes = Notes()
    assert thinking("high", "claude-opus-4-5", unable="no thoughts", notes=notes) == Thinking(None, "high")
    assert thinking({"thinking": budget(2000)}, "claude-opus-4-5", unable="no thoughts", notes=notes) == Thinking(
        None, None
    )
    assert notes.warnings == ["reasoning_effort: dropped, no thoughts", "thinking: dropped, no thoughts"]
    assert thinking("high", "claude-opus-4-8", unable="no thoughts") == Thinking(ADAPTIVE, "high")
    assert thinking({"thinking": ADAPTIVE}, "claude-opus-4-6", unable="no thoughts") == Thinking(ADAPTIVE, None)


def test_anthropics_own_parameter_is_sent_as_it_is() -> None:
    own = {"type": "enabled", "budget_tokens": 2000, "of_tomorrow": 1}
    assert thinking({"thinking": own, "reasoning_effort": "low"}, "claude-opus-4-5") == Thinking(own, "low")
    assert thinking({"thinking": {"type": "disabled"}, "reasoning_effort": "none"}, "claude-opus-5-5").thinking == {
        "type": "disabled"
    }
    for wrong in (7, "adaptive", [ADAPTIVE], True):
        with pytest.raises(Refused) as caught:
            thinking({"thinking": wrong}, "claude-opus-5-5")
        assert (caught.value.status, caught.value.param) == (400, "thinking")


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        ("claude-opus-5-5", {}, SUMMARIZED),
        ("claude-opus-5-5", {"reasoning_effort": "high"}, SUMMARIZED),
        ("claude-sonnet-5", {"reasoning_effort": "none"}, {"type": "disabled"}),
        ("claude-opus-4-8", {"reasoning_effort": "high"}, SUMMARIZED),
        ("claude-opus-4-8", {}, None),
        ("claude-opus-4-6", {"reasoning_effort": "high"}, ADAPTIVE),
        ("claude-opus-4-6", {}, None),
        ("claude-opus-4-5", {}, None),
        ("claude-opus-5-5", {"thinking": ADAPTIVE}, ADAPTIVE),
    ],
)
def test_thoughts_that_are_shown_are_asked_for(model: str, body: dict[str, Any], expected: Any) -> None:
    assert thinking(body, model, shown=True).thinking == expected
