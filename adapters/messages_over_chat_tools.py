"""Tools of a Messages request as functions of chat completions.

After the types of anthropic 2.12 and openai 3.52 (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.errors import Refused
from adapters.messages_over_chat_reading import Losses, flag_of, list_of, object_of, text_of

HOSTED = ("web_search", "web_fetch", "code_execution", "tool_search", "advisor", "mcp_toolset")
"""Beginnings of the types of tools that Anthropic runs itself."""

SAID = frozenset({"name", "description", "input_schema", "strict", "type", "allowed_callers", "defer_loading"})
SILENT = frozenset({"cache_control", "eager_input_streaming"})
"""Members that change how a request is served, never what is answered."""

CHOICES = {"auto": "auto", "any": "required", "none": "none"}

NOTHING: dict[str, Any] = {"type": "object", "properties": {}}


def tools_of(body: Mapping[str, Any], losses: Losses) -> dict[str, Any]:
    """The members `tools`, `tool_choice` and `parallel_tool_calls`, as far as they are needed."""
    tools = list_of(body.get("tools") or [], "tools")
    functions = [_function(object_of(tool, f"tools[{at}]"), f"tools[{at}]", losses) for at, tool in enumerate(tools)]
    members: dict[str, Any] = {"tools": functions} if functions else {}
    if body.get("tool_choice") is not None:
        members |= _choice(object_of(body["tool_choice"], "tool_choice"), bool(functions))
    return members


def _function(tool: dict[str, Any], param: str, losses: Losses) -> dict[str, Any]:
    _runnable(tool, param)
    function: dict[str, Any] = {"name": text_of(tool.get("name"), f"{param}.name")}
    if tool.get("description") is not None:
        function["description"] = text_of(tool["description"], f"{param}.description")
    schema = tool.get("input_schema")
    function["parameters"] = NOTHING if schema is None else object_of(schema, f"{param}.input_schema")
    if flag_of(tool.get("strict"), f"{param}.strict"):
        function["strict"] = True
    if flag_of(tool.get("defer_loading"), f"{param}.defer_loading"):
        losses.add("defer_loading", "loaded at once", param=f"{param}.defer_loading")
    for name, value in tool.items():
        if name not in SAID and name not in SILENT and value not in (None, [], {}, False):
            losses.add(f"tools.{name}", param=f"{param}.{name}")
    return {"type": "function", "function": function}


def _runnable(tool: dict[str, Any], param: str) -> None:
    """Refuses what is no plain description of a function: this provider was not trained on such tools."""
    kind = tool.get("type")
    if kind is not None and kind != "custom":
        kind = text_of(kind, f"{param}.type")
        who = "is run by Anthropic" if kind.startswith(HOSTED) else "is defined by Anthropic for its own models"
        raise Refused(400, f"a tool of this type {who}; describe it with an input_schema", param=f"{param}.type")
    callers = tool.get("allowed_callers")
    if callers is not None and "direct" not in list_of(callers, f"{param}.allowed_callers"):
        raise Refused(400, "this tool could not be called at this provider", param=f"{param}.allowed_callers")


def _choice(choice: dict[str, Any], tools: bool) -> dict[str, Any]:
    kind = choice.get("type")
    members: dict[str, Any] = {}
    if kind == "tool":
        name = text_of(choice.get("name"), "tool_choice.name")
        members["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif type(kind) is str and kind in CHOICES:
        members["tool_choice"] = CHOICES[kind]
    else:
        raise Refused(400, "the choice must be auto, any, tool or none", param="tool_choice.type")
    if flag_of(choice.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use"):
        members["parallel_tool_calls"] = False
    if tools:
        return members
    # OpenAI refuses both members where there are no tools.
    if kind in ("auto", "none"):
        return {}
    raise Refused(400, "a tool is demanded, and there are none", param="tool_choice")
