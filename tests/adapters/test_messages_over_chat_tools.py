"""Tools and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.errors import Refused
from adapters.messages_over_chat_reading import Losses
from adapters.messages_over_chat_tools import tools_of

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "f", "input_schema": SCHEMA}
OUT = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}


def turned(strict: bool = False, **body: Any) -> dict[str, Any]:
    return tools_of(body, Losses(strict))


TOOLS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("the least", {}, {}),
    ("custom", {"type": "custom"}, {}),
    ("type null", {"type": None}, {}),
    ("described", {"description": "Says."}, {"description": "Says."}),
    ("strict", {"strict": True}, {"strict": True}),
    ("not strict", {"strict": False}, {}),
    ("marked", {"cache_control": {"type": "ephemeral"}}, {}),
    ("eager", {"eager_input_streaming": True}, {}),
    ("called directly", {"allowed_callers": ["direct"]}, {}),
    ("loaded at once", {"defer_loading": False}, {}),
    ("no examples", {"input_examples": []}, {}),
]


@pytest.mark.parametrize(("members", "out"), [case[1:] for case in TOOLS], ids=[case[0] for case in TOOLS])
def test_a_tool(members: dict[str, Any], out: dict[str, Any]):
    function = OUT["function"] | out
    assert turned(strict=True, tools=[TOOL | members]) == {"tools": [{"type": "function", "function": function}]}


def test_a_tool_without_a_schema_takes_nothing():
    [tool] = turned(tools=[{"name": "f"}])["tools"]
    assert tool["function"] == {"name": "f", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.parametrize(
    ("members", "warning"),
    [
        ({"input_examples": [{"city": "Bilbao"}]}, "tools.input_examples: dropped"),
        ({"defer_loading": True}, "defer_loading: loaded at once"),
        ({"something": 1}, "tools.something: dropped"),
    ],
)
def test_what_is_lost_of_a_tool(members: dict[str, Any], warning: str):
    losses = Losses(strict=False)
    assert tools_of({"tools": [TOOL | members]}, losses) == {"tools": [OUT]}
    assert losses.warnings() == (warning,)
    with pytest.raises(Refused) as refused:
        turned(strict=True, tools=[TOOL | members])
    assert refused.value.param == f"tools[0].{next(iter(members))}"


CHOICES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "auto"}, {"tool_choice": "auto"}),
    ({"type": "any"}, {"tool_choice": "required"}),
    ({"type": "none"}, {"tool_choice": "none"}),
    ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
    ({"type": "auto", "disable_parallel_tool_use": False}, {"tool_choice": "auto"}),
    ({"type": "any", "disable_parallel_tool_use": True}, {"tool_choice": "required", "parallel_tool_calls": False}),
]


@pytest.mark.parametrize(("choice", "members"), CHOICES)
def test_the_choice(choice: dict[str, Any], members: dict[str, Any]):
    assert turned(tools=[TOOL], tool_choice=choice) == {"tools": [OUT], **members}


@pytest.mark.parametrize("tools", [None, []])
def test_without_tools_a_harmless_choice_goes(tools: Any):
    assert turned(tools=tools) == {}
    assert turned(tools=tools, tool_choice={"type": "auto", "disable_parallel_tool_use": True}) == {}
    assert turned(tools=tools, tool_choice={"type": "none"}) == {}
    with pytest.raises(Refused) as refused:
        turned(tools=tools, tool_choice={"type": "any"})
    assert refused.value.param == "tool_choice"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tools": {"f": 1}}, "tools"),
    ({"tools": ["f"]}, "tools[0]"),
    ({"tools": [TOOL, {}]}, "tools[1].name"),
    ({"tools": [TOOL | {"description": 1}]}, "tools[0].description"),
    ({"tools": [TOOL | {"input_schema": "{}"}]}, "tools[0].input_schema"),
    ({"tools": [TOOL | {"strict": "yes"}]}, "tools[0].strict"),
    ({"tools": [TOOL | {"defer_loading": 1}]}, "tools[0].defer_loading"),
    ({"tools": [TOOL | {"type": 1}]}, "tools[0].type"),
    ({"tools": [TOOL | {"allowed_callers": ["code_execution_20260521"]}]}, "tools[0].allowed_callers"),
    ({"tools": [TOOL | {"allowed_callers": "direct"}]}, "tools[0].allowed_callers"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"tool_choice": {"type": "required"}}, "tool_choice.type"),
    ({"tool_choice": {"type": ["auto"]}}, "tool_choice.type"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": 1}},
        "tool_choice.disable_parallel_tool_use",
    ),
]


@pytest.mark.parametrize(("body", "param"), REFUSED)
def test_what_can_not_be_said_is_refused_by_its_name(body: dict[str, Any], param: str):
    with pytest.raises(Refused) as refused:
        turned(**body)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    "kind", ["web_search_20260318", "web_fetch_20250910", "code_execution_20260521", "mcp_toolset"]
)
def test_a_tool_that_anthropic_runs_is_refused_as_such(kind: str):
    with pytest.raises(Refused, match="is run by Anthropic") as refused:
        turned(tools=[{"type": kind, "name": "x"}])
    assert refused.value.param == "tools[0].type"


@pytest.mark.parametrize(
    "kind", ["bash_20250124", "text_editor_20250728", "computer_toolset_20260801", "memory_20250818"]
)
def test_a_tool_that_only_its_own_models_know_is_refused_as_such(kind: str):
    with pytest.raises(Refused, match="for its own models"):
        turned(tools=[{"type": kind, "name": "x"}])
