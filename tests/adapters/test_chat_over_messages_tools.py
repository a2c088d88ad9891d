"""Tools and tool choice."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.capabilities import capabilities_of
from adapters.chat_over_messages_notes import Notes
from adapters.chat_over_messages_tools import choice_of, tools_of
from adapters.errors import Refused

MARK = {"type": "ephemeral"}
FREE = capabilities_of("claude-opus-4-8")
UNFORCED = capabilities_of("claude-sonnet-5-5")
OLD = capabilities_of("claude-opus-4-1")
EMPTY = {"type": "object", "properties": {}}


def function(**members: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f"} | members}


def tools(*given: Any, known: Any = FREE, notes: Notes | None = None) -> list[dict[str, Any]]:
    return tools_of({"tools": list(given)}, known, notes or Notes())


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (function(), {"name": "f", "input_schema": EMPTY}),
        (function(parameters={}, description=None, strict=None), {"name": "f", "input_schema": EMPTY}),
        (
            function(description="d", parameters={"type": "object", "required": ["a"]}, strict=True),
            {"name": "f", "description": "d", "input_schema": {"type": "object", "required": ["a"]}, "strict": True},
        ),
        (
            function(parameters={"properties": {"a": {}}}, strict=False),
            {"name": "f", "input_schema": {"type": "object", "properties": {"a": {}}}},
        ),
        (function() | {"cache_control": MARK}, {"name": "f", "input_schema": EMPTY, "cache_control": MARK}),
        (function(cache_control=MARK), {"name": "f", "input_schema": EMPTY, "cache_control": MARK}),
        (
            function() | {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
            {"name": "f", "input_schema": EMPTY, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ),
        ({"name": "f", "input_schema": EMPTY}, {"name": "f", "input_schema": EMPTY}),
        (
            {"type": "custom", "name": "f", "input_schema": EMPTY},
            {"type": "custom", "name": "f", "input_schema": EMPTY},
        ),
        (
            {"type": "web_search_20260318", "name": "web_search", "cache_control": MARK},
            {"type": "web_search_20260318", "name": "web_search", "cache_control": MARK},
        ),
    ],
)
def test_tools(tool: dict[str, Any], expected: Any) -> None:
    assert tools(tool) == [expected]


def test_tools_stay_in_their_order() -> None:
    names = ["b", "a", "c"]
    assert [tool["name"] for tool in tools(*(function(name=name) for name in names))] == names
    assert tools_of({}, FREE, Notes()) == []


def test_the_order_of_members_does_not_depend_on_the_client() -> None:
    one = {"type": "function", "function": {"strict": True, "parameters": EMPTY, "description": "d", "name": "f"}}
    two = {"function": {"name": "f", "description": "d", "parameters": EMPTY, "strict": True}, "type": "function"}
    assert str(tools(one)) == str(tools(two))


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "tools"),
        ("f", "tools"),
        ([7], "tools[0]"),
        ([{}], "tools[0].type"),
        ([function(), {"type": ["function"]}], "tools[1].type"),
        ([{"type": "custom", "custom": {"name": "f"}}], "tools[0].type"),
        ([{"type": "function"}], "tools[0].function"),
        ([{"type": "function", "function": "f"}], "tools[0].function"),
        ([function(name="")], "tools[0].function.name"),
        ([function(name=7)], "tools[0].function.name"),
        ([function(description=7)], "tools[0].function.description"),
        ([function(parameters=[])], "tools[0].function.parameters"),
        ([function() | {"cache_control": 7}], "tools[0].cache_control"),
    ],
)
def test_what_is_no_tool(given: Any, param: str) -> None:
    with pytest.raises(Refused) as caught:
        tools_of({"tools": given}, FREE, Notes())
    assert (caught.value.status, caught.value.param) == (400, param)


def test_an_old_model_is_not_strict() -> None:
    notes = Notes()
    assert "strict" not in tools(function(strict=True), known=OLD, notes=notes)[0]
    assert notes.warnings == ["tools: strict dropped"]
    with pytest.raises(Refused) as caught:
        tools(function(strict=True), known=OLD, notes=Notes(strict=True))
    assert caught.value.param == "tools[0].function.strict"


NAMED = {"type": "function", "function": {"name": "f"}}
SERIAL = {"disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, None),
        ({"tool_choice": None, "parallel_tool_calls": None}, None),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": NAMED}, {"type": "tool", "name": "f"}),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto"} | SERIAL),
        ({"parallel_tool_calls": False, "tool_choice": "required"}, {"type": "any"} | SERIAL),
        ({"parallel_tool_calls": False, "tool_choice": NAMED}, {"type": "tool", "name": "f"} | SERIAL),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
    ],
)
def test_choice(body: dict[str, Any], expected: Any) -> None:
    assert choice_of(body, FREE, tools=True, thinking=False) == expected


@pytest.mark.parametrize(
    "choice",
    [
        "sometimes",
        7,
        [],
        {},
        {"type": "function"},
        {"type": "function", "function": {"name": 7}},
        {"type": "allowed_tools", "allowed_tools": {}},
        {"type": "custom", "custom": {"name": "f"}},
        {"type": ["custom"]},
    ],
)
def test_what_is_no_choice(choice: Any) -> None:
    with pytest.raises(Refused) as caught:
        choice_of({"tool_choice": choice}, FREE, tools=True, thinking=False)
    assert (caught.value.status, caught.value.param) == (400, "tool_choice")


def test_a_tool_is_forced_only_where_that_can_be() -> None:
    for choice in ("required", NAMED):
        for known, thinking, some in ((UNFORCED, False, True), (FREE, True, True), (FREE, False, False)):
            with pytest.raises(Refused) as caught:
                choice_of({"tool_choice": choice}, known, tools=some, thinking=thinking)
            assert caught.value.param == "tool_choice"
    assert choice_of({"tool_choice": "auto"}, UNFORCED, tools=True, thinking=True) == {"type": "auto"}


def test_without_tools_there_is_nothing_to_choose() -> None:
    for body in ({"tool_choice": "auto"}, {"tool_choice": "none"}, {"parallel_tool_calls": False}):
        assert choice_of(body, FREE, tools=False, thinking=False) is None


def test_parallel_is_yes_or_no() -> None:
    with pytest.raises(Refused) as caught:
        choice_of({"parallel_tool_calls": "no"}, FREE, tools=True, thinking=False)
    assert caught.value.param == "parallel_tool_calls"
